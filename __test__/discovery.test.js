'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { cast, discover, listen } = require('..')
const { PeerChanges } = require('../lib/peers.js')
const { PORT, announcement, discoverHere, sender } = require('./discoveries.js')
const { LOOPBACK, block, blockUntil, newGroup, traffic, trafficProgram } = require('./loopback.js')
const { temporary } = require('./preload.js')
const { Process, openSockets, run, settled, until } = require('./process.js')
const { LOST, SOURCES, isLinux, loopbackName, noSecondAddress } = require('./system.js')

/**
 * What happens to a discovery, in short, from now on.
 *
 * @param {import('..').Discovery} lan
 */
function log(lan) {
  const lines = /** @type {string[]} */ ([])
  lan.on('up', ({ id }) => lines.push(`up ${id}`))
  lan.on('update', ({ id }) => lines.push(`update ${id}`))
  lan.on('down', ({ id }, reason) => lines.push(`down ${id} ${reason}`))
  lan.on('warning', ({ code }) => lines.push(`warning ${code}`))
  lan.on('close', () => lines.push('close'))
  return lines
}

/**
 * Counts how many peers a discovery tells of in each turn of the event loop, until there are so many.
 *
 * @param {import('..').Discovery} lan
 * @param {number} count
 * @returns {() => number} gives the most
 */
function countPerTurn(lan, count) {
  let [inTurn, most] = [0, 0]
  const turn = () => {
    inTurn = 0
    if (lan.peers.size < count) setImmediate(turn)
  }
  turn()
  lan.on('up', () => (most = Math.max(most, ++inTurn)))
  return () => most
}

test('two in one process know each other, and the peers are in step with the events', async (t) => {
  const group = newGroup()
  const ada = discoverHere(t, group, { username: 'ada' }, { id: 'ada' })
  const lines = log(ada)
  const begin = Date.now()
  const bob = discoverHere(t, group, { username: 'bob' })
  assert.match(bob.id, /^[\w-]{22}$/)
  const [up] = await once(ada, 'up')
  assert.equal(ada.peers.get(bob.id), up)
  assert.deepEqual(
    { ...up, since: 0, port: 0 },
    {
      id: bob.id,
      data: { username: 'bob' },
      app: '',
      address: '127.0.0.1',
      port: 0,
      addresses: [{ address: '127.0.0.1', family: 'IPv4', interface: loopbackName }],
      plain: false,
      since: 0
    }
  )
  assert.ok(up.port > 0 && up.since >= begin && up.since <= Date.now())
  assert.ok(
    Object.isFrozen(up) && Object.isFrozen(up.addresses) && Object.isFrozen(up.addresses[0])
  )
  up.data.mine = true

  bob.announce({ username: 'bob', busy: true })
  const [changed, previous] = await once(ada, 'update')
  assert.equal(previous, up)
  assert.deepEqual(changed.data, { username: 'bob', busy: true })
  assert.equal(ada.peers.get(bob.id), changed)
  assert.equal(changed.since, up.since)

  const down = once(ada, 'down').then(([peer, reason]) => {
    assert.deepEqual([peer, reason, ada.peers.size], [changed, 'bye', 0])
  })
  await bob.close()
  await down
  assert.deepEqual(lines, [`up ${bob.id}`, `update ${bob.id}`, `down ${bob.id} bye`])
})

test('a change of addresses alone leaves the data as it was', async (t) => {
  if (noSecondAddress) return t.skip(noSecondAddress)
  const group = newGroup()
  const lan = discoverHere(t, group)
  const [one, two] = [await sender(t, group), await sender(t, group)]
  const elsewhere = await sender(t, group, '127.0.0.2')
  await one.send(announcement('a', {}, { deep: {} }))
  const up = await until(() => lan.peers.get('a'))
  const updates = /** @type {unknown[]} */ ([])
  lan.on('update', (peer) => updates.push(peer))
  // From another port of the same address nothing is to be told. It would be told before another peer is.
  await two.send(announcement('a', { seq: 2 }, { deep: {} }))
  await two.send(announcement('later'))
  await until(() => lan.peers.has('later'))
  assert.deepEqual(updates, [])
  assert.equal(lan.peers.get('a'), up)
  await elsewhere.send(announcement('a', { seq: 3 }, { deep: {} }))
  await until(() => updates.length === 1)
  const peer = lan.peers.get('a')
  assert.equal(peer?.data, up.data)
  assert.deepEqual(
    peer?.addresses.map(({ address }) => address),
    ['127.0.0.1', '127.0.0.2']
  )
})

test('the peers are for reading', (t) => {
  const { peers } = discoverHere(t, newGroup())
  const map = /** @type {Map<string, any>} */ (peers)
  const refused = { name: 'TypeError', code: 'ERR_INVALID_STATE' }
  for (const change of [() => map.set('a', {}), () => map.delete('a'), () => map.clear()]) {
    assert.throws(change, refused)
  }
  assert.ok(peers instanceof Map && peers.size === 0)
})

test('close says down for each peer, and then nothing', async (t) => {
  const group = newGroup()
  const sockets = openSockets()
  const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((id) => discoverHere(t, group, {}, { id }))
  const lines = log(ada)
  await until(() => ada.peers.size === 2)
  const { announcements } = ada.stats()
  bob.announce({ changed: true })
  // What is told of that waits, and is discarded.
  blockUntil(() => ada.stats().announcements > announcements)
  const closed = ada.close()
  assert.equal(ada.close(), closed)
  assert.equal(ada.peers.size, 2)
  for (const call of [
    () => ada.announce({}),
    () => ada.refresh(),
    () => ada.stats(),
    () => ada.interfaces(),
    () => ada.ref()
  ]) {
    assert.throws(call, { code: 'ERR_CLOSED', message: 'The Discovery is closed' })
  }
  await closed
  assert.equal(ada.peers.size, 0)
  const last = lines.slice(2)
  assert.deepEqual(last.slice(0, 2).sort(), ['down bob close', 'down eve close'])
  assert.deepEqual(last.slice(2), ['close'])
  for await (const event of ada) assert.fail(`${event}`)
  await Promise.all([bob.close(), eve.close()])
  // Sending sockets stay for a second.
  await until(() => openSockets() === sockets)
})

test('nothing happens inside discover itself, and a signal closes', async (t) => {
  const group = newGroup()
  const controller = new AbortController()
  const lan = discoverHere(t, group, {}, { signal: controller.signal })
  const lines = log(lan)
  block(150)
  assert.deepEqual(lines, [])
  controller.abort()
  await once(lan, 'close')
  const never = discoverHere(t, group, {}, { signal: AbortSignal.abort() })
  await once(never, 'close')
  assert.equal(never.peers.size, 0)
})

test('for await begins with who is there, and leaving it closes', async (t) => {
  const group = newGroup()
  const ada = discoverHere(t, group, {}, { id: 'ada' })
  const bob = discoverHere(t, group, {}, { id: 'bob' })
  await until(() => ada.peers.size === 1)
  const seen = []
  for await (const { type, peer, reason } of ada) {
    seen.push(reason ? `${type} ${peer.id} ${reason}` : `${type} ${peer.id}`)
    if (seen.length === 1) bob.announce({ changed: true })
    if (seen.length === 2) await bob.close()
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, ['up bob', 'update bob', 'down bob bye'])
  assert.throws(() => ada.stats(), { code: 'ERR_CLOSED' })
})

test('a slow iterator is told the difference', () => {
  const peer = (/** @type {string} */ id, /** @type {number} */ n) => /** @type {any} */ ({ id, n })
  const told = (/** @type {PeerChanges} */ changes) => {
    const all = []
    while (changes.length > 0) {
      const { type, peer: one, reason } = /** @type {any} */ (changes.shift())
      all.push([type, one.id, one.n, ...(reason ? [reason] : [])].join(' '))
    }
    assert.equal(changes.shift(), undefined)
    return all
  }
  const up = (/** @type {string} */ id, n = 1) =>
    /** @type {const} */ ({ type: 'up', peer: peer(id, n) })
  const update = (/** @type {string} */ id, n = 1) =>
    /** @type {const} */ ({ type: 'update', peer: peer(id, n) })
  const down = (/** @type {string} */ id, n = 1) =>
    /** @type {const} */ ({ type: 'down', peer: peer(id, n), reason: 'bye' })
  for (const [events, expected] of /** @type {const} */ ([
    [
      [up('a'), update('a', 2), up('b')],
      ['up a 2', 'up b 1']
    ],
    [[up('a'), down('a')], []],
    [[up('a'), update('a', 2), down('a', 2)], []],
    [[update('a', 2), update('a', 3)], ['update a 3']],
    [[update('a', 2), down('a', 2)], ['down a 2 bye']],
    [
      [down('a'), up('a', 2), update('a', 3)],
      ['down a 1 bye', 'up a 3']
    ],
    [[down('a'), up('a', 2), down('a', 2)], ['down a 1 bye']],
    [
      [down('a'), up('a', 2), down('a', 2), up('a', 4)],
      ['down a 1 bye', 'up a 4']
    ]
  ])) {
    const changes = new PeerChanges()
    for (const event of events) changes.push(event)
    assert.deepEqual(told(changes), expected)
  }
})

test('an app is for itself, and others see no more of it', async (t) => {
  const group = newGroup()
  const chat = discoverHere(t, group, {}, { id: 'chat', app: 'chat' })
  const also = discoverHere(t, group, {}, { id: 'also', app: 'chat' })
  const game = discoverHere(t, group, {}, { id: 'game', app: 'game', plain: true })
  const none = discoverHere(t, group, {}, { id: 'none' })
  const { send, port } = await sender(t, group)
  await send('{"bare":true}')
  await until(() => [chat, also, game, none].every((lan) => lan.peers.size === 1))
  assert.equal(chat.peers.get('also')?.app, 'chat')
  const plain = { id: `plain:127.0.0.1:${port}`, app: '', plain: true, data: { bare: true } }
  for (const lan of [game, none]) {
    const { id, app, plain: isPlain, data } = [...lan.peers.values()][0]
    assert.deepEqual({ id, app, plain: isPlain, data }, plain)
  }
})

test('refresh has everybody answer', async (t) => {
  const group = newGroup()
  const ada = discoverHere(t, group, {}, { interval: 600_000 })
  discoverHere(t, group, {}, { interval: 600_000 })
  await until(() => ada.peers.size === 1)
  // Past the start of both: by itself neither says anything any more.
  const announcements = await settled(() => ada.stats().announcements, 1500)
  ada.refresh()
  await until(() => ada.stats().announcements > announcements)
})

test('whatever comes is counted, hurts nobody, and takes nobody out', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, {}, { id: 'me' })
  const honest = discoverHere(t, group, {}, { id: 'honest' })
  await until(() => lan.peers.size === 1)
  const { send, port } = await sender(t, group)
  const lines = log(lan)
  const before = lan.stats()
  const malformed = [
    '',
    'null',
    '[]',
    '5',
    '"text"',
    '{',
    '{}x',
    '['.repeat(64 * 1024 - 100),
    '{"a":'.repeat(65) + '1' + '}'.repeat(65),
    Buffer.from('{"a":"\xff"}', 'latin1'),
    '{"lan-peers":{"v":1}}',
    '{"lan-peers":[]}',
    announcement('', {}),
    announcement('x'.repeat(65)),
    announcement('plain:1.2.3.4:5'),
    announcement('a', { boot: -1 }),
    announcement('a', { seq: 1.5 }),
    announcement('a', { every: '60000' }),
    announcement('a').replace('"boot":1', '"boot":1e999'),
    announcement('a').replace('{"lan', '{"lan-peers":{},"lan'),
    announcement('a').replace('{"lan', '{"\\u006can-peers":{},"lan'),
    announcement('a', { v: 2 })
  ]
  for (const text of malformed) await send(text)
  await until(() => lan.stats().malformed === before.malformed + malformed.length)
  assert.deepEqual([...lan.peers.keys()], ['honest'])

  for (const [id, text] of [
    [
      'proto',
      '{"__proto__":{"polluted":1},"\\u005f_proto__":{"polluted":1},"in":[{"__proto__":{}}]}'
    ],
    ['constructor', '{"constructor":{"prototype":{"polluted":1}},"event":"error","toString":1}'],
    ['twice', '{"a":1,"a":2}'],
    ['huge', '{"n":1e999,"m":123456789012345678901234567890,"e":-1e-999}'],
    ['__proto__', '{}'],
    ['hasOwnProperty', '{}']
  ]) {
    await send(announcement(id).replace(/}$/, text === '{}' ? '}' : `,${text.slice(1)}`))
    await until(() => lan.peers.has(id))
  }
  const data = (/** @type {string} */ id) => /** @type {any} */ (lan.peers.get(id)).data
  assert.deepEqual(data('proto'), { in: [{}] })
  assert.equal(Object.getPrototypeOf(data('proto')), Object.prototype)
  assert.equal(data('constructor').event, 'error')
  assert.deepEqual(data('twice'), { a: 2 })
  assert.deepEqual(data('huge'), { n: Infinity, m: 123456789012345680000000000000, e: -0 })
  assert.equal(/** @type {any} */ ({}).polluted, undefined)

  // A bare object with the same; then what is of another application, sealed, and ours.
  await send('{"__proto__":{"polluted":1},"plain":1}')
  await until(() => lan.peers.has(`plain:127.0.0.1:${port}`))
  assert.deepEqual(data(`plain:127.0.0.1:${port}`), { plain: 1 })
  const { peers } = lan.stats()
  await send(announcement('other', { app: 'other' }))
  await send('{"lan-peers":{"v":1,"key":"00","box":"AA=="}}')
  await until(() => lan.stats().unauthenticated === 1)
  assert.equal(lan.stats().peers, peers)
  // Of somebody who knows everybody, for long, from the end of time.
  const most = Number.MAX_SAFE_INTEGER
  await send(announcement('most', { boot: most, seq: most, every: most, n: most, ask: true }))
  await until(() => lan.peers.has('most'))
  await send(announcement('me', { boot: most }, { forged: true }))
  await until(() => lines.includes('warning ID_CONFLICT'))
  await send(announcement('me', { boot: most }))
  await send(announcement('me', { boot: most, bye: true }))
  await until(() => lan.stats().received >= before.received + malformed.length + 13)
  assert.equal(lan.peers.has('me'), false)
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('up ')),
    ['warning ID_CONFLICT']
  )
  honest.announce({ still: 'here' })
  await until(() => lan.peers.get('honest')?.data.still)
})

test('a full table keeps whom it has, refuses others, and warns once', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, {}, { maxPeers: 1 })
  const lines = log(lan)
  const { send } = await sender(t, group)
  await send(announcement('first'))
  await until(() => lan.peers.has('first'))
  for (let i = 0; i < 10; i++) await send(announcement(`later ${i}`))
  await until(() => lan.stats().refused === 10)
  await send(announcement('first', { seq: 2 }, { still: 'here' }))
  await until(() => lan.peers.get('first')?.data.still)
  await send(announcement('first', { seq: 3, bye: true }))
  await send(announcement('after'))
  await until(() => lan.peers.has('after'))
  assert.deepEqual(lines, [
    'up first',
    'warning TABLE_FULL',
    'update first',
    'down first bye',
    'up after'
  ])
})

test('however many come at once, the event loop has its turn after each batch of them', async (t) => {
  if (!isLinux) return t.skip(SOURCES)
  const group = newGroup()
  const lan = discoverHere(t, group)
  const lines = Array.from({ length: 1000 }, (_, i) =>
    Buffer.from(announcement(`${i}`)).toString('hex')
  )
  const file = join(temporary(t), 'announcements')
  writeFileSync(file, lines.join('\n'))
  const args = ['127.0.0.1', group, PORT, file, 0, lines.length].map(String)
  const program = trafficProgram('peers')
  new Process(t, 'peers', [program, ...args])
  // All that is sent is heard before anything is told.
  blockUntil(() => lan.stats().peers === lines.length)
  const mostPerTurn = countPerTurn(lan, lines.length)
  await until(() => lan.peers.size === lines.length)
  assert.ok(mostPerTurn() <= 256, `${mostPerTurn()} in a turn`)
})

test('what is heard while a batch is told is told after a turn of the event loop', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group)
  const caster = cast(announcement('0'), 1e9, { ...LOOPBACK, group })
  t.after(() => caster.close())
  const count = 5
  const mostPerTurn = countPerTurn(lan, count)
  lan.on('up', () => {
    const { size } = lan.peers
    if (size === count) return
    caster.update(announcement(`${size}`))
    blockUntil(() => lan.stats().peers > size)
    // The engine rings the bell within 100 ms, and Node would answer it in this turn.
    block(150)
  })
  await until(() => lan.peers.size === count)
  assert.equal(mostPerTurn(), 1)
})

test('what goes in fragments is warned of once, and what fits no datagram is refused', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group, { text: 'x'.repeat(1500) })
  const [warning] = await once(lan, 'warning')
  assert.equal(warning.code, 'LARGE_PAYLOAD')
  lan.on('warning', assert.fail)
  lan.announce({ text: 'x'.repeat(2000) })
  const other = discoverHere(t, group)
  await until(() => lan.peers.size === 1)
  const size = (/** @type {number} */ length) => ({ text: 'x'.repeat(length) })
  const tooLarge = { name: 'RangeError', code: 'ERR_PAYLOAD_TOO_LARGE' }
  assert.throws(() => other.announce(size(65_400)), tooLarge)
  assert.throws(() => discover(size(65_500), { ...LOOPBACK, group }), tooLarge)
  // The envelope of ours that is the longest is reckoned with.
  let length = 65_400
  while (length > 0) {
    try {
      other.announce(size(length))
      break
    } catch {
      length--
    }
  }
  assert.ok(length > 65_200, `${length}`)
  await until(() => lan.peers.get(other.id)?.data.text?.length === length)
})

test('a worker says goodbye at its end, however that comes', async (t) => {
  const group = newGroup()
  const lan = discoverHere(t, group)
  for (const end of /** @type {const} */ (['terminate', 'exit', 'throw'])) {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { discover } = require(workerData.path)
      discover({}, workerData.options)
      parentPort.on('message', (end) => {
        if (end === 'exit') process.exit()
        throw new Error('thrown in a worker')
      })`
    const workerData = { path: join(__dirname, '..'), options: { ...LOOPBACK, group, id: end } }
    const worker = new Worker(code, { eval: true, workerData })
    worker.on('error', () => {})
    await once(lan, 'up')
    const down = once(lan, 'down')
    if (end === 'terminate') await worker.terminate()
    else worker.postMessage(end)
    const [peer, reason] = await down
    assert.deepEqual([peer.id, reason], [end, 'bye'])
  }
})

test('an exception in an event is an uncaught one, and the others come', async (t) => {
  const program = run(t, 'fixtures/discover-throwing.js', newGroup())
  const { events, uncaught } = await program.json((said) => said.events)
  assert.deepEqual(events, ['up a', 'up b', 'update a', 'down a'])
  assert.deepEqual(uncaught, events)
  assert.deepEqual(await program.end(), { code: 0, signal: null })
})

test('a goodbye is said twice, and nothing after it', async (t) => {
  const group = newGroup()
  const said = /** @type {any[]} */ ([])
  const listener = listen({ ...LOOPBACK, group, encoding: 'json' }, (message) => said.push(message))
  t.after(() => listener.close())
  const lan = discoverHere(t, group, { name: 'ada' }, { interval: 100 })
  await until(() => said.length > 0)
  await lan.close()
  await until(() => said.filter((one) => one['lan-peers'].bye).length === 2)
  const [first, second] = said.slice(-2)
  for (const goodbye of [first, second]) assert.deepEqual(Object.keys(goodbye), ['lan-peers'])
  assert.ok(first['lan-peers'].bye && second['lan-peers'].seq > first['lan-peers'].seq)
  const { length } = said
  await sleep(500)
  assert.equal(said.length, length)
})

test('a flood from one address is counted and not looked at, and others are heard', async (t) => {
  if (!isLinux) return t.skip(LOST)
  const group = newGroup()
  const lan = discoverHere(t, group)
  const honest = await sender(t, group, '127.0.0.2')
  const start = performance.now()
  const flood = traffic(t, { group, port: PORT, bytes: 100, rate: 50_000, count: 60_000 })
  await until(() => lan.stats().rateLimited > 1000)
  // Of what overflows the kernel's buffer the kernel drops that of others, too: as any peer, it announces itself again.
  let seq = 0
  await until(async () => {
    await honest.send(announcement('honest', { seq: ++seq }))
    await sleep(10)
    return lan.peers.has('honest')
  })
  assert.equal((await flood.end()).code, 0)
  await until(() => lan.stats().received + lan.stats().lost >= 60_000)
  const seconds = (performance.now() - start) / 1000
  const { malformed, rateLimited, received } = lan.stats()
  assert.ok(rateLimited + malformed <= received)
  // 4,000 at once, and 2,000 in each second that it took.
  const most = 4000 + 2000 * seconds
  assert.ok(malformed > 3000 && malformed <= most, `${malformed} were looked at, not ${most}`)
})
