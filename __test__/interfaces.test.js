'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { hosts, unavailable } = require('./hosts.js')

/** Everything a process has heard of this message. */
const heard = (
  /** @type {import('./process.js').Process} */ process,
  /** @type {string} */ message
) => process.values().filter((value) => value?.message === message)

test(
  'a host on two LANs casts on both, each with the address it has there',
  {
    skip: unavailable
  },
  async (t) => {
    const { left, both, right } = await hosts(t, { left: [0], both: [0, 1], right: [1] })
    const onLeft = left.run('fixtures/listen.js')
    const onRight = right.run('fixtures/listen.js')
    both.run('fixtures/cast.js', 'both')

    const leftHeard = await onLeft.json((said) => said.message === 'both')
    const rightHeard = await onRight.json((said) => said.message === 'both')
    assert.equal(leftHeard.from.address, both.addresses[0])
    assert.equal(rightHeard.from.address, both.addresses[1])
    assert.notEqual(leftHeard.from.port, 9778, 'it is sent from a port of its own')
  }
)

test('from tells the interface it came in on, and the group', { skip: unavailable }, async (t) => {
  const { left, both, right } = await hosts(t, { left: [0], both: [0, 1], right: [1] })
  const listener = both.run('fixtures/listen.js', { group: ['224.0.0.1', '239.1.2.3'] })
  left.run('fixtures/cast.js', 'left')
  right.run('fixtures/cast.js', 'right', '50', { group: '239.1.2.3' })

  const { from: fromLeft } = await listener.json((said) => said.message === 'left')
  const { from: fromRight } = await listener.json((said) => said.message === 'right')
  const { port: leftPort } = fromLeft
  assert.deepEqual(fromLeft, {
    address: left.address,
    family: 'IPv4',
    port: leftPort,
    size: 4,
    interface: 'eth0',
    group: '224.0.0.1'
  })
  assert.equal(fromRight.address, right.address)
  assert.equal(fromRight.interface, 'eth1')
  assert.equal(fromRight.group, '239.1.2.3')
})

test('interfaces chooses where to listen and to cast', { skip: unavailable }, async (t) => {
  const { left, both, right } = await hosts(t, { left: [0], both: [0, 1], right: [1] })
  const onLeft = left.run('fixtures/listen.js')
  const onRight = right.run('fixtures/listen.js')
  const only = {
    name: both.run('fixtures/listen.js', { interfaces: 'eth1' }),
    address: both.run('fixtures/listen.js', { interfaces: both.addresses[1] }),
    network: both.run('fixtures/listen.js', { interfaces: ['10.77.1.0/24'] }),
    exclusion: both.run('fixtures/listen.js', { interfaces: ['!eth0', '!lo'] })
  }
  const slip = both.run('fixtures/listen.js', { interfaces: 'eht1' })
  const slips = both.run('fixtures/cast.js', 'x', '50', { interfaces: 'eht1', to: '127.0.0.1' })
  await slips.json((value) => value.warning === 'NO_INTERFACE')
  const { message: said } = await slip.json((value) => value.warning === 'NO_INTERFACE')
  assert.match(said, /there are: lo, eth0, eth1$/)
  for (const listener of Object.values(only)) await listener.json((said) => said.listening)
  left.run('fixtures/cast.js', 'left')
  right.run('fixtures/cast.js', 'right')
  const caster = both.run('fixtures/cast.js', 'both', '50', { interfaces: '!eth1' })

  // What must not come is given the time in which what must come does: from one cast, several times.
  for (const listener of [...Object.values(only), onRight]) {
    await listener.json((said) => said.message === 'right')
  }
  await onLeft.json((said) => said.message === 'both')
  caster.write('stats')
  const { stats } = await caster.json((said) => said.stats)
  assert.deepEqual(heard(onRight, 'both'), [])
  assert.ok(stats.sent >= 1)
  assert.equal(stats.failed, 0)
  const before = onLeft.lines.length
  await onLeft.json((said) => said.message === 'left', before)
  for (const [how, listener] of Object.entries(only)) {
    assert.deepEqual(heard(listener, 'left'), [], `chosen by ${how}`)
  }
})

test(
  'a group that another program on the host has joined does not reach us until we join',
  {
    skip: unavailable
  },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const other = b.run('fixtures/dgram.js', '9778', `239.9.9.9@${b.address}`)
    await other.json((said) => said.listening)
    const ours = b.run('fixtures/listen.js')
    await ours.json((said) => said.listening)
    a.run('fixtures/cast.js', 'theirs', '50', { group: '239.9.9.9' })
    a.run('fixtures/cast.js', 'ours')

    await other.json((said) => said.message === 'theirs')
    await ours.json((said) => said.message === 'ours')
    const before = other.lines.length
    await other.json((said) => said.message === 'theirs', before)
    assert.deepEqual(heard(ours, 'theirs'), [])
    ours.write('join 239.9.9.9')
    const { from } = await ours.json((said) => said.message === 'theirs')
    assert.equal(from.group, '239.9.9.9')
  }
)

test(
  'unicast to the host is heard as direct, unless that is not wanted or its interface is not in use',
  {
    skip: unavailable
  },
  async (t) => {
    const { a, b } = await hosts(t, { a: [0, 1], b: [0, 1] })
    const listeners = {
      all: b.run('fixtures/listen.js', { port: 9001 }),
      none: b.run('fixtures/listen.js', { port: 9002, direct: false }),
      eth1: b.run('fixtures/listen.js', { port: 9003, interfaces: 'eth1' })
    }
    for (const listener of Object.values(listeners)) await listener.json((said) => said.listening)
    const sender = a.run('fixtures/dgram.js', '9000')
    await sender.json((said) => said.listening)
    for (const port of [9001, 9002, 9003]) {
      for (const address of b.addresses) sender.write(`send to:${address} ${address} ${port}`)
    }
    for (const port of ['9001', '9002', '9003'])
      a.run('fixtures/cast.js', 'end', '50', { port: Number(port) })
    const directs = async (/** @type {keyof typeof listeners} */ name) => {
      await listeners[name].json((said) => said.message === 'end')
      return listeners[name]
        .values()
        .filter((said) => said?.from?.group === null)
        .map((said) => [said.message, said.from.interface])
        .sort()
    }
    const [first, second] = b.addresses
    assert.deepEqual(await directs('all'), [
      [`to:${first}`, 'eth0'],
      [`to:${second}`, 'eth1']
    ])
    assert.deepEqual(await directs('none'), [])
    assert.deepEqual(await directs('eth1'), [[`to:${second}`, 'eth1']])
  }
)

test(
  'loopback: false is heard by others alone, ttl: 0 by this host alone',
  {
    skip: unavailable
  },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const here = a.run('fixtures/listen.js')
    const there = b.run('fixtures/listen.js')
    for (const listener of [here, there]) await listener.json((said) => said.listening)
    a.run('fixtures/cast.js', 'others', '50', { loopback: false })
    a.run('fixtures/cast.js', 'host', '50', { ttl: 0 })
    await there.json((said) => said.message === 'others')
    await here.json((said) => said.message === 'host')
    const [hereBefore, thereBefore] = [here.lines.length, there.lines.length]
    await there.json((said) => said.message === 'others', thereBefore)
    await here.json((said) => said.message === 'host', hereBefore)
    assert.deepEqual(heard(here, 'others'), [])
    assert.deepEqual(heard(there, 'host'), [])
  }
)

test(
  'ttl: 0 stays on this host also where nobody on it has joined the group',
  { skip: unavailable },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const group = ['239.5.5.5', '224.0.0.1', 'ff12::7', 'ff02::1']
    const there = b.run('fixtures/listen.js', { group })
    await there.json((said) => said.listening)
    const host = a.run('fixtures/cast.js', 'host', '20', { group, ttl: 0 })
    a.run('fixtures/cast.js', 'nobody', '20', { group, ttl: 0, loopback: false })
    a.run('fixtures/cast.js', 'link', '20', { group })
    for (const to of group) {
      for (let i = 0; i < 3; i++) {
        await there.json((said) => said.from?.group === to, there.lines.length)
      }
    }
    assert.deepEqual([...new Set(there.values().flatMap((said) => said?.message ?? []))], ['link'])
    const here = a.run('fixtures/listen.js', { group })
    for (const to of group) {
      await here.json((said) => said.message === 'host' && said.from.group === to)
    }
    host.write('stats')
    assert.equal((await host.json((said) => said.stats)).stats.failed, 0)
  }
)

test(
  'source works where two interfaces have the same address',
  { skip: unavailable },
  async (t) => {
    const { a, left, right } = await hosts(t, { a: [0, 1], left: [0], right: [1] })
    a.ip('-4 address flush dev eth1')
    a.ip(`address add ${a.address}/24 dev eth1`)
    right.ip('-4 address flush dev eth0')
    right.ip(`address add ${left.address}/24 dev eth0`)
    const listener = a.run('fixtures/listen.js', { group: '232.1.1.1', source: left.address })
    await listener.json((said) => said.listening)
    left.run('fixtures/cast.js', 'left', '50', { group: '232.1.1.1' })
    right.run('fixtures/cast.js', 'right', '50', { group: '232.1.1.1' })
    await listener.json((said) => said.message === 'left' && said.from.interface === 'eth0')
    await listener.json((said) => said.message === 'right' && said.from.interface === 'eth1')
  }
)

test(
  'with no network but loopback it works on that, and without any it says so',
  {
    skip: unavailable
  },
  async (t) => {
    const { alone } = await hosts(t, { alone: [] })
    const listener = alone.run('fixtures/listen.js')
    alone.run('fixtures/cast.js', 'hello')
    const { from } = await listener.json((said) => said.message === 'hello')
    assert.equal(from.address, '127.0.0.1')
    assert.equal(from.interface, 'lo')

    alone.link('lo', 'down')
    const late = alone.run('fixtures/listen.js')
    const caster = alone.run('fixtures/cast.js', 'nobody')
    await late.json((said) => said.listening)
    await caster.json((said) => said.casting)
    caster.write('stats')
    assert.deepEqual((await caster.json((said) => said.stats)).stats, { sent: 0, failed: 0 })
    for (const program of [late, caster]) {
      const warning = await program.json((said) => said.warning)
      assert.equal(warning.warning, 'NO_INTERFACE')
      assert.match(warning.message, /there are: lo$/)
      assert.match(warning.hint, /options\.interfaces/)
    }
  }
)

test(
  'an interface that goes down is one warning with a hint, and the others go on',
  {
    skip: unavailable
  },
  async (t) => {
    const { a, b } = await hosts(t, { a: [0, 1], b: [0, 1] })
    const listener = b.run('fixtures/listen.js')
    const caster = a.run('fixtures/cast.js', 'hello', '20')
    await listener.json((said) => said.message === 'hello' && said.from.interface === 'eth1')
    a.link('eth1', 'down')
    const warning = await caster.json((said) => said.warning)
    assert.equal(warning.warning, 'ENETUNREACH')
    assert.equal(warning.syscall, 'send')
    assert.equal(warning.interface, 'eth1')
    assert.match(warning.hint, /interface is down/)

    let before = listener.lines.length
    await listener.json((said) => said.from?.interface === 'eth0', before)
    // Heard again once it is back, without a word: and then down again, which is a change of state again.
    a.link('eth1', 'up')
    before = listener.lines.length
    await listener.json((said) => said.from?.interface === 'eth1', before)
    const warned = caster.lines.length
    assert.equal(
      caster.values().filter((said) => said?.warning).length,
      1,
      'once per change of state'
    )
    a.link('eth1', 'down')
    await caster.json((said) => said.warning === 'ENETUNREACH', warned)
  }
)

/** What is said of each interface: `{ eth0: ['joined', 'skipped: down'] }`, IPv4 before IPv6. */
const told = (/** @type {import('..').Interface<string>[]} */ interfaces) =>
  Object.fromEntries(
    interfaces.map(({ name, IPv4, IPv6 }) => [
      name,
      [IPv4, IPv6].map(({ state, reason }) => (reason === null ? state : `${state}: ${reason}`))
    ])
  )

/**
 * Gives a host a point-to-point interface, as a VPN does, and says whether it could.
 *
 * @param {Awaited<ReturnType<typeof hosts>>[string]} host
 */
function withTunnel(host) {
  try {
    host.ip('tuntap add mode tun name tun0')
  } catch {
    return false
  }
  host.ip('address add 10.99.0.1/32 dev tun0')
  host.ip('link set tun0 up')
  return true
}

test('interfaces() tells what is done with each, and why', { skip: unavailable }, async (t) => {
  const { a } = await hosts(t, { a: [0, 1, 2, 3] })
  a.ip('link set eth1 down')
  a.ip('link set eth2 multicast off')
  a.ip('-4 address flush dev eth3')
  const tun = withTunnel(a)
  if (!tun) t.diagnostic('without a point-to-point interface: /dev/net/tun may not be opened')
  const ask = async (/** @type {import('./process.js').Process} */ program) => {
    program.write('interfaces')
    return (await program.json((said) => said.interfaces, program.lines.length)).interfaces
  }
  const group = ['224.0.0.1', 'ff02::1']
  const listener = a.run('fixtures/listen.js', { group, interfaces: '!10.77.3.0/24' })
  await listener.json((said) => said.listening)
  const ofListener = await ask(listener)
  assert.deepEqual(told(ofListener), {
    lo: ['joined', 'skipped: loopback carries no IPv6 multicast'],
    eth0: ['joined', 'joined'],
    eth1: ['skipped: down', 'skipped: down'],
    eth2: ['skipped: not capable of multicast', 'skipped: not capable of multicast'],
    eth3: ['skipped: no address yet', 'joined'],
    ...(tun && { tun0: ['skipped: point-to-point', 'skipped: point-to-point'] })
  })
  const [, eth0] = /** @type {import('..').Interface[]} */ (ofListener)
  assert.ok(eth0.index > 1)
  assert.deepEqual(eth0.addresses, [
    { address: a.address, family: 'IPv4', cidr: `${a.address}/24` },
    { address: a.addresses6[0], family: 'IPv6', cidr: `${a.addresses6[0]}/64` },
    { address: a.linkLocal, family: 'IPv6', cidr: `${a.linkLocal}/64` }
  ])

  const caster = a.run('fixtures/cast.js', 'hello', '50', { interfaces: ['!eth3', '!eth1'] })
  assert.deepEqual(told(await ask(caster)), {
    lo: ['skipped: loopback is sent on only when nothing else is usable', 'skipped: no IPv6 group'],
    eth0: ['joined', 'skipped: no IPv6 group'],
    eth1: ['skipped: excluded by !eth1', 'skipped: no IPv6 group'],
    eth2: ['skipped: not capable of multicast', 'skipped: no IPv6 group'],
    eth3: ['skipped: excluded by !eth3', 'skipped: no IPv6 group'],
    ...(tun && { tun0: ['skipped: point-to-point', 'skipped: no IPv6 group'] })
  })

  // What fails says what the system refuses; what comes later was not there then.
  a.link('eth0', 'down')
  a.link('eth1', 'up')
  a.ip('address add 10.77.0.9/24 dev eth1')
  await caster.json((said) => said.warning === 'ENETUNREACH')
  const later = await ask(caster)
  assert.deepEqual(told(later).eth0[0], 'failing: send ENETUNREACH 224.0.0.1:9778 on eth0')
  assert.equal(later[1].IPv4.error.code, 'ENETUNREACH')
  assert.deepEqual(told(await ask(listener)).eth1, [
    'skipped: not usable when this was opened',
    'skipped: no address yet'
  ])

  const program = a.run('fixtures/interfaces.js', ['eth*', '!eth3'])
  const { interfaces } = await program.json((said) => said.interfaces)
  assert.deepEqual(told(interfaces), {
    lo: ['skipped: not named in interfaces', 'skipped: not named in interfaces'],
    eth0: ['skipped: down', 'skipped: down'],
    eth1: ['usable', 'skipped: no address yet'],
    eth2: ['usable', 'usable'],
    eth3: ['skipped: excluded by !eth3', 'skipped: excluded by !eth3'],
    ...(tun && { tun0: ['skipped: not named in interfaces', 'skipped: not named in interfaces'] })
  })
  assert.equal((await program.end()).code, 0)
})

test(
  'a group that cannot be joined on an interface is failing there',
  { skip: unavailable },
  async (t) => {
    const { a } = await hosts(t, 1)
    // One more than a socket may have (net.ipv4.igmp_max_memberships), with one for loopback each.
    const group = Array.from({ length: 11 }, (_, i) => `239.8.8.${i}`)
    const listener = a.run('fixtures/listen.js', { group })
    const warning = await listener.json((said) => said.warning)
    assert.equal(warning.warning, 'ENOBUFS')
    assert.match(warning.hint, /igmp_max_memberships/)
    listener.write('interfaces')
    const { interfaces } = await listener.json((said) => said.interfaces)
    assert.equal(told(interfaces)[warning.interface][0], `failing: ${warning.message}`)
    listener.write('leave 239.8.8.10')
    listener.write('interfaces')
    const before = listener.lines.length
    const again = await listener.json((said) => said.interfaces, before)
    assert.deepEqual(told(again.interfaces).eth0, ['joined', 'skipped: no IPv6 group'])
  }
)

test(
  'an interface with several addresses is one interface, and the first address its own',
  {
    skip: unavailable
  },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    a.ip('address add 10.77.0.101/24 dev eth0')
    a.ip('address add 10.77.0.102/24 dev eth0 label eth0:1')
    const listener = b.run('fixtures/listen.js')
    await listener.json((said) => said.listening)
    const caster = a.run('fixtures/cast.js', 'once', '1000000000')
    const { from } = await listener.json((said) => said.message === 'once')
    assert.equal(from.address, a.address)
    caster.write('stats')
    const { stats } = await caster.json((said) => said.stats)
    assert.deepEqual(stats, { sent: 1, failed: 0 })
  }
)
