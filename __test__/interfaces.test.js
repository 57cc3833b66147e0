'use strict'

const assert = require('node:assert/strict')
const { join } = require('node:path')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { preload } = require('./preload.js')
const { ask, told } = require('./uses.js')

/** Everything a process has heard of this message. */
const heard = (
  /** @type {import('./process.js').Process} */ process,
  /** @type {string} */ message
) => process.values().filter((value) => value?.message === message)

test(
  'a host on two LANs casts on both, each with the address it has there',
  {
    skip: needs('lab')
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

test('from tells the interface it came in on, and the group', { skip: needs('lab') }, async (t) => {
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

test('interfaces chooses where to listen and to cast', { skip: needs('lab') }, async (t) => {
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
    skip: needs('lab')
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
    skip: needs('lab')
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
    skip: needs('lab')
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
  { skip: needs('lab') },
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
  { skip: needs('lab') },
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
  'with no network but loopback it works on that, and without any it waits',
  {
    skip: needs('lab')
  },
  async (t) => {
    const { alone } = await hosts(t, { alone: [] })
    const listener = alone.run('fixtures/listen.js')
    const hello = alone.run('fixtures/cast.js', 'hello')
    // Perhaps it has only just been started, and the network comes at any moment.
    assert.match(told(await ask(hello)).lo[0], /^waiting: loopback is sent on once/)
    const { from } = await listener.json((said) => said.message === 'hello')
    assert.equal(from.address, '127.0.0.1')
    assert.equal(from.interface, 'lo')

    await hello.json((said) => said.changed && told(said.interfaces).lo[0] === 'joined')
    alone.link('lo', 'down')
    const late = alone.run('fixtures/listen.js')
    const caster = alone.run('fixtures/cast.js', 'late')
    await late.json((said) => said.listening)
    await caster.json((said) => said.casting)
    caster.write('stats')
    assert.deepEqual((await caster.json((said) => said.stats)).stats, { sent: 0, failed: 0 })
    alone.link('lo', 'up')
    await late.json((said) => said.message === 'late')
    for (const program of [late, caster]) {
      assert.equal(program.values().filter((said) => said?.warning).length, 0)
    }
  }
)

test(
  'an interface that goes down and comes back is no fault, and the others go on',
  {
    skip: needs('lab')
  },
  async (t) => {
    const { a, b } = await hosts(t, { a: [0, 1], b: [0, 1] })
    const listener = b.run('fixtures/listen.js')
    const caster = a.run('fixtures/cast.js', 'hello', '20')
    await listener.json((said) => said.message === 'hello' && said.from.interface === 'eth1')
    a.link('eth1', 'down')
    let before = listener.lines.length
    await listener.json((said) => said.from?.interface === 'eth0', before)
    // Heard again once it is back, without a word: and then down again, which is a change of state again.
    a.link('eth1', 'up')
    before = listener.lines.length
    await listener.json((said) => said.from?.interface === 'eth1', before)
    for (const program of [listener, caster]) {
      assert.equal(program.values().filter((said) => said?.warning).length, 0)
    }
  }
)

test(
  'interfaces() tells what is done with each, and why',
  { skip: needs('lab', 'tunnel') },
  async (t) => {
    const { a } = await hosts(t, { a: [0, 1, 2, 3] })
    a.ip('link set eth1 down')
    a.ip('link set eth2 multicast off')
    a.ip('-4 address flush dev eth3')
    a.addTunnel()
    const group = ['224.0.0.1', 'ff02::1']
    const listener = a.run('fixtures/listen.js', { group, interfaces: '!10.77.3.0/24' })
    await listener.json((said) => said.listening)
    const ofListener = await ask(listener)
    assert.deepEqual(told(ofListener), {
      lo: ['joined', 'skipped: loopback carries no IPv6 multicast'],
      eth0: ['joined', 'joined'],
      eth1: ['waiting: down', 'waiting: down'],
      eth2: ['skipped: not capable of multicast', 'skipped: not capable of multicast'],
      eth3: ['waiting: no address yet', 'joined'],
      tun0: ['skipped: point-to-point', 'skipped: point-to-point']
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
      lo: [
        'skipped: loopback is sent on only while nothing else is usable',
        'skipped: no IPv6 group'
      ],
      eth0: ['joined', 'skipped: no IPv6 group'],
      eth1: ['skipped: excluded by !eth1', 'skipped: no IPv6 group'],
      eth2: ['skipped: not capable of multicast', 'skipped: no IPv6 group'],
      eth3: ['skipped: excluded by !eth3', 'skipped: no IPv6 group'],
      tun0: ['skipped: point-to-point', 'skipped: no IPv6 group']
    })

    assert.match(ofListener.at(-1).IPv4.hint, /VPN/)

    // What is named is used all the same, and may be in vain.
    a.cable('eth1', 'out')
    a.link('eth1', 'up')
    const named = a.run('fixtures/listen.js', { interfaces: ['eth1', 'tun*'] })
    const inVain = told(await ask(named))
    assert.equal(inVain.eth1[0], 'joined: no carrier')
    assert.match(inVain.tun0[0], /^joined: (no carrier|point-to-point)$/)
    a.link('eth1', 'down')
    a.cable('eth1', 'in')

    // What has just changed is known to whoever asks.
    a.link('eth0', 'down')
    a.link('eth1', 'up')
    assert.deepEqual(told(await ask(caster)).eth0[0], 'waiting: down')
    assert.deepEqual(told(await ask(listener)).eth1, ['joined', 'waiting: no address yet'])

    const program = a.run('fixtures/interfaces.js', ['eth*', '!eth3'])
    const { interfaces } = await program.json((said) => said.interfaces)
    assert.deepEqual(told(interfaces), {
      lo: ['skipped: not named in interfaces', 'skipped: not named in interfaces'],
      eth0: ['skipped: down', 'skipped: down'],
      eth1: ['usable', 'skipped: no address yet'],
      eth2: ['usable', 'usable'],
      eth3: ['skipped: excluded by !eth3', 'skipped: excluded by !eth3'],
      tun0: ['skipped: not named in interfaces', 'skipped: not named in interfaces']
    })
    assert.equal((await program.end()).code, 0)
  }
)

test(
  'a group that cannot be joined on an interface is failing there, and is joined once it can be',
  { skip: needs('lab') },
  async (t) => {
    const { a } = await hosts(t, 1)
    a.exec('sh', '-c', 'echo 0 > /proc/sys/net/ipv4/igmp_max_memberships')
    const listener = a.run('fixtures/listen.js', { group: ['239.8.8.1', '239.8.8.2'] })
    const warning = await listener.json((said) => said.warning && said.interface === 'eth0')
    assert.equal(warning.warning, 'ENOBUFS')
    assert.match(warning.hint, /igmp_max_memberships/)
    listener.write('interfaces')
    const { interfaces } = await listener.json((said) => said.interfaces)
    assert.equal(told(interfaces).eth0[0], `failing: ${warning.message}`)
    assert.equal(interfaces[1].IPv4.error.code, 'ENOBUFS')
    assert.equal(interfaces[1].IPv4.hint, warning.hint)

    const before = listener.lines.length
    a.exec('sh', '-c', 'echo 20 > /proc/sys/net/ipv4/igmp_max_memberships')
    const joined = await listener.json((said) => said.changed, before)
    assert.deepEqual(told(joined.interfaces).eth0, ['joined', 'skipped: no IPv6 group'])
    assert.equal(
      listener.values().filter((said) => said?.warning).length,
      2,
      'one for each interface, however often it was tried'
    )
  }
)

test(
  'an interface with several addresses is one interface, and the first address its own',
  {
    skip: needs('lab')
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

test(
  'a socket that cannot be opened is a warning, and is tried again before the cast is due',
  { skip: needs('lab') },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js')
    await listener.json((said) => said.listening)
    const script = join(__dirname, 'fixtures', 'cast.js')
    const command = ['env', preload(t, 'bind-fails.c'), process.execPath, script]
    const caster = a.start(...command, 'hourly', '3600000')
    const warning = await caster.json((said) => said.warning)
    assert.equal(warning.warning, 'EADDRNOTAVAIL')
    assert.equal(warning.syscall, 'bind')
    assert.equal(warning.interface, 'eth0')
    assert.equal(told(await ask(caster)).eth0[0], `failing: ${warning.message}`)
    await listener.json((said) => said.message === 'hourly')
    await caster.json((said) => said.changed && told(said.interfaces).eth0[0] === 'joined')
    caster.write('stats')
    const { stats } = await caster.json((said) => said.stats)
    assert.deepEqual(stats, { sent: 1, failed: 3 })
    assert.equal(caster.values().filter((said) => said?.warning).length, 1)
  }
)

test('patterns choose interfaces, each for its family', { skip: needs('lab') }, async (t) => {
  const { a } = await hosts(t, { a: [0, 1] })
  const [v4, v6] = [a.addresses, a.addresses6]
  const neither = ['', '']
  /** @type {[string | string[], Record<string, string[]>][]} pattern, and the families that are used */
  const cases = [
    [[], { lo: ['4', ''], eth0: ['4', '6'], eth1: ['4', '6'] }],
    ['eth*', { lo: neither, eth0: ['4', '6'], eth1: ['4', '6'] }],
    ['*1', { lo: neither, eth0: neither, eth1: ['4', '6'] }],
    ['!eth*', { lo: ['4', ''], eth0: neither, eth1: neither }],
    [['*', '!lo', '!*1'], { lo: neither, eth0: ['4', '6'], eth1: neither }],
    [v4[1], { lo: neither, eth0: neither, eth1: ['4', ''] }],
    [v6[1], { lo: neither, eth0: neither, eth1: ['', '6'] }],
    [a.linkLocal, { lo: neither, eth0: ['', '6'], eth1: ['', '6'] }],
    ['10.77.0.0/16', { lo: neither, eth0: ['4', ''], eth1: ['4', ''] }],
    ['10.77.1.0/24', { lo: neither, eth0: neither, eth1: ['4', ''] }],
    ['fd77:1::/32', { lo: neither, eth0: ['', '6'], eth1: neither }],
    ['fd77::/16', { lo: neither, eth0: ['', '6'], eth1: ['', '6'] }],
    [[v4[0], 'fd77:2::/32'], { lo: neither, eth0: ['4', ''], eth1: ['', '6'] }],
    [[`!${v6[0]}`], { lo: ['4', ''], eth0: neither, eth1: ['4', '6'] }],
    [['eth0', '!fd77::/16'], { lo: neither, eth0: neither, eth1: neither }],
    [['!10.77.0.0/24', '!127.0.0.0/8'], { lo: neither, eth0: neither, eth1: ['4', '6'] }],
    ['eth2', { lo: neither, eth0: neither, eth1: neither }]
  ]
  const group = ['224.0.0.1', 'ff02::1']
  for (const [pattern, expected] of cases) {
    const program = a.run('fixtures/interfaces.js', [pattern].flat())
    const listener = a.run('fixtures/listen.js', { interfaces: pattern, group })
    const used = (
      /** @type {import('..').Interface<string>[]} */ list,
      /** @type {string} */ state
    ) =>
      Object.fromEntries(
        list.map(({ name, IPv4, IPv6 }) => [
          name,
          [IPv4.state === state ? '4' : '', IPv6.state === state ? '6' : '']
        ])
      )
    const { interfaces } = await program.json((said) => said.interfaces)
    assert.deepEqual(used(interfaces, 'usable'), expected, `${pattern}`)
    assert.deepEqual(used(await ask(listener), 'joined'), expected, `${pattern}`)
    await listener.kill()
  }
})
