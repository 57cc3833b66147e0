'use strict'

// What the kernel and the switches remember of what we have joined.

const assert = require('node:assert/strict')
const { readFileSync, readdirSync } = require('node:fs')
const { join } = require('node:path')
const { describe, test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { clocks, preload } = require('./preload.js')
const { nativeThreads, until } = require('./process.js')

const skip = needs('lab')
const group = '239.77.7.7'

/**
 * A listener behind a switch that passes on to it what it has joined, and forgets that within a second. Its clocks
 * can be put forward.
 *
 * @param {import('node:test').TestContext} t
 */
async function behindForgetfulSwitch(t) {
  const { a, b } = await hosts(t, 2)
  // One that asks so seldom that it forgets between; one that never asks passes everything on, being Linux.
  a.lan(
    'eth0',
    'mcast_query_response_interval 10 mcast_membership_interval 100 mcast_snooping 1 mcast_querier 1'
  )
  const clock = clocks(t)
  const listener = b.start(
    'env',
    preload(t, 'clock.c'),
    clock.variable,
    process.execPath,
    join(__dirname, 'fixtures', 'listen.js'),
    JSON.stringify({ group })
  )
  await listener.json((said) => said.listening)
  a.run('fixtures/cast.js', 'hello', '50', { group })
  await listener.json((said) => said.message === 'hello')
  // It has forgotten once ten casts in a row have not come.
  await until(async () => {
    const heard = listener.lines.length
    await new Promise((resolve) => setTimeout(resolve, 500))
    return listener.lines.length === heard
  })
  return { listener, clock }
}

/**
 * What the kernel holds for a program: descriptors, threads of ours, and what is joined on its host.
 *
 * @param {import('./process.js').Process} program
 * @param {number} pid
 */
function held(program, pid) {
  const proc = (/** @type {string} */ file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')
  // Groups with their users; timers and the like change by themselves.
  const igmp = proc('net/igmp').match(/^(\d+\t\S+|\t+\w{8} +\d+)/gm)
  const igmp6 = proc('net/igmp6').match(/^\d+ +\S+ +\w{32} +\d+/gm)
  const descriptors = readdirSync(`/proc/${pid}/fd`).length
  return { descriptors, threads: nativeThreads(pid).length, igmp, igmp6: igmp6?.toSorted() }
}

// Most of what these do is wait.
describe('memberships', { concurrency: 4 }, () => {
  test('a switch that forgets is reminded every two minutes', { skip }, async (t) => {
    const { listener, clock } = await behindForgetfulSwitch(t)
    const before = listener.lines.length
    clock.putMonotonic(30)
    listener.write('interfaces')
    await listener.json((said) => said.interfaces, before)
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal(
      listener
        .values()
        .slice(before)
        .filter((said) => said?.message).length,
      0,
      'too early'
    )
    clock.putMonotonic(125)
    listener.write('interfaces')
    await listener.json((said) => said.message === 'hello', before)
  })

  test('a switch is reminded when the computer has slept', { skip }, async (t) => {
    const { listener, clock } = await behindForgetfulSwitch(t)
    const before = listener.lines.length
    clock.putBoottime(3600)
    listener.write('interfaces')
    await listener.json((said) => said.message === 'hello', before)
  })

  test('200 times down and up leave nothing behind', { skip }, async (t) => {
    const { a, b } = await hosts(t, { a: [0, 1], b: [0] })
    b.run('fixtures/peer.js', 'b')
    const peer = a.run('--expose-gc fixtures/peer.js', 'a', '20')
    const { pid } = await peer.json((said) => said.pid)
    const heard = () => peer.json((said) => said.message === 'b', peer.lines.length)
    const cycle = async () => {
      for (const state of /** @type {const} */ (['down', 'up'])) {
        const before = peer.lines.length
        a.link('eth0', state)
        if (state === 'up') a.ip(`address add ${a.addresses6[0]}/64 dev eth0 nodad`)
        const wanted = state === 'up' ? 'joined' : 'waiting'
        await peer.json((said) => said.changed && said.interfaces[1].IPv6.state === wanted, before)
      }
    }
    const resident = async () => {
      const before = peer.lines.length
      peer.write('usage')
      return (await peer.json((said) => said.usage, before)).usage.rss
    }
    // The first times fill what is filled once.
    for (let i = 0; i < 20; i++) await cycle()
    await heard()
    // Sockets outlive their last datagram by a second.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const [before, rss] = [held(peer, pid), await resident()]
    for (let i = 0; i < 200; i++) await cycle()
    await heard()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    assert.deepEqual(held(peer, pid), before)
    // What is joined on an interface that is deleted, Linux does not give back by itself.
    const { descriptors } = before
    for (let i = 0; i < 30; i++) {
      // The caster is told last, so that nothing of what came before comes later.
      let from = peer.lines.length
      a.remove('eth1')
      await peer.json((said) => said.changed === 'caster' && said.interfaces.length === 2, from)
      from = peer.lines.length
      a.add('eth1')
      const joined = (/** @type {any[]} */ interfaces) => interfaces[2]?.IPv6.state === 'joined'
      await peer.json((said) => said.changed === 'caster' && joined(said.interfaces), from)
    }
    await until(() => held(peer, pid).descriptors === descriptors)
    const grown = (await resident()) - rss
    t.diagnostic(`resident memory: ${Math.round(grown / 1024)} KiB more after 200 times`)
    assert.ok(grown < 8 << 20, `${grown} bytes more`)
    assert.equal(peer.values().filter((said) => said?.warning).length, 0)
  })
})
