'use strict'

const assert = require('node:assert/strict')
const { join } = require('node:path')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { preload } = require('./preload.js')
const { until } = require('./process.js')
const { uses } = require('./uses.js')

const BOTH = ['224.0.0.1', 'ff02::1']
const skip = needs('lab')

test('a link-local sender is heard with its scope, and answered by it', { skip }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const onA = a.run('fixtures/listen.js', { group: 'ff02::1' })
  const onB = b.run('fixtures/listen.js', { group: 'ff02::1' })
  assert.deepEqual((await onA.json((said) => said.listening)).listening, {
    address: '::',
    family: 'IPv6',
    port: 9778
  })
  a.run('fixtures/cast.js', 'question', '50', { group: 'ff02::1', interfaces: 'eth0' })

  const { from } = await onB.json((said) => said.message === 'question')
  assert.deepEqual(from, {
    address: `${a.linkLocal}%eth0`,
    family: 'IPv6',
    port: from.port,
    size: 8,
    interface: 'eth0',
    group: 'ff02::1'
  })
  const loopback = { interfaces: '127.0.0.1', group: '239.7.7.7' }
  for (const to of [from.address, `[${from.address}]:9778`]) {
    b.run('fixtures/cast.js', `answer to ${to}`, '50', { ...loopback, to })
    const { from: answer } = await onA.json((said) => said.message === `answer to ${to}`)
    assert.equal(answer.address, `${b.linkLocal}%eth0`)
    assert.equal(answer.interface, 'eth0')
    assert.equal(answer.group, null)
  }
})

test(
  'a link-local destination is on the interface it names, also when that comes back as another',
  { skip },
  async (t) => {
    const { a, left, right } = await hosts(t, { a: [0, 1], left: [0], right: [1] })
    const onLeft = left.run('fixtures/listen.js', { group: 'ff02::1' })
    const onRight = right.run('fixtures/listen.js', { group: 'ff02::1' })
    for (const listener of [onLeft, onRight]) await listener.json((said) => said.listening)
    // The same address on both LANs.
    for (const host of [left, right]) host.ip('address add fe80::7/64 dev eth0 nodad')
    const options = { interfaces: '127.0.0.1', to: 'fe80::7%eth1' }
    const caster = a.run('fixtures/cast.js', 'right', '50', options)
    await onRight.json((said) => said.message === 'right')

    a.ip('link set eth1 down')
    a.ip('link set eth1 name gone')
    const warning = await caster.json((said) => said.warning)
    assert.equal(warning.warning, 'ENODEV')
    assert.equal(warning.interface, 'eth1')
    a.ip('link set eth0 down')
    a.ip('link set eth0 name eth1')
    a.ip('link set eth1 up')
    a.ip('address add fe80::1/64 dev eth1 nodad')
    await onLeft.json((said) => said.message === 'right')
  }
)

test('hosts with IPv6 alone hear each other, with groups of both families', { skip }, async (t) => {
  const { a, b } = await hosts(t, 2)
  for (const host of [a, b]) host.ip('-4 address flush dev eth0')
  const listener = b.run('fixtures/listen.js', { group: BOTH })
  const { listening } = await listener.json((said) => said.listening)
  assert.deepEqual(listening, { address: '0.0.0.0', family: 'IPv4', port: 9778 })
  const caster = a.run('fixtures/cast.js', 'hello', '50', { group: BOTH })
  const { from } = await listener.json((said) => said.message === 'hello')
  assert.equal(from.address, `${a.linkLocal}%eth0`)
  assert.deepEqual(await uses(listener), {
    lo: ['joined', 'skipped: loopback carries no IPv6 multicast'],
    eth0: ['waiting: no address yet', 'joined']
  })
  assert.deepEqual((await uses(caster)).eth0, ['waiting: no address yet', 'joined'])
  for (const program of [listener, caster]) {
    assert.deepEqual(
      program.values().filter((said) => said?.warning),
      []
    )
  }
})

test('the same groups on three interfaces, over both families', { skip }, async (t) => {
  const plan = { hub: [0, 1, 2], a: [0], b: [1], c: [2] }
  const { hub, ...others } = await hosts(t, plan)
  const listener = hub.run('fixtures/listen.js', { group: BOTH })
  await listener.json((said) => said.listening)
  const heard = Object.values(others).map((host) => host.run('fixtures/listen.js', { group: BOTH }))
  for (const program of heard) await program.json((said) => said.listening)
  hub.run('fixtures/cast.js', 'hub', '50', { group: BOTH })
  for (const [name, host] of Object.entries(others)) {
    host.run('fixtures/cast.js', name, '50', { group: BOTH })
  }

  for (const [i, host] of Object.values(others).entries()) {
    const addresses = { IPv4: host.addresses[0], IPv6: `${host.linkLocal}%eth${i}` }
    for (const [family, address] of Object.entries(addresses)) {
      const group = family === 'IPv4' ? BOTH[0] : BOTH[1]
      const { from } = await listener.json(
        (said) => said.message === host.name && said.from.family === family
      )
      assert.deepEqual(
        { address: from.address, interface: from.interface, group: from.group },
        { address, interface: `eth${i}`, group }
      )
      const back = await heard[i].json(
        (said) => said.message === 'hub' && said.from.family === family
      )
      const expected = { IPv4: hub.addresses[i], IPv6: `${hub.linkLocal}%eth0` }
      assert.equal(back.from.address, Object(expected)[family])
    }
  }
})

test(
  'a wider group is sent to from a wider address, and interfaces can name it',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const group = ['ff02::7', 'ff05::7']
    const listener = b.run('fixtures/listen.js', { group })
    await listener.json((said) => said.listening)
    a.run('fixtures/cast.js', 'auto', '50', { group })
    a.run('fixtures/cast.js', 'named', '50', { group, interfaces: a.addresses6[0] })
    for (const [message, to, address] of [
      ['auto', group[0], `${a.linkLocal}%eth0`],
      ['auto', group[1], a.addresses6[0]],
      ['named', group[0], a.addresses6[0]],
      ['named', group[1], a.addresses6[0]]
    ]) {
      const { from } = await listener.json(
        (said) => said.message === message && said.from.group === to
      )
      assert.equal(from.address, address, `${message} to ${to}`)
    }
  }
)

test(
  'self: false knows its own IPv6 datagram that comes back by another interface',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, { a: [0, 0], b: [0] })
    a.ip('-4 address flush dev eth1')
    a.ip('-6 address flush dev eth1')
    a.ip('address add fe80::101/64 dev eth1 nodad')
    const both = a.run('fixtures/both.js', 'ours', { group: 'ff02::1', self: false }, 'ff02::1')
    const other = a.run('fixtures/listen.js', { group: 'ff02::1' })
    await other.json((said) => said.message === 'ours' && said.from.interface === 'eth1')
    const sent = await other.json(
      (said) => said.message === 'ours' && said.from.address === `${a.linkLocal}%eth1`
    )
    assert.ok(sent, 'what went out by eth0 came in on eth1')
    b.run('fixtures/cast.js', 'theirs', '50', { group: 'ff02::1' })
    await both.json((said) => said.message === 'theirs')
    const before = both.lines.length
    await both.json((said) => said.message === 'theirs', before)
    assert.deepEqual(
      both.values().filter((said) => said?.message === 'ours'),
      []
    )
  }
)

test(
  'an address that is still looked for duplicates of is waited for, then used',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js', { group: 'ff02::1' })
    await listener.json((said) => said.listening)
    a.ip('-6 address flush dev eth0')
    a.ip('address add fe80::99/64 dev eth0')
    const caster = a.run('fixtures/cast.js', 'new', '50', { group: 'ff02::1' })
    assert.deepEqual((await uses(caster)).eth0, [
      'skipped: no IPv4 group',
      'waiting: no address yet'
    ])
    const { from } = await listener.json((said) => said.message === 'new')
    assert.equal(from.address, 'fe80::99%eth0')
    assert.equal(caster.values().filter((said) => said?.warning).length, 0)
  }
)

test(
  'an address that another host has is not sent from while there is a better one',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    b.ip('address add fd77:1::50/64 dev eth0 nodad')
    a.ip('address add fd77:1::50/64 dev eth0')
    await until(() => a.ip('-6 address show dev eth0').includes('dadfailed'))
    const listener = b.run('fixtures/listen.js', { group: 'ff05::7' })
    await listener.json((said) => said.listening)
    const caster = a.run('fixtures/cast.js', 'good', '50', { group: 'ff05::7' })
    const { from } = await listener.json((said) => said.message === 'good')
    assert.equal(from.address, a.addresses6[0])
    assert.equal(caster.values().filter((said) => said?.warning).length, 0)
  }
)

test('one port is bound in both families, or in none', { skip }, async (t) => {
  const { a } = await hosts(t, { a: [0] })
  const taken = a.run('fixtures/unshared.js', '9778', '::')
  await taken.line(/^bound$/)
  const refused = a.run('fixtures/listen.js', { group: BOTH })
  await refused.line(/Error: bind EADDRINUSE :::9778/)
  // What was bound before is given back.
  const over4 = a.run('fixtures/listen.js')
  await over4.json((said) => said.listening)
  const free = a.run('fixtures/listen.js', { group: BOTH, port: 0 })
  const { port } = (await free.json((said) => said.listening)).listening
  const direct = { interfaces: 'eth0', group: '239.7.7.7', port, to: ['127.0.0.1', '::1'] }
  a.run('fixtures/cast.js', 'direct', '50', direct)
  for (const family of ['IPv4', 'IPv6']) {
    const { from } = await free.json(
      (said) => said.message === 'direct' && said.from.family === family
    )
    assert.equal(from.group, null)
    assert.equal(from.interface, 'lo')
  }
})

test('a free port is one that is free in both families', { skip }, async (t) => {
  const { a } = await hosts(t, { a: [] })
  const range = '/proc/sys/net/ipv4/ip_local_port_range'
  await a.start('sh', '-c', `echo 40000 40002 > ${range}`).end()
  await a.run('fixtures/unshared.js', '40000', '::').line(/^bound$/)
  // Nor is one that another program shares: it is asked for one that nobody has.
  const sharing = a.run('fixtures/listen.js', { group: 'ff02::1', port: 40001 })
  await sharing.json((said) => said.listening)
  // The system looks at one family at a time, and chooses by chance.
  for (let i = 0; i < 5; i++) {
    const listener = a.run('fixtures/listen.js', { group: BOTH, port: 0 })
    const { port } = (await listener.json((said) => said.listening)).listening
    assert.equal(port, 40002)
    await listener.kill()
  }
})

test('a group of the other family can be joined and left while it listens', { skip }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const listener = b.run('fixtures/listen.js')
  await listener.json((said) => said.listening)
  a.run('fixtures/cast.js', 'six', '50', { group: 'ff02::1' })
  a.run('fixtures/cast.js', 'four')
  await listener.json((said) => said.message === 'four')
  assert.deepEqual((await uses(listener)).eth0, ['joined', 'skipped: no IPv6 group'])
  assert.equal(listener.values().filter((said) => said?.message === 'six').length, 0)
  listener.write('join FF02:0::1')
  await listener.json((said) => said.message === 'six')
  listener.write('leave ff02::1')
  // What was heard before it left may still come; after some of the other, all has.
  for (let i = 0; i < 2; i++)
    await listener.json((said) => said.message === 'four', listener.lines.length)
  const before = listener.lines.length
  for (let i = 0; i < 3; i++)
    await listener.json((said) => said.message === 'four', listener.lines.length)
  assert.equal(
    listener
      .values()
      .slice(before)
      .filter((said) => said?.message === 'six').length,
    0
  )
})

test(
  'a group whose port is taken in its family is failing until it is joined again',
  { skip },
  async (t) => {
    const { a } = await hosts(t, 1)
    const taken = a.run('fixtures/unshared.js', '9778', '::')
    await taken.line(/^bound$/)
    const listener = a.run('fixtures/listen.js')
    await listener.json((said) => said.listening)
    listener.write('join ff02::1')
    const warning = await listener.json((said) => said.warning)
    assert.equal(warning.message, 'bind EADDRINUSE :::9778')
    assert.deepEqual((await uses(listener)).eth0, ['joined', `failing: ${warning.message}`])
    await taken.kill()
    listener.write('join ff02::1')
    a.run('fixtures/cast.js', 'six', '50', { group: 'ff02::1' })
    await listener.json((said) => said.message === 'six')
    assert.deepEqual((await uses(listener)).eth0, ['joined', 'joined'])
  }
)

test(
  'a system that does not know IP_MULTICAST_ALL, IPV6_MULTICAST_ALL and IP_UNICAST_IF will do',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const old = preload(t, 'fewer-options.c')
    const onB = (/** @type {string} */ name, /** @type {string[]} */ ...args) =>
      b.start('env', old, process.execPath, join(__dirname, 'fixtures', name), ...args)
    const listener = onB('listen.js', JSON.stringify({ group: BOTH }))
    await listener.json((said) => said.listening)
    // What others have joined comes, too, and is for none of us.
    const other = '239.77.29.49'
    const neighbour = b.run('fixtures/listen.js', { group: other })
    a.run('fixtures/cast.js', 'not for us', '50', { group: other })
    await neighbour.json((said) => said.message === 'not for us')
    a.run('fixtures/cast.js', 'hello', '50', { group: BOTH })
    for (const family of ['IPv4', 'IPv6']) {
      await listener.json((said) => said.message === 'hello' && said.from.family === family)
    }
    assert.ok(!listener.values().some((said) => said?.message === 'not for us'))

    const there = a.run('fixtures/listen.js')
    onB('cast.js', 'from b', '50', JSON.stringify({ broadcast: true }))
    for (const group of ['224.0.0.1', null]) {
      await there.json((said) => said.message === 'from b' && said.from.group === group)
    }
  }
)

test(
  'a kernel without IPv6 is no error, and a warning where there is nothing else',
  { skip },
  async (t) => {
    const without = preload(t, 'no-ipv6.c')
    const { a, b } = await hosts(t, 2)
    b.ip('-6 address flush dev eth0')
    b.ip('-6 address flush dev lo')
    const onB = (/** @type {unknown[]} */ ...args) =>
      b.start('env', without, process.execPath, ...args.map(String))
    const script = (/** @type {string} */ name) => join(__dirname, 'fixtures', name)
    const both = onB(script('listen.js'), JSON.stringify({ group: BOTH }))
    const six = onB(script('listen.js'), JSON.stringify({ group: 'ff02::1', port: 0 }))
    const caster = onB(script('cast.js'), 'hello', '50', JSON.stringify({ group: BOTH }))
    const there = a.run('fixtures/listen.js', { group: BOTH })
    await there.json((said) => said.message === 'hello')
    await both.json((said) => said.message === 'hello')
    for (const program of [both, caster]) {
      assert.deepEqual(
        program.values().filter((said) => said?.warning),
        []
      )
      assert.deepEqual((await uses(program)).eth0, ['joined', 'waiting: no address yet'])
    }
    const { listening } = await six.json((said) => said.listening)
    assert.ok(listening.port > 0)
    const warning = await six.json((said) => said.warning === 'EAFNOSUPPORT')
    assert.equal(warning.syscall, 'socket')
    assert.match(warning.hint, /no IPv6/)
  }
)
