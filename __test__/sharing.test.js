'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { mkdtempSync, readFileSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { preload } = require('./preload.js')
const { nodeCommand } = require('./process.js')

const TEN = Array.from({ length: 10 }, (_, i) => i)

/** The ids that a process has heard. */
const heard = (/** @type {import('./process.js').Process} */ process) =>
  new Set(process.values().flatMap((said) => (said?.message ? [JSON.parse(said.message).id] : [])))

for (const self of [true, false]) {
  test(`ten processes share the port, with self: ${self}`, { skip: needs('lab') }, async (t) => {
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
    skip: needs('lab')
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
  'programs with a group each hear all that is sent to it, from whatever port',
  { skip: needs('lab') },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const groups = ['239.5.6.1', '239.5.6.2']
    const listeners = groups.map((group) => b.run('fixtures/listen.js', { group }))
    for (const listener of listeners) await listener.json((said) => said.listening)
    for (const id of TEN) {
      for (const group of groups) a.run('fixtures/cast.js', `${group} ${id}`, '100', { group })
    }
    for (const [i, group] of groups.entries()) {
      for (const id of TEN) await listeners[i].json((said) => said.message === `${group} ${id}`)
    }
  }
)

test('a program that shares the port by SO_REUSEPORT alone', { skip: needs('lab') }, async (t) => {
  const { host } = await hosts(t, { host: [0] })
  const script = nodeCommand('fixtures/dgram.js', ['9778', `224.0.0.1@${host.address}`])
  const other = host.start('env', preload(t, 'reuse-port.c'), ...script)
  await other.json((said) => said.listening)
  const ours = host.run('fixtures/listen.js')
  await ours.json((said) => said.listening)
  host.run('fixtures/cast.js', 'hello')
  for (const program of [other, ours]) await program.json((said) => said.message === 'hello')
})

test(
  'a port that somebody uses without sharing is EADDRINUSE',
  { skip: needs('lab') },
  async (t) => {
    const { host } = await hosts(t, { host: [0] })
    const other = host.run('fixtures/unshared.js', '9778')
    await other.line(/^bound$/)
    const ours = host.run('fixtures/listen.js')
    await ours.line(/Error: bind EADDRINUSE 0\.0\.0\.0:9778/)
    assert.equal((await ours.end()).code, 1)
  }
)

test(
  'two listeners of one process and port read each datagram once, and both get it',
  { skip: needs('lab', 'strace') },
  async (t) => {
    const { a } = await hosts(t, { a: [] })
    a.ip('route add default dev lo')
    const folder = mkdtempSync(join(tmpdir(), 'lan-peers-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const log = join(folder, 'calls')
    const strace = [
      'strace',
      '-f',
      '-qq',
      '-yy',
      '-e',
      'trace=recvmmsg,recvmsg,recvfrom',
      '-e',
      'abbrev=all',
      '-o',
      log
    ]
    const groups = ['239.5.5.1', '239.5.5.2']
    const program = a.start(...strace, ...nodeCommand('fixtures/two-listeners.js', groups))
    await program.json((said) => said.listening)
    const sender = a.run('fixtures/dgram.js', '9000')
    await sender.json((said) => said.listening)
    // To the group of both, to that of one, and straight to the host.
    const each = 20
    for (let i = 0; i < each; i++) {
      for (const to of [...groups, '127.0.0.1']) sender.write(`send ${to}#${i} ${to} 9778`)
    }
    await program.json((said) => said.heard?.both === 3 * each && said.heard.one === 2 * each)
    program.write('end')
    assert.equal((await program.end()).code, 0)

    // One at a time is how interfaces, and their changes, are read (netlink), and nothing else.
    const calls = readFileSync(log, 'utf8').split('\n')
    const single = calls.filter((line) => /recv(msg|from)\(/.test(line))
    assert.ok(single.every((line) => line.includes('NETLINK')))
    const batches = calls.filter((line) => line.includes('recvmmsg'))
    // What recvmmsg returns is a number of datagrams; nothing, in the first half of a call told in two.
    const read = batches.map((line) => Number(/ = (\d+)/.exec(line)?.[1] ?? 0))
    assert.equal(
      read.reduce((sum, count) => sum + count, 0),
      3 * each
    )
  }
)
