'use strict'

// Clocks that are set, and time that passes unseen: what is promised of schedules, lifetimes and sealed announcements.

const assert = require('node:assert/strict')
const { describe, test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { clocks, preload } = require('./preload.js')
const { nodeCommand } = require('./process.js')

const HOUR = 3600
const YEAR = 365 * 24 * HOUR

/** Lifetimes of less than two seconds. */
const BRISK = { group: '224.0.0.1', interval: 500 }

/**
 * @typedef {import('node:test').TestContext} TestContext
 * @typedef {import('./hosts.js').Host} Host
 * @typedef {import('./process.js').Process} Process
 */

/**
 * Runs a script on a host, by clocks of its own.
 *
 * @param {TestContext} t
 * @param {Host} host
 * @param {string} script
 * @param {...unknown} args
 */
function runByClocks(t, host, script, ...args) {
  const clock = clocks(t)
  const command = ['env', clock.variable, preload(t, 'clock.c'), ...nodeCommand(script, args)]
  return { clock, program: host.start(...command) }
}

/** Runs a discovery on a host, whose name is its id. */
const discoverByClocks = (
  /** @type {TestContext} */ t,
  /** @type {Host} */ host,
  /** @type {object} */ options
) => runByClocks(t, host, 'fixtures/discover.js', {}, { id: host.name, ...options })

const up = (/** @type {Process} */ program, /** @type {string} */ id, from = 0) =>
  program.json((said) => said.up === id, from)
const down = (/** @type {Process} */ program, /** @type {string} */ id) =>
  program.json((said) => said.down === id)

/**
 * Waits, and gives how many ticks came meanwhile, which are 100 ms apart, and how many should at most.
 *
 * @param {Process} listener
 * @param {number} ms
 */
async function ticksWithin(listener, ms) {
  const [from, begin] = [listener.lines.length, performance.now()]
  await sleep(ms)
  const ticks = listener.lines.length - from
  return { ticks, most: (performance.now() - begin) / 100 + 5 }
}

/** How often a program has been told that somebody went. */
const downs = (/** @type {Process} */ program) => program.values().filter((said) => said?.down)

describe('clocks', { skip: needs('lab'), concurrency: false }, () => {
  for (const years of [1, -1]) {
    test(`a wall clock that is set by ${years} year is nothing to who seals nothing`, async (t) => {
      const { a, b } = await hosts(t, 2)
      const one = discoverByClocks(t, a, BRISK)
      const other = discoverByClocks(t, b, BRISK)
      const caster = runByClocks(t, a, 'fixtures/cast.js', 'tick', '100', { port: 9999 })
      const listener = b.run('fixtures/listen.js', { port: 9999 })
      await Promise.all([up(one.program, 'b'), up(other.program, 'a')])
      await listener.json((said) => said.message === 'tick')
      for (const { clock } of [one, caster]) clock.putWall(years * YEAR)
      const { ticks, most } = await ticksWithin(listener, 2000)
      assert.ok(ticks >= 10 && ticks <= most, `${ticks}, not ${most}`)
      // It announces itself as before: what it changes comes, and it goes when it says so.
      one.program.write('{"announce":{"later":true}}')
      await other.program.json((said) => said.update === 'a' && said.peer.data.later)
      assert.deepEqual([...downs(one.program), ...downs(other.program)], [])
      one.program.write('{"close":true}')
      assert.equal((await down(other.program, 'a')).reason, 'bye')
    })
  }

  test('sealed, by a clock that is set a year back: it is told so, gone, and back once it is right', async (t) => {
    const { a, b } = await hosts(t, 2)
    const options = { ...BRISK, key: 'hunter2' }
    const one = discoverByClocks(t, a, options)
    const other = discoverByClocks(t, b, options)
    await Promise.all([up(one.program, 'b'), up(other.program, 'a')])
    one.clock.putWall(-YEAR)
    const warning = await other.program.json((said) => said.warning)
    assert.equal(warning.warning, 'CLOCK_SKEW')
    assert.match(warning.message, /behind/)
    assert.equal((await down(other.program, 'a')).reason, 'timeout')
    const from = other.program.lines.length
    one.clock.putWall(0)
    await up(other.program, 'a', from)
    // The other's clock is its own to the one who knew it.
    assert.deepEqual(downs(one.program), [])
    assert.equal(other.program.values().filter((said) => said?.warning).length, 1)
  })

  test('sealed, by a clock that is set a year forth: who knows it keeps it, who comes does not', async (t) => {
    const { a, b, c } = await hosts(t, 3)
    const options = { ...BRISK, key: 'hunter2' }
    const one = discoverByClocks(t, a, options)
    const other = discoverByClocks(t, b, options)
    await Promise.all([up(one.program, 'b'), up(other.program, 'a')])
    one.clock.putWall(YEAR)
    const newcomer = discoverByClocks(t, c, options)
    await up(newcomer.program, 'b')
    const warning = await newcomer.program.json((said) => said.warning)
    assert.equal(warning.warning, 'CLOCK_SKEW')
    assert.match(warning.message, /ahead/)
    await sleep(2000)
    assert.deepEqual([...downs(one.program), ...downs(other.program)], [])
    assert.equal(newcomer.program.values().filter((said) => said?.up === 'a').length, 0)
    // Set right again it is a year behind itself: gone, and then somebody whom nobody knows.
    const from = other.program.lines.length
    one.clock.putWall(0)
    assert.equal((await down(other.program, 'a')).reason, 'timeout')
    await Promise.all([up(other.program, 'a', from), up(newcomer.program, 'a')])
  })

  test('an hour of sleep: nobody goes, sealed or not, and nothing is sent in a burst', async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js', { port: 9999 })
    const caster = runByClocks(t, a, 'fixtures/cast.js', 'tick', '100', { port: 9999 })
    await listener.json((said) => said.message === 'tick')
    const discoveries = [{}, { key: 'hunter2', group: '239.1.1.1' }].map((options) => ({
      one: discoverByClocks(t, a, { ...BRISK, ...options }),
      other: discoverByClocks(t, b, { ...BRISK, ...options })
    }))
    for (const { one, other } of discoveries) {
      await Promise.all([up(one.program, 'b'), up(other.program, 'a')])
    }
    const each = (/** @type {'one' | 'other'} */ which, /** @type {NodeJS.Signals} */ signal) =>
      discoveries.forEach((pair) => process.kill(Number(pair[which].program.child.pid), signal))
    // a sleeps, and its monotonic clock with it; b does not, and has its hour at once, with nothing of before waiting.
    each('one', 'SIGSTOP')
    await sleep(100)
    each('other', 'SIGSTOP')
    caster.clock.putBoottime(HOUR)
    for (const { one, other } of discoveries) {
      one.clock.putBoottime(HOUR)
      one.clock.putWall(HOUR)
      other.clock.putMonotonic(HOUR)
      other.clock.putWall(HOUR)
    }
    each('other', 'SIGCONT')
    each('one', 'SIGCONT')
    const { ticks, most } = await ticksWithin(listener, 3000)
    for (const { one, other } of discoveries) {
      assert.deepEqual([...downs(one.program), ...downs(other.program)], [])
      assert.equal(other.program.values().filter((said) => said?.warning).length, 0)
    }
    assert.ok(ticks >= 20 && ticks <= most, `${ticks}, not ${most}`)
  })

  test('an engine that was starved for ten seconds sends once, and takes nobody for gone', async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js', { port: 9999 })
    const caster = runByClocks(t, a, 'fixtures/cast.js', 'tick', '100', { port: 9999 })
    await listener.json((said) => said.message === 'tick')
    const one = discoverByClocks(t, a, BRISK)
    const other = discoverByClocks(t, b, BRISK)
    await Promise.all([up(one.program, 'b'), up(other.program, 'a')])
    for (const { clock } of [caster, one]) clock.putMonotonic(10)
    const { ticks, most } = await ticksWithin(listener, 2000)
    assert.ok(ticks >= 10 && ticks <= most, `${ticks}, not ${most}`)
    assert.deepEqual([...downs(one.program), ...downs(other.program)], [])
  })
})
