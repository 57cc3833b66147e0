'use strict'

// The network changes under programs that run. After each change they hear each other again, have thrown
// nothing, and have sent nothing with an address that is not of the interface it left by.

const assert = require('node:assert/strict')
const { describe, test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { until } = require('./process.js')

/**
 * @typedef {Awaited<ReturnType<typeof hosts>>[string]} Host
 * @typedef {import('./process.js').Process} Process
 */

const skip = needs('lab', 'tcpdump')
const FAMILIES = ['IPv4', 'IPv6']

/**
 * Runs a peer on each of some hosts, and watches what they send.
 *
 * @param {Host[]} some
 * @param {object} [options] of `listen` and `cast`
 */
async function peersOn(some, options = {}) {
  const watched = await Promise.all(some.map(watch))
  const peers = some.map((host) => ({
    host,
    program: host.run('fixtures/peer.js', host.name, '100', options)
  }))
  for (const { program } of peers) await program.json((said) => said.pid)
  return {
    programs: peers.map(({ program }) => program),
    /**
     * Waits until each has heard each other again, in some families, and says how long that took.
     *
     * @param {import('node:test').TestContext} t
     * @param {string} cure what has been done about it just now
     * @param {string[]} [families]
     */
    async hearEachOther(t, cure, families = FAMILIES) {
      const start = performance.now()
      const pairs = peers.flatMap((to) =>
        peers
          .filter((from) => from !== to)
          .flatMap((from) => families.map((family) => ({ from, to, family })))
      )
      const before = new Map(peers.map(({ program }) => [program, program.lines.length]))
      const took = pairs.map(async ({ from, to, family }) => {
        await to.program.json(
          (said) => said.message === from.host.name && said.from.family === family,
          before.get(to.program)
        )
        return { family, ms: Math.round(performance.now() - start) }
      })
      const heard = await Promise.all(took)
      const slowest = families.map(
        (family) =>
          `${family} ${Math.max(...heard.filter((one) => one.family === family).map(({ ms }) => ms))} ms`
      )
      t.diagnostic(`${cure}: heard again after ${slowest.join(', ')}`)
    },
    /** Waits until nobody has heard anybody else for as long as several casts take. */
    async fallSilent() {
      const heard = () =>
        peers.flatMap(({ host, program }) =>
          program.values().filter((said) => said?.message && said.message !== host.name)
        ).length
      await until(async () => {
        const before = heard()
        await new Promise((resolve) => setTimeout(resolve, 300))
        return heard() === before
      })
    },
    /** Checks what must be so whatever has happened. */
    async assertHonest() {
      for (const { host, program } of peers) {
        assert.equal(program.child.exitCode, null, `the peer on ${host.name} runs`)
        const wrong = program.lines.filter((line) => !line.startsWith('{'))
        assert.deepEqual(wrong, [], `nothing was thrown on ${host.name}`)
      }
      for (const capture of watched) await capture.assertOwnAddresses()
    }
  }
}

/**
 * Captures what a host sends to the port.
 *
 * @param {Host} host
 */
async function watch(host) {
  const filter = 'udp and dst port 9778'.split(' ')
  const capture = host.start(
    'tcpdump',
    '-n',
    '-l',
    '--immediate-mode',
    '-i',
    'any',
    '-Q',
    'out',
    ...filter
  )
  await capture.line(/^listening on any/)
  return {
    /** Each datagram: the interface it left by, and its source address. */
    sent: () =>
      capture.lines.flatMap((line) => {
        const [, name, address] = line.match(/ (\w+) +Out IP6? (\S+)\.\d+ > /) ?? []
        return name === undefined ? [] : [{ name, address }]
      }),
    async assertOwnAddresses() {
      const wrong = this.sent().filter(({ name, address }) => !isOf(host, name, address))
      assert.deepEqual(wrong, [], `sent by ${host.name} with a wrong address`)
      assert.ok(this.sent().length > 0, 'something was captured')
    }
  }
}

/**
 * Whether an address is, or was meant to be, of an interface of a host: the LANs have networks of their own.
 *
 * @param {Host} host
 * @param {string} name
 * @param {string} address
 */
function isOf(host, name, address) {
  if (name === 'lo') return address === '127.0.0.1'
  const i = Number(name.slice(3))
  const network = (/** @type {string} */ text) => text.split(/[.:]/).slice(0, 3).join()
  return (
    network(address) === network(host.addresses[i]) ||
    network(address) === network(host.addresses6[i]) ||
    address.startsWith('fe80::')
  )
}

/** Makes an interface able to have a link-local address of its own again, after it has been down. */
const withLinkLocal = (/** @type {Host} */ host, /** @type {string} */ name) =>
  host.ip(`link set ${name} addrgenmode eui64`)

// Most of what these do is wait.
describe('following the network', { concurrency: 4 }, () => {
  test('a link that goes down and up', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    withLinkLocal(a, 'eth0')
    const peers = await peersOn([a, b])
    await peers.hearEachOther(t, 'start')
    a.link('eth0', 'down')
    await peers.programs[0].json((said) => said.changed)
    await peers.fallSilent()
    a.link('eth0', 'up')
    await peers.hearEachOther(t, 'up')
    await peers.assertHonest()
  })

  test('a carrier that is lost and comes back', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const peers = await peersOn([a, b])
    await peers.hearEachOther(t, 'start')
    a.cable('eth0', 'out')
    const { interfaces } = await peers.programs[0].json((said) => said.changed)
    assert.equal(interfaces[1].IPv4.state, 'waiting')
    assert.equal(interfaces[1].IPv4.reason, 'no carrier')
    assert.match(interfaces[1].IPv4.hint, /cable/)
    await peers.fallSilent()
    a.cable('eth0', 'in')
    await peers.hearEachOther(t, 'carrier')
    await peers.assertHonest()
  })

  test('an address that is added, removed and changed', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const peers = await peersOn([a, b])
    const [, onB] = peers.programs
    await peers.hearEachOther(t, 'start')
    const heardFrom = async (/** @type {string} */ address) =>
      onB.json((said) => said.message === 'a' && said.from.address === address, onB.lines.length)

    a.ip(`address del ${a.address}/24 dev eth0`)
    await heardFrom(`${a.linkLocal}%eth0`)
    a.ip('address add 10.77.0.51/24 dev eth0')
    await peers.hearEachOther(t, 'address added')
    // As with a new lease.
    a.ip('address del 10.77.0.51/24 dev eth0', 'address add 10.77.0.52/24 dev eth0')
    await heardFrom('10.77.0.52')
    await peers.hearEachOther(t, 'address changed')
    await peers.assertHonest()
  })

  test('an interface that is deleted, and made again under the same name', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const peers = await peersOn([a, b])
    await peers.hearEachOther(t, 'start')
    a.remove('eth0')
    const { interfaces } = await peers.programs[0].json((said) => said.changed)
    assert.deepEqual(
      interfaces.map((/** @type {{ name: string }} */ { name }) => name),
      ['lo']
    )
    await peers.fallSilent()
    a.add('eth0')
    await peers.hearEachOther(t, 'made again')
    await peers.assertHonest()
  })

  test(
    'an interface that is made again with the same index, before anybody looks',
    { skip },
    async (t) => {
      const { a, b } = await hosts(t, 2)
      const peers = await peersOn([a, b])
      await peers.hearEachOther(t, 'start')
      const index = a.index('eth0')
      // First the other, so that nothing of it waits in the socket; it goes on first, too.
      const pids = await Promise.all(
        peers.programs
          .toReversed()
          .map(async (program) => (await program.json((said) => said.pid)).pid)
      )
      for (const pid of pids) {
        process.kill(pid, 'SIGSTOP')
        await peers.fallSilent()
      }
      a.remove('eth0')
      a.add('eth0', index)
      assert.equal(a.index('eth0'), index)
      for (const pid of pids) process.kill(pid, 'SIGCONT')
      await peers.hearEachOther(t, 'made again')
      await peers.assertHonest()
    }
  )

  test('a host on two bridges: one is lost, and the other goes on', { skip }, async (t) => {
    const { left, both, right } = await hosts(t, { left: [0], both: [0, 1], right: [1] })
    const onLeft = await peersOn([left, both])
    const onRight = right.run('fixtures/peer.js', 'right')
    await onLeft.hearEachOther(t, 'start')
    await onRight.json((said) => said.message === 'both')
    both.remove('eth0')
    await onLeft.programs[1].json((said) => said.changed)
    const before = onRight.lines.length
    await onRight.json((said) => said.message === 'both', before)
    both.add('eth0')
    await onLeft.hearEachOther(t, 'made again')
    await onLeft.assertHonest()
  })

  test('two interfaces on one LAN', { skip }, async (t) => {
    const { a, b } = await hosts(t, { a: [0, 0], b: [0] })
    const peers = await peersOn([a, b])
    const [, onB] = peers.programs
    await peers.hearEachOther(t, 'start')
    for (const address of a.addresses) {
      await onB.json((said) => said.message === 'a' && said.from.address === address)
    }
    a.link('eth0', 'down')
    const before = onB.lines.length
    await onB.json((said) => said.message === 'a' && said.from.address === a.addresses[1], before)
    a.link('eth0', 'up')
    await onB.json(
      (said) => said.message === 'a' && said.from.address === a.address,
      onB.lines.length
    )
    await peers.hearEachOther(t, 'up')
    await peers.assertHonest()
  })

  test('no network at all when they start', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    a.remove('eth0')
    const peers = await peersOn([a, b])
    const [onA] = peers.programs
    // Nothing else has been usable for a while: those on the same computer hear it.
    const { from } = await onA.json((said) => said.message === 'a' && said.from.interface === 'lo')
    assert.equal(from.address, '127.0.0.1')
    a.add('eth0')
    await peers.hearEachOther(t, 'an interface')
    const { interfaces } =
      (onA.write('interfaces'), await onA.json((said) => said.interfaces?.caster))
    assert.equal(
      interfaces.caster[0].IPv4.reason,
      'loopback is sent on only while nothing else is usable'
    )
    await peers.assertHonest()
  })

  test('a cast sends at once where it has not been able to', { skip }, async (t) => {
    const { a, b } = await hosts(t, { a: [0, 1], b: [0, 1] })
    a.link('eth0', 'down')
    a.remove('eth1')
    const listener = b.run('fixtures/listen.js', { group: ['224.0.0.1', 'ff02::1'] })
    await listener.json((said) => said.listening)
    const caster = a.run('fixtures/cast.js', 'hourly', '3600000', {
      group: ['224.0.0.1', 'ff02::1']
    })
    await caster.json((said) => said.casting)
    a.link('eth0', 'up')
    a.add('eth1')
    a.ip(`address add ${a.linkLocal}/64 dev eth0`)
    for (const name of ['eth0', 'eth1']) {
      for (const family of FAMILIES) {
        await listener.json(({ from }) => from?.interface === name && from.family === family)
      }
    }
    a.ip(`address del ${a.address}/24 dev eth0`, 'address add 10.77.0.77/24 dev eth0')
    await listener.json(({ from }) => from?.address === '10.77.0.77')
    caster.write('stats')
    const { stats } = await caster.json((said) => said.stats)
    assert.deepEqual(stats, { sent: 5, failed: 0 }, 'each of these, and nothing else')
  })

  test('no default route', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    for (const host of [a, b]) host.ip('route del default')
    const peers = await peersOn([a, b])
    await peers.hearEachOther(t, 'start')
    await peers.assertHonest()
  })

  test('IPv6 alone, and the IPv4 address later', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    for (const host of [a, b]) host.ip('-4 address flush dev eth0')
    const peers = await peersOn([a, b])
    await peers.hearEachOther(t, 'start', ['IPv6'])
    for (const host of [a, b]) host.ip(`address add ${host.address}/24 dev eth0`)
    await peers.hearEachOther(t, 'addresses')
    await peers.assertHonest()
  })

  test('a link-local address that is looked for duplicates of first', { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    for (const host of [a, b]) {
      host.ip('-6 address flush dev eth0')
      host.link('eth0', 'down')
      withLinkLocal(host, 'eth0')
    }
    const peers = await peersOn([a, b])
    for (const host of [a, b]) host.link('eth0', 'up')
    await peers.hearEachOther(t, 'up')
    await peers.assertHonest()
    for (const program of peers.programs) {
      assert.equal(program.values().filter((said) => said?.warning).length, 0)
    }
  })

  test('25 interfaces, each group on each of them heard once', { skip }, async (t) => {
    const lans = Array.from({ length: 25 }, (_, i) => i)
    const { a, b } = await hosts(t, { a: lans, b: lans })
    const group = ['239.77.7.7', '239.77.7.8']
    const peers = await peersOn([a, b], { group })
    const [onA, onB] = peers.programs
    const heardOn = (/** @type {string} */ wanted) =>
      new Set(
        onB
          .values()
          .filter((said) => said?.message === 'a' && said.from.group === wanted)
          .map((said) => said.from.interface)
      )
    await until(() => group.every((one) => heardOn(one).size === lans.length))
    for (const program of [onA, onB]) {
      assert.equal(program.values().filter((said) => said?.warning).length, 0)
    }
    // From one tick of the cast, each is heard once; and so is a broadcast, though it comes to every socket.
    const before = onB.lines.length
    const caster = a.run('fixtures/cast.js', 'once', '1000000', {
      group: '239.77.7.8',
      broadcast: true
    })
    await caster.json((said) => said.casting)
    a.run('fixtures/cast.js', 'end', '100', { group: '239.77.7.8' })
    for (const lan of lans) {
      await onB.json(
        (said) => said.message === 'end' && said.from.interface === `eth${lan}`,
        before
      )
    }
    const once = onB.values().filter((said) => said?.message === 'once')
    const ways = once.map(({ from }) => `${from.interface} ${from.group}`)
    assert.deepEqual(ways.toSorted(), [...new Set(ways)].toSorted())
    assert.equal(ways.length, 2 * lans.length)
    await peers.assertHonest()
  })

  test(
    'a firewall that refuses, and is opened',
    { skip: needs('lab', 'nft', 'tcpdump') },
    async (t) => {
      const { a, b } = await hosts(t, 2)
      const peers = await peersOn([a, b])
      const [onA, onB] = peers.programs
      await peers.hearEachOther(t, 'start')
      a.exec('nft', 'add table inet wall')
      a.exec('nft', 'add chain inet wall out { type filter hook output priority 0 ; }')
      a.exec('nft', 'add rule inet wall out udp dport 9778 drop')
      const refused = await onA.json((said) => said.warning)
      assert.equal(refused.warning, 'EPERM')
      assert.equal(refused.interface, 'eth0')
      assert.match(refused.hint, /firewall/)
      const failing = await onA.json((said) => said.changed === 'caster')
      assert.equal(failing.interfaces[1].IPv4.state, 'failing')
      // What it hears, it goes on hearing.
      await onA.json((said) => said.message === 'b', onA.lines.length)
      const before = onA.lines.length
      a.exec('nft', 'delete table inet wall')
      await peers.hearEachOther(t, 'opened')
      await onA.json((said) => said.changed && said.interfaces[1].IPv4.state === 'joined', before)
      const warnings = onA.values().filter((said) => said?.warning)
      assert.equal(warnings.length, 2, 'one for each family, however many sends were refused')
      assert.equal(onB.values().filter((said) => said?.warning).length, 0)
      await peers.assertHonest()
    }
  )
})
