'use strict'

// The game of examples/lobby.js, as it is played.

const assert = require('node:assert/strict')
const { describe, test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')

describe('lobby.js', { skip: needs('lab'), concurrency: 2 }, () => {
  const lobby = '../examples/lobby.js'

  test('one hosts a game, seats are taken, it is played and won', async (t) => {
    const { a, b, c, d, e } = await hosts(t, 5)
    const [ada, bob, cleo] = [a.run(lobby, 'ada'), b.run(lobby, 'bob'), c.run(lobby, 'cleo')]
    const elsewhere = e.run(lobby, '--lobby', 'other', 'eve')
    await bob.line(/^\+ ada$/)
    await ada.line(/^\+ bob$/)
    bob.write('join ada')
    await bob.line(/^ada hosts no game\.$/)
    ada.write('host')
    await bob.line(/^\* ada hosts a game, seats left: 2$/)
    bob.write('join ada')
    await ada.line(/^bob sits down/)
    await cleo.line(/^[+*] ada hosts a game, seats left: 1$/)
    cleo.write('join ada')
    await cleo.line(/^cleo sits down/)

    const dan = d.run(lobby, 'dan')
    await dan.line(/^\+ ada hosts a game, seats left: 0$/)
    dan.write('join ada')
    await dan.line(/^No seat is left\.$/)
    await dan.line(/^The game is over\.$/)

    let [low, high] = [1, 100]
    for (let answer; answer !== 'is it';) {
      const guess = (low + high) >> 1
      assert.ok(low <= high)
      bob.write(`${guess}`)
      answer = (await cleo.line(new RegExp(`^bob: ${guess} (is .*)$`)))[1]
      if (answer === 'is too low') low = guess + 1
      else high = guess - 1
    }
    for (const guest of [bob, cleo]) await guest.line(/^The game is over\.$/)
    await dan.line(/^\* ada$/)
    assert.equal(a.exec('ss', '--no-header', '--listening', '--tcp'), '')
    await ada.line(/^bob: \d+ is it$/)
    ada.interrupt()
    await dan.line(/^- ada \(bye\)$/)
    assert.deepEqual(elsewhere.lines, [])
  })

  test('a host whose computer loses power disappears with its game', async (t) => {
    const { a, b } = await hosts(t, 2)
    const ada = a.run(lobby, 'ada')
    const bob = b.run(lobby, 'bob')
    await bob.line(/^\+ ada/)
    ada.write('host')
    await bob.line(/^\* ada hosts a game/)
    bob.write('join ada')
    await bob.line(/^bob sits down/)
    const start = Date.now()
    a.cable('eth0', 'out')
    await bob.line(/^- ada \(timeout\)$/)
    assert.ok(Date.now() - start < 8000)
    await bob.line(/^The game is over\.$/)
    bob.write('join ada')
    await bob.line(/^ada hosts no game\.$/)
  })
})
