'use strict'

const assert = require('node:assert/strict')
const { getEventListeners, once } = require('node:events')
const { test } = require('node:test')
const { cast, discover, listen } = require('..')
const { LOOPBACK, listenHere } = require('./loopback.js')
const { nativeThreads, openSockets, until } = require('./process.js')

/** @type {[string, (signal: AbortSignal) => import('..').Listener | import('..').Caster | import('..').Discovery][]} */
const OPEN = [
  ['listen', (signal) => listen({ ...LOOPBACK, port: 0, signal })],
  ['cast', (signal) => cast('hello', 1000, { ...LOOPBACK, signal })],
  ['discover', (signal) => discover({}, { ...LOOPBACK, group: '239.1.11.1', signal })]
]

for (const [name, open] of OPEN) {
  test(`${name}: an abort closes, and close lets go of the signal`, async () => {
    const controller = new AbortController()
    const { signal } = controller
    const handle = open(signal)
    const other = open(signal)
    assert.equal(getEventListeners(signal, 'abort').length, 2)
    await other.close()
    assert.equal(getEventListeners(signal, 'abort').length, 1)

    const closed = once(handle, 'close')
    controller.abort()
    assert.throws(() => handle.stats(), { code: 'ERR_CLOSED' })
    await closed
    await handle.close()
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  test(`${name}: an abort that others wanted unheard closes all the same`, async () => {
    const controller = new AbortController()
    controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
    const handle = open(controller.signal)
    controller.abort()
    await once(handle, 'close')
  })

  test(`${name}: with a signal that is aborted already nothing is opened, and close comes on the next tick`, async () => {
    const sockets = openSockets()
    const events = /** @type {string[]} */ ([])
    const handle = open(AbortSignal.abort())
    for (const event of ['listening', 'warning', 'close']) {
      handle.on(/** @type {any} */ (event), () => void events.push(event))
    }
    assert.deepEqual(events, [])
    assert.equal(openSockets(), sockets)
    assert.equal(nativeThreads().length, 0)
    assert.throws(() => handle.stats(), { code: 'ERR_CLOSED' })
    assert.throws(() => handle.unref(), { code: 'ERR_CLOSED' })
    await new Promise((resolve) => process.nextTick(resolve))
    assert.deepEqual(events, ['close'])
    await handle.close()
    assert.deepEqual(events, ['close'])
  })
}

test('the arguments are checked even so', () => {
  const signal = AbortSignal.abort()
  const options = /** @type {any} */ ({ ...LOOPBACK, port: -1, signal })
  assert.throws(() => listen(options), { code: 'ERR_OUT_OF_RANGE' })
  assert.throws(() => cast('hello', 0, { ...LOOPBACK, signal }), { code: 'ERR_OUT_OF_RANGE' })
})

test('a signal of another realm will do', async (t) => {
  const foreign = new EventTarget()
  const signal = Object.defineProperty(foreign, 'aborted', { value: false })
  const listener = listenHere(t, { signal: /** @type {AbortSignal} */ (signal) })
  signal.dispatchEvent(new Event('abort'))
  await once(listener, 'close')
})

test('what cannot be listened to is no signal, and one that throws leaves nothing open', async () => {
  for (const [, open] of OPEN) {
    const dumb = /** @type {AbortSignal} */ ({ aborted: false })
    assert.throws(() => open(dumb), { code: 'ERR_INVALID_ARG_TYPE' })
    const addEventListener = () => {
      throw new Error('mine')
    }
    const throwing = /** @type {any} */ ({ aborted: false, addEventListener })
    assert.throws(() => open(throwing), { message: 'mine' })
  }
  await until(() => nativeThreads().length === 0)
})
