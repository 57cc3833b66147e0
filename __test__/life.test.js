'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { block, castTo, listenHere, newGroup, traffic } = require('./loopback.js')
const {
  DEADLINE,
  Process,
  memberships,
  nativeThreads,
  openDescriptors,
  run,
  settled,
  until,
  wakeUps
} = require('./process.js')
const { COUNTS, isLinux } = require('./system.js')

/** Shared by all that these tests start. */
const PORT = 9779
const GROUP = newGroup()

/** @type {[way: string, code: number, says: RegExp | undefined][]} */
const ENDS = [
  ['close', 0, /^closed$/],
  ['unref', 0, undefined],
  ['unref-at-once', 0, undefined],
  ['unref-then-ref', 0, /^still here$/],
  ['unref-flood', 0, /^heard all$/],
  ['unref-then-close', 0, /^closed$/],
  ['mock-timers', 0, /^heard all$/],
  ['exit', 7, undefined],
  ['exit-in-exit', 7, /^exit 7$/],
  ['throw', 1, /^Error: thrown in a callback$/],
  ['reject', 1, /Error: rejected in a callback$/],
  ['open-in-exit', 7, /^opened in exit$/],
  ['workers', 0, /^workers ended$/],
  ['together', 0, /^main goes on$/],
  ['exit-beside-workers', 7, undefined],
  ['throw-beside-workers', 1, /^Error: thrown beside workers$/]
]

/**
 * A flood on the port that all these share, until the test ends.
 *
 * @param {import('node:test').TestContext} t
 */
const flood = (t) =>
  traffic(t, { group: GROUP, port: PORT, bytes: 100, rate: 20_000, count: 400_000 })

/**
 * How long a process of Node takes from its start to its end, in milliseconds, while all else goes on.
 *
 * @param {import('node:test').TestContext} t
 */
async function timeOfNode(t) {
  const start = performance.now()
  await new Process(t, 'nothing', [process.execPath, '-e', '0']).end()
  return performance.now() - start
}

for (const [way, code, says] of ENDS) {
  test(`a process under traffic ends: ${way}`, async (t) => {
    flood(t)
    const program = run(t, 'fixtures/life.js', way, PORT, GROUP)
    const ended = program.end(5 * DEADLINE).then((end) => ({ ...end, at: Date.now() }))
    const usual = await timeOfNode(t)
    const { at, ...end } = await ended
    assert.deepEqual(end, { code, signal: null })
    if (says) await program.line(says)
    const ending = program.lines.flatMap((line) => /^ending (\d+)$/.exec(line)?.[1] ?? [])
    // Ten times what it may take; and where the machine has much else to do, ten times what that makes of it.
    const most = 1000 + 10 * usual
    for (const began of ending) assert.ok(at - Number(began) < most, `${at - Number(began)} ms`)
  })
}

test('a process that exits with much to be sent does not send it first', async (t) => {
  const group = newGroup()
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(t, { group, encoding: 'utf8' }, (message) => {
    if (message !== 'backlog') heard.push(message)
  })
  const program = run(t, 'fixtures/life.js', 'exit-with-backlog', listener.address().port, group)
  assert.deepEqual(await program.end(), { code: 7, signal: null })
  const { asked } = await program.json((said) => said.asked)
  castTo(t, listener, 'all have come', 1e9, { group })
  await until(() => heard.length > 0)
  const { received, lost } = listener.stats()
  assert.ok(received + lost < asked, `${received} came of ${asked}, and ${lost} were lost`)
})

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGKILL'])) {
  test(`a process under traffic ends: ${signal}`, async (t) => {
    flood(t)
    const program = run(t, 'fixtures/life.js', 'forever', PORT, GROUP)
    await program.line(/^running$/)
    if (isLinux) assert.equal(memberships(GROUP), 1)
    program.child.kill(signal)
    assert.deepEqual(await program.end(), { code: null, signal })
    await until(() => memberships(GROUP) === 0)
  })
}

test('200 workers are terminated under traffic, eight at once, and nothing of them is left', async (t) => {
  flood(t)
  const program = run(t, 'fixtures/life.js', 'terminated', PORT, GROUP)
  // It takes eight seconds of two processors that have nothing else to do.
  assert.deepEqual(await program.end(10 * DEADLINE), { code: 0, signal: null })
  const { terminated, before, after } = await program.json(({ terminated }) => terminated > 0)
  assert.equal(terminated, 200)
  assert.deepEqual(after, before)
  if (isLinux) assert.equal(before.memberships, 1)
})

test('the thread runs while something is open, and leaves no descriptor behind', async (t) => {
  if (!isLinux) return t.skip(COUNTS)
  const threads = () => nativeThreads().length
  // The kernel lists a thread for a moment after it has ended. Here that of the tests before ends, for loading starts none.
  const ended = () => until(() => threads() === 0)
  await ended()
  const descriptors = openDescriptors().length
  const listener = listenHere(t)
  const caster = castTo(t, listener, 'hello', 5)
  assert.equal(threads(), 1)
  await listener.close()
  assert.equal(threads(), 1)
  await caster.close()
  assert.equal(openDescriptors().length, descriptors)
  await ended()
  await listenHere(t).close()
  assert.equal(openDescriptors().length, descriptors)
  await ended()
})

test('an idle listener, and a cast and a discovery that are not due, wake nothing', async (t) => {
  if (!isLinux) return t.skip(COUNTS)
  const program = run(t, 'fixtures/idle.js')
  const { pid } = await program.json((said) => said.pid)
  const [thread] = nativeThreads(pid)
  // The first cast was sent, read and delivered, and once the discovery is past its start nothing is due.
  const before = await settled(() => wakeUps(pid, thread), 1500)
  assert.ok(before > 0)
  await new Promise((resolve) => setTimeout(resolve, 2000))
  assert.equal(wakeUps(pid, thread), before)
})

test('exceptions in the middle of a batch are uncaught one by one, and every other message comes', async (t) => {
  const program = run(t, 'fixtures/throwing.js')
  const { heard, uncaught, batched } = await program.json((said) => said.heard !== undefined)
  const all = Array.from({ length: 200 }, (_, i) => String(i))
  assert.deepEqual(heard, all)
  assert.deepEqual(
    uncaught,
    all.filter((n) => Number(n) % 7 === 0).map((n) => `no ${n}`)
  )
  assert.ok(batched, 'they came in one batch')
  assert.equal((await program.end()).code, 0)
})

test('no event fires before the next tick, nor a message after close has returned', async (t) => {
  const events = /** @type {string[]} */ ([])
  const listener = listenHere(t, {}, () => {
    events.push('message')
    if (events.filter((event) => event === 'message').length === 3) {
      closing = listener.close()
      events.push('close returned')
    }
  })
  /** @type {Promise<void> | undefined} */
  let closing
  for (const event of /** @type {const} */ (['listening', 'close']))
    listener.on(event, () => void events.push(event))
  castTo(t, listener, 'hello', 1)
  block(50)
  assert.equal(events.length, 0)
  await once(listener, 'close')
  await closing
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual(events, [
    'listening',
    'message',
    'message',
    'message',
    'close returned',
    'close'
  ])
})

test('close at once: only close fires', async (t) => {
  const events = /** @type {string[]} */ ([])
  const listener = listenHere(t, {}, () => void events.push('message'))
  for (const event of /** @type {const} */ (['listening', 'close']))
    listener.on(event, () => void events.push(event))
  castTo(t, listener, 'hello', 1)
  await listener.close()
  assert.deepEqual(events, ['close'])
})

test('a closed object says so, and closing again is no error', async (t) => {
  const listener = listenHere(t)
  const caster = castTo(t, listener, 'hello')
  const closing = [listener.close(), caster.close()]
  assert.equal(listener.close(), closing[0])
  /** @type {[string, () => unknown][]} */
  const calls = [
    ['Listener', () => listener.address()],
    ['Listener', () => listener.join('239.1.1.1')],
    ['Listener', () => listener.leave('224.0.0.1')],
    ['Listener', () => listener.stats()],
    ['Listener', () => listener.ref()],
    ['Listener', () => listener.unref()],
    ['Caster', () => caster.update('x')],
    ['Caster', () => caster.send()],
    ['Caster', () => caster.stats()],
    ['Caster', () => caster.ref()],
    ['Caster', () => caster.unref()]
  ]
  const refused = () => {
    for (const [what, call] of calls) {
      assert.throws(call, { name: 'Error', code: 'ERR_CLOSED', message: `The ${what} is closed` })
    }
  }
  refused()
  await Promise.all(closing)
  refused()
  await Promise.all([listener.close(), caster.close()])
})

test('a callback may open and close others', async (t) => {
  const group = newGroup()
  const second = new Promise((resolve) => {
    const first = listenHere(t, { group }, async () => {
      await first.close()
      const other = listenHere(t, { group }, resolve)
      castTo(t, other, 'again', 5, { group })
    })
    castTo(t, first, 'hello', 5, { group })
  })
  assert.equal(String(await second), 'again')
})

test('ref and unref return the object', (t) => {
  const listener = listenHere(t)
  const caster = castTo(t, listener, 'hello')
  for (const handle of [listener, caster]) {
    assert.equal(handle.unref(), handle)
    assert.equal(handle.unref(), handle)
    assert.equal(handle.ref(), handle)
  }
})

test('asyncDispose closes', async (t) => {
  const listener = listenHere(t)
  await listener[Symbol.asyncDispose]()
  assert.throws(() => listener.address(), { code: 'ERR_CLOSED' })
})
