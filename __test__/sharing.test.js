'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { hosts, unavailable } = require('./hosts.js')

const TEN = Array.from({ length: 10 }, (_, i) => i)

/** The ids that a process has heard. */
const heard = (/** @type {import('./process.js').Process} */ process) =>
  new Set(process.values().flatMap((said) => (said?.message ? [JSON.parse(said.message).id] : [])))

for (const self of [true, false]) {
  test(`ten processes share the port, with self: ${self}`, { skip: unavailable }, async (t) => {
    const { host } = await hosts(t, { host: [0] })
    const processes = TEN.map((id) => host.run('fixtures/both.js', { id }, { self }))
    for (const process of processes) {
      for (const id of TEN.filter((other) => self || processes[other] !== process)) {
        await process.json((said) => said.message === JSON.stringify({ id }))
      }
    }
    // By now each has cast many times; itself it has heard from the first on, or never.
    processes.forEach((process, id) => {
      assert.equal(heard(process).has(id), self)
      assert.equal(heard(process).size, self ? 10 : 9)
    })
  })
}

test(
  'a dgram socket with reuseAddr shares the port, whoever comes first',
  {
    skip: unavailable
  },
  async (t) => {
    const { host } = await hosts(t, { host: [0] })
    const programs = []
    for (const script of ['fixtures/dgram.js', 'fixtures/listen.js', 'fixtures/dgram.js']) {
      const args = script === 'fixtures/dgram.js' ? ['9778', `224.0.0.1@${host.address}`] : []
      const program = host.run(script, ...args)
      await program.json((said) => said.listening)
      programs.push(program)
    }
    host.run('fixtures/cast.js', 'hello')
    for (const program of programs) await program.json((said) => said.message === 'hello')
  }
)

test(
  'a port that somebody uses without sharing is EADDRINUSE',
  { skip: unavailable },
  async (t) => {
    const { host } = await hosts(t, { host: [0] })
    const other = host.run('fixtures/unshared.js', '9778')
    await other.line(/^bound$/)
    const ours = host.run('fixtures/listen.js')
    await ours.line(/Error: bind EADDRINUSE 0\.0\.0\.0:9778/)
    assert.equal((await ours.end()).code, 1)
  }
)
