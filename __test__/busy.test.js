'use strict'

// What JavaScript does, or fails to do, harms nobody else: not other listeners, not what is announced, not other peers.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const {
  LOOPBACK,
  block,
  blockUntil,
  castTo,
  listenHere,
  newGroup,
  traffic
} = require('./loopback.js')
const { run, until } = require('./process.js')

/** Set by scripts/nightly. */
const SECONDS = process.env.LAN_PEERS_LONG === 'yes' ? 30 : 5

test(`blocked for ${SECONDS} s: casts go on, and nothing that was heard is lost within highWaterMark`, async (t) => {
  const receiver = run(t, 'fixtures/listen.js', { port: 0, ...LOOPBACK })
  const { listening } = await receiver.json((said) => said.listening)
  const options = { port: listening.port, ...LOOPBACK }
  const [intervalMs, casts] = [100, 5 * SECONDS]
  // For so long, and until so many are sent: half of those that are due, for a machine that has much else to do.
  const ms = SECONDS * 1000
  const sender = run(t, 'fixtures/blocked-cast.js', intervalMs, casts, ms, options)

  const [group, bytes, rate] = [newGroup(), 100, 10_000]
  const count = rate * (SECONDS - 1)
  const whole = listenHere(t, { group, highWaterMark: count * (bytes + 64) })
  const { port } = whole.address()
  const kept = 1000
  const part = listenHere(t, { group, port, encoding: 'utf8', highWaterMark: kept * (bytes + 64) })
  let told = 0
  part.on('drop', (dropped) => (told += dropped))
  const heard = /** @type {number[]} */ ([])
  part.on('message', (/** @type {any} */ message) => heard.push(Number(message.slice(0, 8))))
  await receiver.json((said) => said.message === 'free')
  const flood = traffic(t, { group, port, bytes, rate, count })
  block(ms)
  blockUntil(() => whole.stats().received + whole.stats().lost === count)
  assert.equal((await flood.end()).code, 0)
  await sender.json((said) => said.blocked)
  await receiver.json((said) => said.message === 'unblocked')
  const came = receiver.values().filter((said) => said?.message === 'blocked').length
  assert.ok(came >= casts, `${came}`)

  for (const listener of [whole, part]) {
    await until(() => {
      const { delivered, dropped, lost } = listener.stats()
      return delivered + dropped + lost === count
    })
  }
  assert.equal(whole.stats().dropped, 0)
  const { dropped, lost, received } = part.stats()
  // Hardly any was delivered before it was blocked.
  assert.ok(received > 2 * kept && dropped > received - 2 * kept, `${dropped} of ${received}`)
  assert.equal(told, dropped)
  if (lost === 0) {
    const newest = Array.from({ length: kept }, (_, i) => count - kept + i)
    assert.deepEqual(heard.slice(-kept), newest, 'the newest are kept')
  }
  t.diagnostic(`${came} casts; of ${count} datagrams ${lost} lost, ${dropped} dropped`)
})

test('a callback that blocks again and again recovers, and others hear all', async (t) => {
  const [group, count] = [newGroup(), 3000]
  let slow = 0
  const first = listenHere(t, { group }, () => {
    if (++slow % 100 === 0) block(20)
  })
  const { port } = first.address()
  let quick = 0
  const second = listenHere(t, { group, port }, () => quick++)
  const sender = traffic(t, { group, port, bytes: 10, rate: 10_000, count })
  await until(() => slow + first.stats().lost === count && quick + second.stats().lost === count)
  assert.equal(first.stats().dropped + second.stats().dropped, 0)
  assert.equal((await sender.end()).code, 0)
})

test('a callback that closes another listener has it hear no more, though messages wait for it', async (t) => {
  const [group, count] = [newGroup(), 200]
  const heard = /** @type {string[]} */ ([])
  const listeners = /** @type {import('..').Listener<any>[]} */ ([])
  const open = (/** @type {string} */ name, port = 0) => {
    const listener = listenHere(t, { group, port }, () => {
      heard.push(name)
      for (const other of listeners) if (other !== listener) other.close()
    })
    listeners.push(listener)
    return listener.address().port
  }
  const port = open('first')
  open('second', port)
  const sender = traffic(t, { group, port, bytes: 10, rate: 10_000, count })
  blockUntil(() => listeners.every((listener) => listener.stats().received === count))
  await until(() => heard.length === count)
  assert.equal(new Set(heard).size, 1, 'one of them alone')
  assert.equal((await sender.end()).code, 0)
})

test('a listener of an event that is added late hears what comes from then on', async (t) => {
  const [group, count] = [newGroup(), 500]
  const listener = listenHere(t, { group, encoding: 'utf8' })
  const { port } = listener.address()
  const early = traffic(t, { group, port, bytes: 10, rate: 10_000, count })
  assert.equal((await early.end()).code, 0)
  await until(() => listener.stats().delivered === count)
  const heard = { first: 0, inTheMidst: 0 }
  listener.on('message', () => {
    if (++heard.first === 10) listener.on('message', () => heard.inTheMidst++)
  })
  const late = traffic(t, { group, port, bytes: 10, rate: 10_000, count })
  assert.equal((await late.end()).code, 0)
  await until(() => heard.first === count)
  assert.deepEqual(heard, { first: count, inTheMidst: count - 10 })
})

/** @type {[string, (t: import('node:test').TestContext, end: () => void) => void][]} */
const EVENTS = [
  ['listening', (t, end) => listenHere(t).on('listening', end)],
  [
    'message',
    (t, end) => {
      const listener = listenHere(t)
      castTo(t, listener, 'hello', 1)
      listener.on('message', end)
    }
  ],
  [
    'drop',
    (t, end) => {
      const listener = listenHere(t, { highWaterMark: 100 })
      const caster = castTo(t, listener, 'hello')
      for (let i = 0; i < 10; i++) caster.send()
      blockUntil(() => listener.stats().dropped > 0)
      listener.on('drop', end)
    }
  ],
  // Of an interface that is nowhere.
  ['warning', (t, end) => listenHere(t, { interfaces: 'nowhere0' }).on('warning', end)],
  [
    'warning',
    (t, end) => castTo(t, listenHere(t), 'x', 10, { interfaces: 'nowhere0' }).on('warning', end)
  ],
  [
    'close',
    (t, end) => {
      const listener = listenHere(t)
      listener.on('close', end).close()
    }
  ]
]

for (const [event, open] of EVENTS) {
  test(`close() from inside '${event}'`, async (t) => {
    const events = /** @type {string[]} */ ([])
    await new Promise((resolve, reject) => {
      open(
        t,
        /** @this {import('..').Listener} */ function () {
          events.push(event)
          for (const other of /** @type {const} */ (['message', 'drop', 'warning'])) {
            this.on(/** @type {any} */ (other), () => void events.push(`${other} after close`))
          }
          this.on('close', () => void events.push('close'))
          const closing = this.close()
          if (closing !== this.close()) events.push('another promise')
          closing.then(() => setTimeout(resolve, 20), reject)
        }
      )
    })
    // A 'close' that closes is over with that.
    assert.deepEqual(events, event === 'close' ? ['close'] : [event, 'close'])
  })
}

/** @type {[how: string, listener: string[], caster: string[]][]} */
const IN_INTERFACES = [
  ['each', ['interfaces', 'close', 'closed'], ['interfaces', 'close', 'closed']],
  ['both', ['interfaces', 'close', 'closed'], ['close', 'closed']]
]

for (const [how, ...expected] of IN_INTERFACES) {
  test(`close() from inside 'interfaces': ${how}`, { skip: needs('lab') }, async (t) => {
    const { a } = await hosts(t, { a: [0] })
    const program = a.run('fixtures/closing.js', how)
    await program.json((said) => said.open)
    a.ip('address add 127.0.0.77/8 dev lo')
    assert.deepEqual(await program.end(), { code: 0, signal: null })
    const said = program.values().filter((value) => value?.event)
    const events = ['listener', 'caster'].map((who) =>
      said.filter((value) => value.who === who).map(({ event }) => event)
    )
    assert.deepEqual(events, expected)
  })
}

test('what was dropped is not told after close()', async (t) => {
  const first = listenHere(t, {}, () => second.close())
  const second = listenHere(t, { port: first.address().port, highWaterMark: 100 })
  const caster = castTo(t, first, 'hello')
  for (let i = 0; i < 10; i++) caster.send()
  blockUntil(() => second.stats().dropped > 0 && first.stats().received > 0)
  // In the same turn, before the engine can have closed it.
  second.on('drop', () => assert.fail('told'))
  await once(second, 'close')
})

test('to close in an iteration ends it', async (t) => {
  const listener = listenHere(t)
  castTo(t, listener, 'hello', 1)
  let heard = 0
  for await (const { message } of listener) {
    assert.equal(String(message), 'hello')
    if (++heard === 3) await listener.close()
  }
  assert.equal(heard, 3)
})

test('what JavaScript cannot make a message of is uncaught, and the rest comes all the same', async (t) => {
  const program = run(t, 'fixtures/broken.js')
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const { heard, uncaught, closed } = await program.json(() => true)
  assert.deepEqual(uncaught, ['no memory', 'no warnings'])
  assert.ok(heard >= 300, `${heard}`)
  assert.ok(closed)
})
