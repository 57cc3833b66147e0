'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const dgram = require('node:dgram')
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const { getSystemErrorMap } = require('node:util')
const { cast, listen } = require('..')
const { LOOPBACK, block, castTo, listenHere, traffic, trafficProgram } = require('./loopback.js')
const { temporary } = require('./preload.js')
const { Process, openSockets, run, until } = require('./process.js')
const { COUNTS, LOST, SOURCES, isLinux, loopbackName, noSecondAddress } = require('./system.js')

/**
 * Sends datagrams by unicast to a listener on loopback, and resolves when the system has taken them.
 *
 * @param {import('..').Listener<any>} listener
 * @param {(string | Buffer)[]} messages
 */
async function sendTo(listener, messages) {
  // macOS sends no datagram that is longer than the buffer, which begins with 9,216 bytes.
  const socket = dgram.createSocket({ type: 'udp4', sendBufferSize: 128 * 1024 })
  const { port } = listener.address()
  for (const message of messages) {
    await new Promise((resolve) => socket.send(message, port, '127.0.0.1', resolve))
  }
  socket.close()
}

test('who sends is told rightly, however many do', async (t) => {
  if (!isLinux) return t.skip(SOURCES)
  const senders = 20_000
  const heard = new Map()
  const listener = listenHere(t, { encoding: 'json' }, ({ n }, { address }) =>
    heard.set(n, address)
  )
  const { port } = listener.address()
  // More than are known by number at a time, each from an address of its own, twice.
  const lines = Array.from({ length: senders }, (_, n) => Buffer.from(`{"n":${n}}`).toString('hex'))
  const file = join(temporary(t), 'announcements')
  writeFileSync(file, lines.join('\n'))
  const args = ['127.0.0.1', '224.0.0.1', port, file, 40_000, 2 * senders].map(String)
  new Process(t, 'peers', [trafficProgram('peers'), ...args])
  await until(() => listener.stats().received === 2 * senders && heard.size === senders)
  for (const [n, address] of heard) {
    const number = 0x7f000001 + 1 + n
    assert.equal(address, [24, 16, 8, 0].map((shift) => (number >> shift) & 255).join('.'))
  }
})

test('tells where it listens, on the next tick and not before', async (t) => {
  const listener = listenHere(t)
  let listening = false
  listener.on('listening', () => (listening = true))
  assert.equal(listening, false)
  await once(listener, 'listening')
  const { address, family, port } = listener.address()
  assert.equal(address, '0.0.0.0')
  assert.equal(family, 'IPv4')
  assert.ok(port > 0 && port < 65536)
  assert.deepEqual(listener.groups, ['224.0.0.1'])
})

test('a message is a Buffer with memory of its own', async (t) => {
  const heard = /** @type {Buffer[]} */ ([])
  const listener = listenHere(t, {}, (message) => heard.push(message))
  await sendTo(listener, ['one', '', 'three'])
  await until(() => heard.length === 3)
  assert.deepEqual(heard.map(String), ['one', '', 'three'])
  for (const message of heard) {
    assert.ok(Buffer.isBuffer(message))
    assert.equal(message.buffer.byteLength, message.length)
  }
  // What comes later leaves what came before as it was.
  await sendTo(listener, ['four '.repeat(100)])
  await until(() => heard.length === 4)
  assert.deepEqual(heard.slice(0, 3).map(String), ['one', '', 'three'])
})

test("from is dgram's rinfo and more, a new object each time", async (t) => {
  const heard = /** @type {import('..').From[]} */ ([])
  const listener = listenHere(t, {}, (_, from) => heard.push(from))
  const caster = castTo(t, listener, 'hello', 10)
  await until(() => heard.length >= 2)
  await caster.close()
  const [first, second] = heard
  assert.deepEqual(first, {
    address: '127.0.0.1',
    family: 'IPv4',
    port: first.port,
    size: 5,
    interface: loopbackName,
    group: '224.0.0.1'
  })
  assert.deepEqual(second, first)
  assert.notEqual(second, first)

  await sendTo(listener, ['unicast'])
  await until(() => heard.some(({ size }) => size === 7))
  assert.equal(heard.find(({ size }) => size === 7)?.group, null)
})

test("encoding 'utf8' gives strings", async (t) => {
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(t, { encoding: 'utf8' }, (message) => heard.push(message))
  const messages = ['ascii', '', 'grüße 👋', '\u0000', 'x'.repeat(9000)]
  await sendTo(listener, messages)
  await until(() => heard.length === messages.length)
  assert.deepEqual(heard, messages)
})

test("encoding 'json' gives what JSON.parse does, and counts the rest as malformed", async (t) => {
  const heard = /** @type {any[]} */ ([])
  const listener = listenHere(t, { encoding: 'json' }, (message) => heard.push(message))
  const deep = (/** @type {number} */ levels) => '['.repeat(levels) + ']'.repeat(levels)
  const good = ['{"a":[1,{"b":null}]}', '"TEST"', '5', 'null', 'true', ' [ ] ', deep(64), '1e999']
  const bad = [
    '',
    'TEST',
    '{',
    '{"a":1}x',
    'NaN',
    deep(65),
    deep(32_000),
    '{"a":'.repeat(65) + '1' + '}'.repeat(65),
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])
  ]
  await sendTo(listener, [...good, ...bad, '"end"'])
  await until(() => heard.at(-1) === 'end')
  assert.deepEqual(
    heard.slice(0, -1),
    good.map((text) => JSON.parse(text))
  )
  const { received, delivered, malformed, dropped } = listener.stats()
  assert.deepEqual(
    { received, delivered, malformed, dropped },
    {
      received: good.length + bad.length + 1,
      delivered: good.length + 1,
      malformed: bad.length,
      dropped: 0
    }
  )
})

test("encoding 'json' pollutes no prototype", async (t) => {
  const heard = /** @type {any[]} */ ([])
  const listener = listenHere(t, { encoding: 'json' }, (message) => heard.push(message))
  await sendTo(listener, [
    '{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":2}},"b":[{"__proto__":3}]}',
    '{"\\u005f_proto__":{"polluted":4}}',
    '{"constructor":{"prototype":{"polluted":5}},"event":"error"}'
  ])
  await until(() => heard.length === 3)
  const [nested, escaped, constructor] = heard
  assert.deepEqual(nested, { a: {}, b: [{}] })
  assert.equal(Object.hasOwn(nested, '__proto__'), false)
  assert.equal(Object.hasOwn(nested.a, '__proto__'), false)
  assert.equal(Object.hasOwn(nested.b[0], '__proto__'), false)
  assert.equal(Object.hasOwn(escaped, '__proto__'), false)
  assert.equal(Object.assign({}, nested, nested.a, escaped).polluted, undefined)
  assert.deepEqual(constructor, { constructor: { prototype: { polluted: 5 } }, event: 'error' })
  assert.equal(/** @type {any} */ ({}).polluted, undefined)
})

test('the largest datagram comes through', async (t) => {
  const heard = /** @type {Buffer[]} */ ([])
  const listener = listenHere(t, {}, (message) => heard.push(message))
  const large = Buffer.alloc(65_507, 'x')
  const caster = castTo(t, listener, large)
  caster.on('warning', () => {})
  await until(() => heard.length === 1)
  assert.ok(heard[0].equals(large))
})

test('joins and leaves groups while it listens', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(
    t,
    { encoding: 'utf8', group: ['239.1.1.1', '239.1.1.1'] },
    (message, { group }) => heard.push(`${message} to ${group}`)
  )
  assert.deepEqual(listener.groups, ['239.1.1.1'])
  castTo(t, listener, 'a', 5, { group: '239.1.1.1' })
  castTo(t, listener, 'b', 5, { group: '239.1.1.2' })
  await until(() => heard.length >= 5)
  assert.deepEqual([...new Set(heard)], ['a to 239.1.1.1'])

  listener.join('239.1.1.2')
  listener.join('239.1.1.2')
  assert.deepEqual(listener.groups, ['239.1.1.1', '239.1.1.2'])
  await until(() => heard.includes('b to 239.1.1.2'))

  listener.leave('239.1.1.1')
  assert.deepEqual(listener.groups, ['239.1.1.2'])
  // What was heard before it left may still come; after some of the other, all has.
  heard.length = 0
  await until(() => heard.filter((message) => message.startsWith('b')).length >= 3)
  heard.length = 0
  await until(() => heard.length >= 5)
  assert.deepEqual([...new Set(heard)], ['b to 239.1.1.2'])
})

test('what 25 groups take beside one socket is given back when they are left', (t) => {
  if (!isLinux) return t.skip(COUNTS)
  const listener = listenHere(t)
  const before = openSockets()
  const groups = Array.from({ length: 25 }, (_, i) => `239.1.8.${i}`)
  for (const group of groups) listener.join(group)
  assert.ok(openSockets() > before, 'Linux lets one have 20')
  for (const group of groups) listener.leave(group)
  assert.equal(openSockets(), before)
})

test('two listeners of one port both hear, and leaving by one takes nothing from the other', async (t) => {
  const heard = { first: 0, second: 0 }
  const first = listenHere(t, { group: '239.1.1.3' }, () => heard.first++)
  const { port } = first.address()
  const second = listenHere(t, { group: '239.1.1.3', port }, () => heard.second++)
  assert.equal(second.address().port, port)
  castTo(t, first, 'hello', 5, { group: '239.1.1.3' })
  await until(() => heard.first >= 3 && heard.second >= 3)
  first.leave('239.1.1.3')
  const before = heard.second
  await until(() => heard.second >= before + 5)
  await first.close()
  const then = heard.second
  await until(() => heard.second >= then + 5)
})

test('self: false leaves out what this process sends, and nothing else', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const all = /** @type {string[]} */ ([])
  const listener = listenHere(t, { encoding: 'utf8', self: false }, (message) =>
    heard.push(message)
  )
  const { port } = listener.address()
  listenHere(t, { encoding: 'utf8', port }, (message) => all.push(message))
  const other = run(t, 'fixtures/cast.js', 'theirs', '20', { port, ...LOOPBACK })
  await other.json((said) => said.casting)
  // Short-lived casts too: what they sent may be read after they are closed.
  for (let i = 0; i < 50; i++) await cast('ours', 1000, { port, ...LOOPBACK }).close()
  castTo(t, listener, 'ours', 5)
  const before = heard.length
  await until(() => heard.length >= before + 5 && all.filter((one) => one === 'ours').length >= 55)
  assert.deepEqual([...new Set(heard)], ['theirs'])
})

test('an event loop blocked for 2 s under 50,000 datagrams/s loses nothing that is not counted', async (t) => {
  if (!isLinux) return t.skip(LOST)
  const count = 100_000
  const numbers = new Set()
  const listener = listenHere(t, { group: '239.1.1.4', encoding: 'utf8' }, (message) =>
    numbers.add(message.slice(0, 8))
  )
  const { port } = listener.address()
  const sender = traffic(t, { group: '239.1.1.4', port, bytes: 100, rate: 50_000, count })
  await until(() => numbers.size > 0)
  block(2000)
  assert.equal((await sender.end()).code, 0)
  await until(() => {
    const { delivered, lost } = listener.stats()
    return delivered + lost === count
  })
  const { received, delivered, lost, dropped, bytes, malformed } = listener.stats()
  assert.equal(dropped, 0)
  assert.equal(malformed, 0)
  assert.equal(received, delivered)
  assert.equal(bytes, delivered * 100)
  assert.equal(numbers.size, delivered, 'each once')
  t.diagnostic(
    `lost in the kernel: ${lost}, receive buffer: ${listener.stats().receiveBuffer} bytes`
  )
})

test('past highWaterMark the oldest are dropped, counted and told', async (t) => {
  const count = 10_000
  const heard = /** @type {number[]} */ ([])
  let told = 0
  const listener = listenHere(
    t,
    { group: '239.1.1.5', encoding: 'utf8', highWaterMark: 100 * (100 + 64) },
    (message) => heard.push(Number(message.slice(0, 8)))
  )
  listener.on('drop', (dropped) => (told += dropped))
  const { port } = listener.address()
  const sender = traffic(t, { group: '239.1.1.5', port, bytes: 100, rate: 20_000, count })
  await until(() => heard.length > 0)
  block(1500)
  assert.equal((await sender.end()).code, 0)
  await until(() => {
    const { delivered, dropped, lost } = listener.stats()
    return delivered + dropped + lost === count
  })
  const { dropped, lost, received, delivered } = listener.stats()
  assert.ok(dropped > count / 2, `${dropped}`)
  assert.equal(told, dropped)
  assert.equal(received, delivered + dropped)
  assert.equal(heard.length, delivered)
  if (lost === 0) {
    const last = Array.from({ length: 100 }, (_, i) => count - 100 + i)
    assert.deepEqual(heard.slice(-100), last, 'the newest are kept')
  }
})

test('microtasks run after a batch; with dgram they run between messages', async (t) => {
  const heard = { listen: /** @type {string[]} */ ([]), dgram: /** @type {string[]} */ ([]) }
  const note = (/** @type {'listen' | 'dgram'} */ by) => () => {
    heard[by].push('message')
    queueMicrotask(() => heard[by].push('microtask'))
  }
  const group = '239.1.1.8'
  const listener = listenHere(t, { group }, note('listen'))
  const { port } = listener.address()
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => socket.close())
  await new Promise((resolve) => socket.bind(port, () => resolve(undefined)))
  socket.addMembership(group, '127.0.0.1')
  socket.on('message', note('dgram'))
  const sender = traffic(t, { group, port, bytes: 8, rate: 1000, count: 3 })
  // They come while the event loop is busy, and so all in one batch.
  const deadline = Date.now() + 20_000
  while (listener.stats().received < 3 && Date.now() < deadline) block(1)
  await until(() => heard.listen.length === 6 && heard.dgram.length === 6)
  assert.equal((await sender.end()).code, 0)
  const [message, microtask] = ['message', 'microtask']
  assert.deepEqual(heard.listen, [message, message, message, microtask, microtask, microtask])
  assert.deepEqual(heard.dgram, [message, microtask, message, microtask, message, microtask])
})

test('50 MB at a blocked listener take no more memory than highWaterMark, and the newest are kept', async (t) => {
  const highWaterMark = 1024 * 1024
  const [bytes, count] = [1000, 50_000]
  const heard = /** @type {number[]} */ ([])
  let told = 0
  const listener = listenHere(
    t,
    { group: '239.1.1.6', encoding: 'utf8', highWaterMark },
    (message) => heard.push(Number(message.slice(0, 8)))
  )
  listener.on('drop', (dropped) => (told += dropped))
  const { port } = listener.address()
  const sender = traffic(t, { group: '239.1.1.6', port, bytes, rate: 25_000, count })
  await until(() => heard.length > 0)
  // The receive buffers of the engine are touched by now, or soon.
  block(200)
  const before = process.memoryUsage.rss()
  block(2000)
  const grown = process.memoryUsage.rss() - before
  assert.equal((await sender.end()).code, 0)
  await until(() => {
    const { delivered, dropped, lost } = listener.stats()
    return delivered + dropped + lost === count
  })
  const { dropped, lost, received, delivered } = listener.stats()
  assert.ok(received * bytes > 40e6, `${received}`)
  // A vector has up to twice the room it needs, and there is one batch to spare: far from 50 MB.
  assert.ok(grown < 4 * highWaterMark, `${grown} bytes`)
  assert.equal(told, dropped)
  assert.equal(received, delivered + dropped)
  assert.equal(heard.length, delivered)
  const kept = Math.floor(highWaterMark / (bytes + 64))
  if (lost === 0) {
    const last = Array.from({ length: kept }, (_, i) => count - kept + i)
    assert.deepEqual(heard.slice(-kept), last, 'the newest are kept')
  }
  t.diagnostic(`dropped ${dropped}, lost ${lost}, memory grew by ${grown} bytes`)
})

test('empty datagrams count against highWaterMark, too', async (t) => {
  const [kept, count] = [1000, 20_000]
  let heard = 0
  const options = { group: '239.1.1.7', highWaterMark: kept * 64 + 63 }
  const listener = listenHere(t, options, (message) => {
    assert.equal(message.length, 0)
    heard++
  })
  const { port } = listener.address()
  const sender = traffic(t, { group: '239.1.1.7', port, bytes: 0, rate: 20_000, count })
  await until(() => heard > 0)
  const before = heard
  block(1500)
  assert.equal((await sender.end()).code, 0)
  await until(() => {
    const { delivered, dropped, lost } = listener.stats()
    return delivered + dropped + lost === count
  })
  const { dropped, delivered, bytes } = listener.stats()
  assert.equal(delivered, heard)
  assert.equal(bytes, 0)
  assert.ok(dropped > count / 2, `${dropped}`)
  assert.ok(heard >= before + kept, `${heard}`)
})

test('source: only what this sender sends is heard, and takes nothing from other listeners', async (t) => {
  if (noSecondAddress) return t.skip(noSecondAddress)
  const group = ['232.1.1.1', '224.0.0.1']
  const heard = { only: /** @type {string[]} */ ([]), all: /** @type {string[]} */ ([]) }
  const said = (/** @type {string} */ message, /** @type {import('..').From} */ from) =>
    `${message} from ${from.address} to ${from.group}`
  const options = { group, encoding: /** @type {const} */ ('utf8') }
  const all = listenHere(t, options, (...args) => heard.all.push(said(...args)))
  const { port } = all.address()
  const only = listenHere(t, { ...options, port, source: '127.0.0.2' }, (...args) =>
    heard.only.push(said(...args))
  )
  assert.deepEqual(only.address(), all.address())
  const send = async (/** @type {string} */ message) => {
    for (const from of ['127.0.0.1', '127.0.0.2']) {
      const socket = dgram.createSocket('udp4')
      await new Promise((resolve) => socket.bind(0, from, () => resolve(undefined)))
      socket.setMulticastInterface('127.0.0.1')
      for (const to of [...group, '127.0.0.1']) {
        await new Promise((resolve) => socket.send(message, port, to, resolve))
      }
      socket.close()
    }
  }
  const from = (/** @type {string} */ message, /** @type {string} */ address) =>
    [...group, 'null'].map((to) => `${message} from ${address} to ${to}`)
  await send('one')
  await until(() => heard.all.length === 6 && heard.only.length === 3)
  assert.deepEqual(
    heard.all.toSorted(),
    [...from('one', '127.0.0.1'), ...from('one', '127.0.0.2')].toSorted()
  )
  assert.deepEqual(heard.only.toSorted(), from('one', '127.0.0.2').toSorted())

  only.leave('232.1.1.1')
  await send('two')
  await until(() => heard.all.length === 12 && heard.only.length === 5)
  assert.ok(!heard.only.includes('two from 127.0.0.2 to 232.1.1.1'))
  only.join('232.1.1.1')
  await send('three')
  await until(() => heard.all.length === 18 && heard.only.length === 8)
  assert.equal(only.stats().received, 8)
  await only.close()
  await send('four')
  await until(() => heard.all.length === 24)
  assert.equal(heard.only.length, 8)
})

test('receiveBuffer is asked for, and what was granted is told', (t) => {
  const small = listenHere(t, { receiveBuffer: 65_536 })
  const large = listenHere(t, { receiveBuffer: 200_000 })
  // Linux grants twice what is asked for, see socket(7).
  const times = process.platform === 'linux' ? 2 : 1
  assert.equal(small.stats().receiveBuffer, times * 65_536)
  assert.equal(large.stats().receiveBuffer, times * 200_000)
  const { port } = small.address()
  const shared = listenHere(t, { port, receiveBuffer: 100_000 })
  assert.equal(shared.stats().receiveBuffer, times * 100_000)
  assert.equal(small.stats().receiveBuffer, times * 100_000, 'they share a socket')
})

test('a port in use by a program that does not share it is refused as dgram would', async (t) => {
  const socket = dgram.createSocket('udp4')
  t.after(() => socket.close())
  // To every address: macOS and Windows share a port that is bound to one address alone.
  await new Promise((resolve) => socket.bind(0, () => resolve(undefined)))
  const { port } = socket.address()
  const [code, hint] =
    process.platform === 'win32'
      ? ['EACCES', /another program has it for itself/]
      : ['EADDRINUSE', /uses the port without sharing it/]
  assert.throws(() => listen({ port, ...LOOPBACK }), {
    name: 'Error',
    message: `bind ${code} 0.0.0.0:${port}`,
    code,
    errno: [...getSystemErrorMap()].find(([, [name]]) => name === code)?.[0],
    syscall: 'bind',
    hint,
    address: '0.0.0.0',
    port
  })
})

test('a port that the system chose is shared like any other', async (t) => {
  const { port } = listenHere(t).address()
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => socket.close())
  await new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.bind(port, () => resolve(undefined))
  })
})

test('the port is free when close has resolved', async (t) => {
  const listener = listenHere(t)
  const { port } = listener.address()
  await listener.close()
  const socket = dgram.createSocket('udp4')
  t.after(() => socket.close())
  await new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.bind(port, () => resolve(undefined))
  })
})
