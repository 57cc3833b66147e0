'use strict'

const assert = require('node:assert/strict')
const { getEventListeners, once } = require('node:events')
const { setImmediate: turn, setTimeout: sleep } = require('node:timers/promises')
const { test } = require('node:test')
const { listen } = require('..')
const { BATCH_MESSAGES } = require('../binding.js')
const { LOOPBACK, castTo, listenHere, traffic } = require('./loopback.js')
const { until } = require('./process.js')

const GROUP = '239.1.4.1'

/**
 * A listener for what `send` sends.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('..').ListenOptions} [options]
 */
const numbered = (t, options) =>
  /** @type {import('..').Listener<string>} */ (
    listenHere(t, { group: GROUP, encoding: 'utf8', ...options })
  )

/**
 * Sends numbered datagrams, from 0, and waits until the listener has received them, handed on or not.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('..').Listener<any>} listener
 * @param {number} count
 */
async function send(t, listener, count) {
  const { port } = listener.address()
  const before = listener.stats().received
  const sender = traffic(t, { group: GROUP, port, bytes: 100, rate: 20_000, count })
  assert.equal((await sender.end()).code, 0)
  await until(() => listener.stats().received + listener.stats().lost >= before + count)
  assert.equal(listener.stats().lost, 0)
}

test('for await gives the messages with where they came from, and leaving it closes', async (t) => {
  const listener = listenHere(t, { encoding: 'utf8' })
  castTo(t, listener, 'hello', 5)
  const closed = once(listener, 'close')
  let count = 0
  for await (const { message, from } of listener) {
    assert.equal(message, 'hello')
    assert.deepEqual([from.address, from.group, from.size], ['127.0.0.1', '224.0.0.1', 5])
    if (++count === 3) break
  }
  await closed
  assert.throws(() => listener.stats(), { code: 'ERR_CLOSED' })
})

test('it collects from its creation on', async (t) => {
  const listener = numbered(t)
  const heard = /** @type {string[]} */ ([])
  listener.on('message', (message) => heard.push(message))
  await send(t, listener, 3)
  await until(() => heard.length === 3)
  const messages = listener[Symbol.asyncIterator]()
  await send(t, listener, 2)
  const first = await messages.next()
  assert.equal(first.value?.message.slice(0, 8), '00000000')
  assert.equal((await messages.next()).value?.message.slice(0, 8), '00000001')
})

test('a consumer that takes its time gets every message, and one batch at most waits in JavaScript', async (t) => {
  const listener = numbered(t)
  const messages = listener[Symbol.asyncIterator]()
  const count = 5000
  await send(t, listener, count)
  // Turns in which nothing is asked for: no more than one batch comes.
  for (let i = 0; i < 10; i++) await turn()
  assert.ok(listener.stats().delivered <= BATCH_MESSAGES, `${listener.stats().delivered}`)
  for (let i = 0; i < count; i++) {
    const { value } = await messages.next()
    assert.equal(Number(value?.message.slice(0, 8)), i)
    assert.ok(listener.stats().delivered <= i + BATCH_MESSAGES + 1)
    if (i % 500 === 0) await sleep(1)
  }
  assert.equal(listener.stats().delivered, count)
})

test('what a slow consumer leaves waiting past highWaterMark is dropped, the oldest first', async (t) => {
  const kept = 1000
  const listener = numbered(t, { highWaterMark: kept * (100 + 64) })
  let dropped = 0
  listener.on('drop', (count) => (dropped += count))
  const messages = listener[Symbol.asyncIterator]()
  const count = 5000
  await send(t, listener, count)
  const got = /** @type {number[]} */ ([])
  while (got.at(-1) !== count - 1) {
    got.push(Number((await messages.next()).value?.message.slice(0, 8)))
  }
  assert.equal(got.length + dropped, count)
  assert.equal(listener.stats().dropped, dropped)
  assert.deepEqual(
    got.slice(-kept),
    Array.from({ length: kept }, (_, i) => count - kept + i)
  )
  assert.ok(got.length <= kept + BATCH_MESSAGES, `${got.length}`)
})

test('throwing out of the loop closes, and the exception arrives', async (t) => {
  const listener = listenHere(t)
  castTo(t, listener, 'hello', 5)
  await assert.rejects(
    async () => {
      for await (const { message } of listener) throw new Error(`mine: ${message}`)
    },
    { message: 'mine: hello' }
  )
  assert.throws(() => listener.stats(), { code: 'ERR_CLOSED' })

  const other = listenHere(t)
  const messages = other[Symbol.asyncIterator]()
  await assert.rejects(messages.throw(new Error('yours')), { message: 'yours' })
  assert.throws(() => other.stats(), { code: 'ERR_CLOSED' })
  assert.deepEqual(await messages.next(), { value: undefined, done: true })
})

for (const how of ['close', 'abort']) {
  test(`${how} from elsewhere ends it without an error, and discards what waits`, async (t) => {
    const controller = new AbortController()
    const listener = numbered(t, { signal: controller.signal })
    const waiting = listener[Symbol.asyncIterator]()
    const looping = (async () => {
      for await (const _ of listener);
      return 'ended'
    })()
    await send(t, listener, 10)
    await waiting.next()
    if (how === 'close') listener.close()
    else controller.abort()
    assert.deepEqual(await waiting.next(), { value: undefined, done: true })
    assert.equal(await looping, 'ended')
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
  })
}

test('what was asked for before it closes is answered when it does', async (t) => {
  const listener = listenHere(t)
  const messages = listener[Symbol.asyncIterator]()
  const asked = [messages.next(), messages.next()]
  listener.close()
  for (const answer of asked) assert.deepEqual(await answer, { value: undefined, done: true })
})

test('two iterators and a callback each get every message; leaving one ends the other', async (t) => {
  const listener = numbered(t)
  const called = /** @type {string[]} */ ([])
  listener.on('message', (message) => called.push(message))
  const slow = listener[Symbol.asyncIterator]()
  const fast = /** @type {string[]} */ ([])
  const looping = (async () => {
    for await (const { message } of listener) fast.push(message)
    return 'ended'
  })()
  const count = 1000
  await send(t, listener, count)
  for (let i = 0; i < count; i++) {
    const { value } = await slow.next()
    assert.equal(Number(value?.message.slice(0, 8)), i)
  }
  await until(() => fast.length === count && called.length === count)
  assert.deepEqual(await slow.return(7), { value: 7, done: true })
  assert.equal(await looping, 'ended')
})

test('a listener that is closed, or was never opened, has nothing to iterate over', async (t) => {
  const listener = listenHere(t)
  await listener.close()
  for await (const _ of listener) assert.fail('it is closed')
  for await (const _ of listen({ ...LOOPBACK, port: 0, signal: AbortSignal.abort() })) assert.fail()
})
