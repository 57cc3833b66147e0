'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { LOOPBACK, castTo, listenHere, newGroup } = require('./loopback.js')
const { nativeThreads, openSockets, run, until } = require('./process.js')
const { COUNTS, isLinux } = require('./system.js')

/** @type {[string, import('..').Payload, string | Buffer][]} */
const PAYLOADS = [
  ['a string', 'grüße', 'grüße'],
  ['an empty string', '', ''],
  ['a Buffer', Buffer.from([0, 255]), Buffer.from([0, 255])],
  ['a part of a Buffer', Buffer.from('abcdef').subarray(2, 4), 'cd'],
  ['a typed array', new Uint16Array([0x4241, 0x4443]), 'ABCD'],
  ['a DataView', new DataView(new Uint8Array([65, 66, 67]).buffer, 1), 'BC'],
  ['an object', { username: 'ada' }, '{"username":"ada"}'],
  ['an array', [1, 'two', null], '[1,"two",null]'],
  ['an object with toJSON', new Date(0), '"1970-01-01T00:00:00.000Z"']
]

for (const [kind, payload, bytes] of PAYLOADS) {
  test(`casts ${kind}`, async (t) => {
    const heard = /** @type {Buffer[]} */ ([])
    const listener = listenHere(t, {}, (message) => heard.push(message))
    castTo(t, listener, payload)
    await until(() => heard.length === 1)
    assert.deepEqual(heard[0], Buffer.from(bytes))
  })
}

test('a payload is copied: changing it afterwards changes nothing', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(t, { encoding: 'utf8' }, (message) => heard.push(message))
  const payload = Buffer.from('before')
  castTo(t, listener, payload, 5)
  payload.write('after!')
  await until(() => heard.length >= 3)
  assert.deepEqual([...new Set(heard)], ['before'])
})

test('sends now and then at its interval, to every group', async (t) => {
  const group = [newGroup(), newGroup()]
  const heard = /** @type {Record<string, number[]>} */ ({ [group[0]]: [], [group[1]]: [] })
  const listener = listenHere(t, { group }, (_, from) =>
    heard[String(from.group)].push(performance.now())
  )
  const start = performance.now()
  castTo(t, listener, 'tick', 100, { group })
  await until(() => heard[group[1]].length === 6)
  for (const times of Object.values(heard)) {
    // Each is late on its own account, never on that of those before it.
    times.slice(0, 6).forEach((time, i) => assert.ok(time - start >= 100 * i - 2, `${i}: ${times}`))
  }
})

test('update sends at once and counts the interval from there; send sends out of turn', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(t, { encoding: 'utf8' }, (message) => heard.push(message))
  const caster = castTo(t, listener, 'first')
  await until(() => heard.length === 1)
  caster.update({ n: 2 })
  await until(() => heard.length === 2)
  caster.send()
  caster.send()
  await until(() => heard.length === 4)
  caster.update('fast', 5)
  await until(() => heard.length === 8)
  assert.deepEqual(heard.slice(0, 8), [
    'first',
    ...Array(3).fill('{"n":2}'),
    ...Array(4).fill('fast')
  ])
  const { sent, failed } = caster.stats()
  assert.ok(sent >= 8)
  assert.equal(failed, 0)
})

test('over 1,472 bytes it warns once that it will be fragmented, on a later tick', async (t) => {
  const listener = listenHere(t)
  const caster = castTo(t, listener, 'x'.repeat(1472))
  const warnings = /** @type {import('..').Warning[]} */ ([])
  caster.on('warning', (warning) => warnings.push(warning))
  await new Promise(setImmediate)
  assert.equal(warnings.length, 0)
  caster.update('x'.repeat(1473))
  caster.update('x'.repeat(2000))
  assert.equal(warnings.length, 0)
  await new Promise(setImmediate)
  assert.equal(warnings.length, 1)
  assert.equal(warnings[0].code, 'LARGE_PAYLOAD')
  assert.match(warnings[0].message, /1473 bytes/)
  assert.match(warnings[0].hint, /1472 bytes/)
})

test('a warning that nobody listens to is a process warning, once per code', async (t) => {
  const program = run(t, 'fixtures/unheard-warnings.js')
  assert.equal((await program.end()).code, 0)
  const warnings = program.values().filter((said) => said?.warning)
  assert.deepEqual(warnings, [{ warning: 'LanPeersWarning', code: 'LARGE_PAYLOAD' }])
})

test('keeps its schedule while the event loop is blocked', async (t) => {
  const [intervalMs, count] = [20, 25]
  const receiver = run(t, 'fixtures/listen.js', { port: 0, ...LOOPBACK })
  const { listening } = await receiver.json((said) => said.listening)
  const options = { port: listening.port, ...LOOPBACK }
  // It blocks until all are sent: nothing runs meanwhile that could send them from JavaScript.
  const sender = run(t, 'fixtures/blocked-cast.js', intervalMs, count, 0, options)
  const { blocked } = await sender.json((said) => said.blocked)
  assert.ok(blocked >= intervalMs * (count - 1), `${count} in ${blocked} ms`)
  await receiver.json((said) => said.message === 'unblocked')
  const heard = receiver.values().filter((said) => said?.message === 'blocked')
  assert.ok(heard.length >= count, `${heard.length}`)
})

test('10,000 casts run on one thread and one socket, each at its interval', async (t) => {
  if (!isLinux) return t.skip(COUNTS)
  const count = 10_000
  const group = newGroup()
  const seen = /** @type {number[]} */ (Array(count).fill(0))
  const listener = listenHere(
    t,
    { encoding: 'utf8', group },
    (message) => void seen[Number(message)]++
  )
  // Half of them every second, half every two.
  const interval = (/** @type {number} */ i) => (i % 2 === 0 ? 1000 : 2000)
  castTo(t, listener, '0', 1e9, { group })
  await until(() => seen[0] === 1)
  const [sockets, memory] = [openSockets(), process.memoryUsage.rss()]
  const start = performance.now()
  const casters = Array.from({ length: count }, (_, i) =>
    castTo(t, listener, `${i}`, interval(i), { group })
  )
  const each = (process.memoryUsage.rss() - memory) / count
  const counts = () => casters.map((caster) => caster.stats().sent)
  const before = counts()
  // Each goes on: the fast ones are sent three times more, at least.
  const sent = await until(() => {
    const now = counts()
    return now.every((n, i) => n >= before[i] + (interval(i) === 1000 ? 3 : 1)) && now
  })
  const elapsed = performance.now() - start
  assert.equal(nativeThreads().length, 1)
  assert.equal(openSockets(), sockets, 'they leave by the socket that was there')
  // One that is late is not made up for: none is sent more often than it is due, however busy the machine is.
  for (const [i, n] of sent.entries()) {
    const due = Math.floor(elapsed / interval(i)) + 1
    assert.ok(n <= due, `cast ${i} was sent ${n} times in ${elapsed} ms`)
  }
  const more = (/** @type {number} */ ms) =>
    sent.reduce((sum, n, i) => sum + (interval(i) === ms ? n - before[i] : 0), 0)
  const ratio = more(1000) / more(2000)
  assert.ok(
    ratio > 1.25,
    `those of 1,000 ms were sent ${ratio} times as often as those of 2,000 ms`
  )
  for (const caster of casters) assert.equal(caster.stats().failed, 0)
  await until(() => Math.min(...seen) >= 2)
  t.diagnostic(`${Math.round(each)} bytes of memory for each cast, its Caster included`)
})
