'use strict'

// How changes of the network are noticed, and what is told of them.

const assert = require('node:assert/strict')
const { join } = require('node:path')
const { describe, test } = require('node:test')
const { isDeepStrictEqual } = require('node:util')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { clocks, preload } = require('./preload.js')
const { nativeThreads, until } = require('./process.js')
const { told, uses } = require('./uses.js')

const skip = needs('lab')

/** What is told of each change, as `told` says it. */
const changes = (/** @type {import('./process.js').Process} */ program) =>
  program
    .values()
    .filter((said) => said?.changed)
    .map(({ interfaces }) => told(interfaces))

// Most of what these do is wait.
describe('watching the network', { concurrency: 4 }, () => {
  test(
    "a change is an 'interfaces' event, for listener and caster, and seldom two",
    { skip },
    async (t) => {
      const { a } = await hosts(t, 1)
      const programs = ['listen.js', 'cast.js'].map((script) => {
        const program = script === 'cast.js' ? ['hello', '20'] : []
        return a.run(`fixtures/${script}`, ...program, { group: ['224.0.0.1', 'ff02::1'] })
      })
      for (const program of programs) await program.json((said) => said.pid)
      const steps = [
        () => a.link('eth0', 'down'),
        () => a.ip('address add 10.77.0.99/24 dev eth0'),
        () => a.link('eth0', 'up'),
        () => a.ip(`address add ${a.addresses6[0]}/64 dev eth0 nodad`),
        () => a.cable('eth0', 'out'),
        () => a.cable('eth0', 'in'),
        () => a.remove('eth0'),
        () => a.add('eth0')
      ]
      const states = [
        ['waiting: down', 'waiting: down'],
        ['waiting: down', 'waiting: down'],
        ['joined', 'waiting: no address yet'],
        ['joined', 'joined'],
        ['waiting: no carrier', 'waiting: no carrier'],
        ['joined', 'joined'],
        undefined,
        ['joined', 'joined']
      ]
      for (const [i, step] of steps.entries()) {
        const before = programs.map((program) => changes(program).length)
        step()
        for (const [n, program] of programs.entries()) {
          const isTold = () => {
            const told = changes(program).slice(before[n])
            return told.length > 0 && isDeepStrictEqual(told.at(-1)?.eth0, states[i])
          }
          await program.json(isTold)
          // Whatever else came of the same change would come within this.
          await new Promise((resolve) => setTimeout(resolve, 200))
          assert.ok(isTold(), `step ${i}`)
        }
      }
      // What the system reports over more than 30 ms, as on a busy computer, is two events.
      for (const program of programs) {
        assert.ok(changes(program).length <= 1.5 * steps.length)
      }
    }
  )

  test(
    'what an object does is told apart from what others do',
    { skip: needs('lab', 'nft') },
    async (t) => {
      const { a } = await hosts(t, { a: [0, 1] })
      const caster = a.run('fixtures/cast.js', 'hello', '50', { interfaces: 'eth1', port: 9001 })
      const other = a.run('fixtures/cast.js', 'hello', '50', { interfaces: 'eth0', port: 9002 })
      for (const program of [caster, other]) await program.json((said) => said.casting)
      a.exec('nft', 'add table inet wall')
      a.exec('nft', 'add chain inet wall out { type filter hook output priority 0 ; }')
      a.exec('nft', 'add rule inet wall out udp dport 9001 drop')
      await caster.json((said) => said.changed)
      const [{ eth1 }] = changes(caster)
      assert.match(eth1[0], /^failing: send EPERM/)
      a.exec('nft', 'delete table inet wall')
      await caster.json(() => changes(caster).length > 1)
      assert.equal(changes(caster)[1].eth1[0], 'joined')
      assert.deepEqual(changes(other), [])
    }
  )

  test('an interface that gets another name is told by it', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js', { group: ['224.0.0.1', 'ff02::1'] })
    await listener.json((said) => said.listening)
    a.run('fixtures/cast.js', 'hello', '50', { group: 'ff02::1' })
    await listener.json((said) => said.message && said.from.interface === 'eth0')
    b.ip('link set eth0 down')
    b.ip('link set eth0 name lan7')
    b.ip(`address add ${b.addresses6[0]}/64 dev lan7 nodad`)
    b.ip('link set lan7 up')
    const { from } = await listener.json((said) => said.message && said.from.interface === 'lan7')
    assert.equal(from.address, `${a.linkLocal}%lan7`)
  })

  test('more news than the kernel keeps is not the end of it', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js', { group: '239.77.7.7' })
    const { pid } = await listener.json((said) => said.pid)
    a.run('fixtures/cast.js', 'hello', '50', { group: '239.77.7.7' })
    await listener.json((said) => said.message)
    process.kill(pid, 'SIGSTOP')
    const index = b.index('eth0')
    // Far more than 212,992 bytes of news, the usual net.core.rmem_default; and then what matters.
    const commands = Array.from({ length: 1000 }, (_, i) => `link set lo mtu ${1500 + i}`)
    b.ip(...commands)
    b.remove('eth0')
    b.add('eth0', index)
    assert.equal(b.index('eth0'), index)
    process.kill(pid, 'SIGCONT')
    await listener.json((said) => said.message, listener.lines.length + 20)
    assert.equal(listener.values().filter((said) => said?.warning).length, 0)
  })

  test('where the system does not tell of changes they are looked for', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    a.run('fixtures/cast.js', 'hello', '50')
    b.remove('eth0')
    const script = join(__dirname, 'fixtures', 'listen.js')
    const listener = b.start('env', preload(t, 'no-rtnetlink.c'), process.execPath, script)
    const warning = await listener.json((said) => said.warning)
    assert.equal(warning.warning, 'EACCES')
    assert.match(warning.hint, /every 5 s/)
    b.add('eth0')
    await listener.json((said) => said.message === 'hello')
    assert.equal(listener.values().filter((said) => said?.warning).length, 1)
  })

  test(
    'where the system stops telling of changes, that is told, and they are looked for',
    { skip },
    async (t) => {
      const { a, b } = await hosts(t, 2)
      a.run('fixtures/cast.js', 'hello', '50')
      const script = join(__dirname, 'fixtures', 'peer.js')
      const command = ['env', preload(t, 'rtnetlink-breaks.c'), process.execPath, script]
      const peer = b.start(...command, 'b', '100', JSON.stringify({ group: '224.0.0.1' }))
      await peer.json((said) => said.message === 'hello')
      assert.equal(peer.values().filter((said) => said?.warning).length, 0)
      b.remove('eth0')
      for (const who of ['listener', 'caster']) {
        const warning = await peer.json((said) => said.warning && said.who === who)
        assert.equal(warning.warning, 'EIO')
        assert.match(warning.hint, /every 5 s/)
      }
      const before = peer.lines.length
      b.add('eth0')
      await peer.json((said) => said.message === 'hello', before)
      assert.equal(peer.values().filter((said) => said?.warning).length, 2)
    }
  )

  test(
    'what the system does not tell is noticed within a minute, by who is awake',
    { skip },
    async (t) => {
      const { a, b } = await hosts(t, 2)
      a.run('fixtures/cast.js', 'hello', '50', { group: 'ff02::1' })
      const clock = clocks(t)
      b.remove('eth0')
      const libraries = preload(t, 'rtnetlink-deaf.c', 'clock.c')
      const script = join(__dirname, 'fixtures', 'listen.js')
      const options = JSON.stringify({ group: 'ff02::1' })
      const command = ['env', libraries, clock.variable, process.execPath, script, options]
      const listener = b.start(...command)
      await listener.json((said) => said.listening)
      b.add('eth0')
      assert.deepEqual(Object.keys(await uses(listener)), ['lo'])
      clock.putMonotonic(61)
      await until(async () => 'eth0' in (await uses(listener)))
      await listener.json((said) => said.message === 'hello')
    }
  )

  test(
    '30 s with 20 interfaces and nothing to do wake nobody',
    { skip: needs('lab', 'strace') },
    async (t) => {
      const lans = Array.from({ length: 20 }, (_, i) => i)
      const { a } = await hosts(t, { a: lans })
      const group = ['224.0.0.1', 'ff02::1']
      const idle = a.run('fixtures/peer.js', 'hourly', '3600000', { group })
      const { pid } = await idle.json((said) => said.pid)
      const [thread] = nativeThreads(pid)
      // What it has sent itself is heard, and the sockets are at rest.
      await idle.json((said) => said.message)
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const trace = a.start('strace', '-p', thread)
      await trace.line(/attached/)
      // To be looked at interrupts a call, which is then made again.
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const before = trace.lines.length
      await new Promise((resolve) => setTimeout(resolve, 30_000))
      assert.deepEqual(trace.lines.slice(before), [])
    }
  )
})
