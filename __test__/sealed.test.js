'use strict'

const assert = require('node:assert/strict')
const { scryptSync } = require('node:crypto')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { test } = require('node:test')
const { inspect } = require('node:util')
const { discover, listen } = require('..')
const vectors = require('../docs/sealed-vectors.json')
const { announcement, discoverHere, sender } = require('./discoveries.js')
const { LOOPBACK, newGroup } = require('./loopback.js')
const { until } = require('./process.js')
const { hchacha20, open, seal } = require('./xchacha.js')

const KEY = Buffer.alloc(32, 1)
const OTHER = Buffer.alloc(32, 2)

/** All that goes over the wire in a group. */
function capture(/** @type {import('node:test').TestContext} */ t, /** @type {string} */ group) {
  const datagrams = /** @type {string[]} */ ([])
  const listener = listen({ ...LOOPBACK, group, encoding: 'utf8' }, (message) =>
    datagrams.push(message)
  )
  t.after(() => listener.close())
  return datagrams
}

/** Waits until the engine has a key of a discovery: before, it neither sends nor hears. */
const hasItsKey = (/** @type {import('..').Discovery} */ lan) => until(() => lan.stats().sent > 0)

/** An announcement, as it stands in a box. */
const inBox = (/** @type {string} */ id, head = {}, data = {}) =>
  announcement(id, { t: Date.now(), ...head }, data)

test('with one key they know each other, and nobody else reads a word', async (t) => {
  const group = newGroup()
  const datagrams = capture(t, group)
  const outsider = discoverHere(t, group, {})
  outsider.on('warning', assert.fail)
  const [ada, bob] = ['ada', 'bob'].map((id) =>
    discoverHere(t, group, { secret: id }, { id, key: KEY })
  )
  await until(() => ada.peers.has('bob') && bob.peers.has('ada'))
  assert.deepEqual(ada.peers.get('bob')?.data, { secret: 'bob' })
  ada.announce({ secret: 'changed' })
  await until(() => bob.peers.get('ada')?.data.secret === 'changed')
  await ada.close()
  await until(() => bob.peers.size === 0)
  assert.ok(datagrams.length > 4)
  for (const datagram of datagrams.filter((text) => text.includes('box'))) {
    assert.match(datagram, /^{"lan-peers":{"v":1,"key":"[\da-f]{8}","box":"[\w+/]+=*"}}$/)
  }
  assert.equal(outsider.peers.size, 0)
  assert.ok(outsider.stats().unauthenticated > 4)
})

test('who has no key, or another, is told once and counted', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, {}, { key: KEY })
  const warnings = /** @type {import('..').Warning[]} */ ([])
  lan.on('warning', (warning) => warnings.push(warning))
  discoverHere(t, group, {}, { key: OTHER })
  discoverHere(t, group, { plainly: true })
  const { send } = await sender(t, group)
  await send('{"bare":true}')
  await until(() => lan.stats().unauthenticated >= 5)
  // What there was to tell of these is told before a peer that comes later.
  await send(seal({ key: KEY, app: '' }, inBox('later')))
  await until(() => lan.peers.size > 0)
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['UNAUTHENTICATED']
  )
  assert.match(warnings[0].hint, /options\.key/)
  assert.deepEqual([...lan.peers.keys()], ['later'])
})

test('a key is changed one after another, and at any time all know each other', async (t) => {
  const group = newGroup()
  const names = ['a', 'b', 'c']
  const lans = new Map(names.map((id) => [id, discoverHere(t, group, {}, { id, key: KEY })]))
  const allKnown = () => [...lans.values()].every((lan) => lan.peers.size === 2)
  await until(allKnown)
  for (const keys of [[KEY, OTHER], [OTHER, KEY], [OTHER]]) {
    for (const id of names) {
      await lans.get(id)?.close()
      lans.set(id, discoverHere(t, group, {}, { id, key: keys }))
      await until(allKnown)
    }
  }
})

test('a passphrase makes a key, by scrypt, for one app', async (t) => {
  const group = newGroup()
  const key = scryptSync('correct horse', 'lan-peers/1\0chat', 32, {
    N: 2 ** 15,
    r: 8,
    p: 1,
    maxmem: 64 * 1024 * 1024
  })
  const ada = discoverHere(t, group, {}, { id: 'ada', app: 'chat', key: 'correct horse' })
  const bob = discoverHere(t, group, {}, { id: 'bob', app: 'chat', key: [OTHER, key] })
  const eve = discoverHere(t, group, {}, { id: 'eve', app: 'chat', key: 'battery staple' })
  await until(() => bob.peers.has('ada'))
  await until(() => eve.stats().unauthenticated > 0)
  // What bob seals, ada has no key for.
  assert.equal(ada.peers.size + eve.peers.size, 0)
  // One that is closed before its key is made never begins.
  const never = discoverHere(t, group, {}, { app: 'chat', key: 'correct horse' })
  await never.close()
  await sleep(300)
  assert.equal(bob.peers.size, 1)
})

test('the vectors of the protocol are sealed by another implementation, and open', () => {
  for (const { app, key, nonce, announcement: text, datagram } of vectors) {
    const ring = { app, key: Buffer.from(key, 'hex') }
    assert.equal(open(ring, datagram), text)
    assert.equal(seal(ring, text, Buffer.from(nonce, 'hex')), datagram)
  }
})

test('another implementation of the seal agrees, in both directions', async (t) => {
  // The example of draft-irtf-cfrg-xchacha-03, 2.2.1.
  const example = hchacha20(
    Buffer.from(Array.from({ length: 32 }, (_, i) => i)),
    Buffer.from('000000090000004a0000000031415927', 'hex')
  )
  assert.equal(
    example.toString('hex'),
    '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc'
  )
  for (const app of ['', 'chat \u00e9']) {
    const group = newGroup()
    const datagrams = capture(t, group)
    const ring = { key: KEY, app }
    const lan = discoverHere(t, group, { name: 'ours' }, { app, key: KEY })
    await until(() => datagrams.length > 0)
    const { 'lan-peers': head, ...data } = JSON.parse(open(ring, datagrams[0]))
    assert.deepEqual([head.id, head.app ?? '', data], [lan.id, app, { name: 'ours' }])
    assert.ok(Math.abs(head.t - Date.now()) < 20_000)
    const { send } = await sender(t, group)
    await send(seal(ring, inBox('theirs', app ? { app } : {}, { name: 'theirs' })))
    await until(() => lan.peers.has('theirs'))
    assert.deepEqual(lan.peers.get('theirs')?.data, { name: 'theirs' })
  }
})

test('what was captured and comes again brings nobody back, and nobody down', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, {}, { id: 'lan', key: KEY, clockTolerance: 1000 })
  const events = /** @type {string[]} */ ([])
  for (const event of /** @type {const} */ (['up', 'down'])) {
    lan.on(/** @type {any} */ (event), (/** @type {import('..').Peer} */ { id }) =>
      events.push(`${event} ${id}`)
    )
  }
  const warnings = /** @type {import('..').Warning[]} */ ([])
  lan.on('warning', (warning) => warnings.push(warning))
  const datagrams = capture(t, group)
  const first = discoverHere(t, group, {}, { id: 'ada', key: KEY })
  await until(() => lan.peers.has('ada'))
  await first.close()
  await until(() => lan.peers.size === 0)
  const captured = [...datagrams]
  const { send } = await sender(t, group)
  const replay = async () => {
    const { received } = lan.stats()
    for (const datagram of captured) await send(datagram)
    await until(() => lan.stats().received >= received + captured.length)
  }
  await replay()
  assert.deepEqual(events, ['up ada', 'down ada'])
  // It is there again, and its old goodbye is not its own.
  const second = discoverHere(t, group, {}, { id: 'ada', key: KEY })
  await until(() => lan.peers.has('ada'))
  await replay()
  assert.deepEqual(events, ['up ada', 'down ada', 'up ada'])
  await second.close()
  await until(() => lan.peers.size === 0)
  await sleep(1500)
  const { stale } = lan.stats()
  await replay()
  assert.ok(lan.stats().stale > stale)
  assert.deepEqual(events, ['up ada', 'down ada', 'up ada', 'down ada'])
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['CLOCK_SKEW']
  )
  assert.ok(Number(warnings[0].skew) < -1000, `${warnings[0].skew}`)
})

test('a clock that is two minutes off is told of with how far', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, {}, { key: KEY })
  const told = once(lan, 'warning')
  const { send } = await sender(t, group)
  await hasItsKey(lan)
  await send(seal({ key: KEY, app: '' }, inBox('ahead', { t: Date.now() + 120_000 })))
  const [warning] = await told
  assert.equal(warning.code, 'CLOCK_SKEW')
  assert.ok(Math.abs(warning.skew - 120_000) < 5000, `${warning.skew}`)
  assert.equal(lan.peers.size, 0)
  assert.equal(lan.stats().stale, 1)
})

test('a box that was tampered with is none', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, {}, { key: KEY })
  lan.on('warning', () => {})
  const { send } = await sender(t, group)
  await hasItsKey(lan)
  const good = JSON.parse(seal({ key: KEY, app: '' }, inBox('a')))
  const { key, box } = good['lan-peers']
  const bytes = Buffer.from(box, 'base64')
  const changed = (/** @type {number} */ at) => {
    const other = Buffer.from(bytes)
    other[at] ^= 1
    return other.toString('base64')
  }
  const tampered = [
    ...[0, 23, 24, bytes.length - 17, bytes.length - 1].map((at) => ({ key, box: changed(at) })),
    { key, box: bytes.subarray(0, -1).toString('base64') },
    { key, box: '' },
    { key: '00000000', box },
    { key: key.toUpperCase(), box },
    { key, box: `${box}!` }
  ]
  for (const head of tampered) await send(JSON.stringify({ 'lan-peers': { v: 1, ...head } }))
  await until(() => lan.stats().unauthenticated === tampered.length)
  assert.equal(lan.peers.size, 0)
  await send(JSON.stringify(good))
  await until(() => lan.peers.has('a'))
})

test('a key shows nowhere', (t) => {
  const secret = 'a most secret passphrase'
  const lan = discoverHere(t, newGroup(), {}, { key: secret })
  const bytes = discoverHere(t, newGroup(), {}, { key: Buffer.from(secret.padEnd(32)) })
  for (const shown of [
    inspect(lan, { depth: 9, showHidden: true }),
    inspect(bytes, { depth: 9, showHidden: true })
  ]) {
    assert.ok(
      !shown.includes('secret') && !shown.includes(Buffer.from('secret').toString('hex', 0, 4))
    )
  }
  for (const key of [
    Buffer.from(secret),
    [secret, 5],
    [secret, Buffer.from(secret)],
    { secret },
    [],
    '',
    [[secret]]
  ]) {
    assert.throws(
      () => discover({}, { ...LOOPBACK, key: /** @type {any} */ (key) }),
      (/** @type {any} */ error) => {
        assert.match(error.code, /^ERR_INVALID_ARG_(TYPE|VALUE)$/)
        assert.match(error.message, /options\.key/)
        assert.ok(!inspect(error).includes('secret passphrase'), inspect(error))
        return true
      }
    )
  }
  assert.throws(() => discover({}, { ...LOOPBACK, key: secret, plain: true }), {
    code: 'ERR_INVALID_ARG_VALUE'
  })
})
