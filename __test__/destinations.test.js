'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { ask } = require('./uses.js')
const { castTo, listenHere } = require('./loopback.js')
const { until } = require('./process.js')

const skip = needs('lab')

test('to: each destination gets it beside the group, on its own port or that of the cast', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const note =
    (/** @type {string} */ where) =>
    (/** @type {string} */ message, /** @type {import('..').From} */ from) =>
      heard.push(`${message} at ${where} to ${from.group}`)
  const options = { encoding: /** @type {const} */ ('utf8') }
  const first = listenHere(t, options, note('first'))
  const second = listenHere(t, options, note('second'))
  const silent = listenHere(t, { ...options, direct: false }, note('silent'))
  const to = [
    '127.0.0.1',
    `127.0.0.1:${second.address().port}`,
    `localhost:${silent.address().port}`
  ]
  const caster = castTo(t, first, 'hello', 1e9, { to })
  const expected = [
    'hello at first to 224.0.0.1',
    'hello at first to null',
    'hello at second to null'
  ]
  await until(() => heard.length === 3 && caster.stats().sent >= 4)
  assert.deepEqual(heard.toSorted(), expected)
  heard.length = 0
  caster.update('again')
  await until(() => heard.length === 3)
  assert.deepEqual(
    heard.toSorted(),
    expected.map((one) => one.replace('hello', 'again'))
  )
})

test('to: an address that several entries lead to gets it once', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(t, { encoding: 'utf8' }, (message, { group }) => {
    if (group === null) heard.push(message)
  })
  const { port } = listener.address()
  const to = [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    '::ffff:127.0.0.1',
    'localhost',
    `localhost:${port}`
  ]
  const caster = castTo(t, listener, 'first', 1e9, { to })
  await until(() => heard.length >= 2) // once for the addresses, once when the name is known
  for (const message of ['second', 'third']) caster.update(message)
  await until(() => heard.includes('third'))
  assert.deepEqual(heard.slice(-2), ['second', 'third'])
})

test('self: false knows what went by unicast to this host, too', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const deaf = listenHere(t, { self: false, encoding: 'utf8' }, (message) => heard.push(message))
  const all = /** @type {string[]} */ ([])
  const { port } = deaf.address()
  listenHere(t, { port, encoding: 'utf8' }, (message, { group }) => {
    if (group === null) all.push(message)
  })
  castTo(t, deaf, 'ours', 5, { to: '127.0.0.1' })
  await until(() => all.length >= 5)
  assert.deepEqual(heard, [])
})

test(
  'a destination that cannot be reached is one warning, and holds up nothing',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const listener = b.run('fixtures/listen.js')
    await listener.json((said) => said.listening)
    a.ip('route del default')
    const to = ['192.0.2.1', b.address, '10.77.0.255']
    const caster = a.run('fixtures/cast.js', 'hello', '50', { to })
    await listener.json((said) => said.message === 'hello' && said.from.group === '224.0.0.1')
    await listener.json((said) => said.message === 'hello' && said.from.group === null)
    const unreachable = await caster.json((said) => said.warning === 'ENETUNREACH')
    assert.match(unreachable.message, /^send ENETUNREACH 192\.0\.2\.1:9778$/)
    const broadcast = await caster.json((said) => said.warning === 'EACCES')
    assert.match(broadcast.hint, /options\.broadcast/)
    for (let i = 0; i < 3; i++) {
      await listener.json((said) => said.message === 'hello', listener.lines.length)
    }
    assert.equal(caster.values().filter((said) => said?.warning).length, 2)
    // With a route the datagrams leave, wherever to; without it again, that is news.
    a.ip('route add default dev eth0')
    caster.write('stats')
    const { failed } = (await caster.json((said) => said.stats)).stats
    // Long enough for a change of state: ten of them take a quarter of a second.
    for (let i = 0; i < 10; i++) {
      await listener.json((said) => said.message === 'hello', listener.lines.length)
    }
    const before = caster.lines.length
    a.ip('route del default')
    await caster.json((said) => said.warning === 'ENETUNREACH', before)
    assert.ok(failed >= 2)
  }
)

test(
  'broadcast reaches those who have joined nothing, on each interface with its own address',
  { skip },
  async (t) => {
    // Both LANs have the same network: only the interface tells them apart.
    const { a, left, right } = await hosts(t, { a: [0, 1], left: [0], right: [1] })
    a.ip('-4 address flush dev eth1')
    a.ip('address add 10.77.0.101/24 dev eth1')
    right.ip('-4 address flush dev eth0')
    right.ip('address add 10.77.0.103/24 dev eth0')
    const programs = [left, right].map((host) => host.run('fixtures/dgram.js', '9778'))
    const ours = left.run('fixtures/listen.js', { port: 9779 })
    for (const program of [...programs, ours]) await program.json((said) => said.listening)
    const group = '239.7.7.7'
    const caster = a.run('fixtures/cast.js', 'everybody', '50', { group, broadcast: true })
    a.run('fixtures/cast.js', 'ours', '50', { group, broadcast: true, port: 9779 })

    const onLeft = await programs[0].json((said) => said.message === 'everybody')
    const onRight = await programs[1].json((said) => said.message === 'everybody')
    assert.equal(onLeft.from.address, a.addresses[0])
    assert.equal(onRight.from.address, '10.77.0.101')
    const { from } = await ours.json((said) => said.message === 'ours')
    assert.deepEqual([from.interface, from.group], ['eth0', null])
    assert.equal(caster.values().filter((said) => said?.warning).length, 0)
  }
)

test('broadcast goes out over IPv4 also where the groups are IPv6 alone', { skip }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const program = b.run('fixtures/dgram.js', '9778')
  await program.json((said) => said.listening)
  const caster = a.run('fixtures/cast.js', 'everybody', '50', { group: 'ff02::1', broadcast: true })
  await program.json((said) => said.message === 'everybody')
  const [lo, eth0] = /** @type {import('..').Interface[]} */ (await ask(caster))
  assert.equal(lo.IPv4.reason, 'loopback is sent on only while nothing else is usable')
  assert.equal(eth0.IPv4.state, 'joined')
  // Loopback has no broadcast, and IPv4 no group.
  const onLo = { group: 'ff02::1', broadcast: true, interfaces: 'lo' }
  const nobody = a.run('fixtures/cast.js', 'nobody', '50', onLo)
  const [{ IPv4 }] = await ask(nobody)
  assert.deepEqual([IPv4.state, IPv4.reason], ['skipped', 'nobody to send to'])
})
