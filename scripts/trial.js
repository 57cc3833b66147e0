'use strict'

// What scripts/wine runs on Windows' side, scripts/platforms for other systems, and scripts/sanitize under valgrind: the package in
// the folder that the first argument names, on loopback.
// Prints a line for each trial, and fails if one does.

const assert = require('node:assert/strict')
const { createSocket } = require('node:dgram')
const { once } = require('node:events')
const { networkInterfaces } = require('node:os')

/** @type {typeof import('..')} */
const { cast, diagnose, discover, interfaces, listen } = require(process.argv[2] ?? '..')

const HERE = { interfaces: '127.0.0.1', group: '239.77.0.1' }

/** How long a trial may take in milliseconds. */
const DEADLINE = 10_000

/** Trials that Wine and qemu are known to fail for reasons of their own, see scripts/wine and scripts/platforms. */
const NOT_EMULATED = ['a listener for one source hears it']

/** @type {Record<string, () => Promise<void> | void>} */
const TRIALS = {
  'interfaces are those of os.networkInterfaces()'() {
    const named = interfaces().filter(({ addresses }) => addresses.length > 0)
    assert.deepEqual(
      named.map(({ name }) => name).toSorted(),
      Object.keys(networkInterfaces()).toSorted()
    )
    const cidrs = named.flatMap(({ addresses }) => addresses.map(({ cidr }) => cidr))
    assert.ok(cidrs.includes('127.0.0.1/8'), cidrs.join())
  },
  async 'a listener hears a cast, and says where it came from'() {
    await hear(
      {},
      (port) => cast('hello', 20, { ...HERE, port }),
      ({ text, from }) => {
        assert.equal(text, 'hello')
        assert.equal(from.address, '127.0.0.1')
        assert.equal(from.group, HERE.group)
      }
    )
  },
  async 'a listener hears what dgram sends straight to it'() {
    await hear(
      {},
      (port) => sending('127.0.0.1', port),
      ({ text, from }) => {
        assert.equal(text, 'direct')
        assert.equal(from.group, null)
      }
    )
  },
  async 'a listener hears what dgram sends straight to it over IPv6'() {
    const options = { group: 'ff02::1', interfaces: '::1' }
    await hear(
      options,
      (port) => sending('::1', port),
      ({ text, from }) => {
        assert.equal(text, 'direct')
        assert.equal(from.address, '::1')
      }
    )
  },
  async 'two who discover find each other, and a goodbye is one'() {
    const options = { ...HERE, port: 20_780 }
    const a = discover({ name: 'a' }, options)
    const b = discover({ name: 'b' }, options)
    const [peer] = await once(a, 'up')
    assert.equal(peer.data.name, 'b')
    assert.equal(peer.address, '127.0.0.1')
    const gone = once(a, 'down')
    await b.close()
    assert.equal((await gone)[1], 'bye')
    await a.close()
  },
  async 'who has the key is found'() {
    const options = { ...HERE, port: 20_781, key: Buffer.alloc(32, 7) }
    const a = discover({ name: 'a' }, options)
    const b = discover({ name: 'b' }, options)
    const [peer] = await once(b, 'up')
    assert.equal(peer.data.name, 'a')
    await Promise.all([a.close(), b.close()])
  },
  async 'a diagnosis says that loopback hears itself'() {
    const { ok, findings } = await diagnose({ ...HERE, port: 20_782, duration: 1000 })
    assert.ok(ok, JSON.stringify(findings))
  },
  async 'a cast by route reaches its host'() {
    const route = (/** @type {number} */ port) =>
      cast('route', 20, { interfaces: '!*', to: `127.0.0.1:${port}` })
    await hear({}, route, ({ text, from }) => {
      assert.equal(text, 'route')
      assert.equal(from.group, null)
    })
  },
  async 'a TTL of 0 reaches this host'() {
    await hear(
      {},
      (port) => cast('near', 20, { ...HERE, port, ttl: 0 }),
      ({ text }) => {
        assert.equal(text, 'near')
      }
    )
  },
  async 'a listener for one source hears it'() {
    const options = { source: '127.0.0.1' }
    await hear(
      options,
      (port) => cast('source', 20, { ...HERE, port }),
      ({ text, from }) => {
        assert.equal(text, 'source')
        assert.equal(from.group, HERE.group)
      }
    )
  },
  async 'the largest datagram passes'() {
    const payload = 'x'.repeat(65_507)
    await hear(
      {},
      (port) => quiet(cast(payload, 100, { ...HERE, port })),
      ({ text }) => {
        assert.equal(text, payload)
      }
    )
  },
  async 'self: false leaves out what this process sends'() {
    const all = listen({ ...HERE, port: 0 })
    await once(all, 'listening')
    const { port } = all.address()
    const deaf = listen({ ...HERE, port, self: false }, () => assert.fail('heard itself'))
    const caster = cast('own', 5, { ...HERE, port })
    for (let heard = 0; heard < 20; heard++) await once(all, 'message')
    await Promise.all([all.close(), deaf.close(), caster.close()])
  },
  async 'dgram shares the port, and hears the same'() {
    const listener = listen({ ...HERE, port: 0 })
    await once(listener, 'listening')
    const { port } = listener.address()
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    await new Promise((bound) => socket.bind(port, () => bound(undefined)))
    socket.addMembership(HERE.group, '127.0.0.1')
    const caster = cast('shared', 20, { ...HERE, port })
    const [[message], [text]] = await Promise.all([
      once(listener, 'message'),
      once(socket, 'message')
    ])
    assert.equal(String(message), 'shared')
    assert.equal(String(text), 'shared')
    socket.close()
    await Promise.all([listener.close(), caster.close()])
  },
  async 'a port that another program has for itself is refused by the name that Node knows'() {
    const socket = createSocket('udp4')
    await new Promise((bound) => socket.bind(0, () => bound(undefined)))
    const { port } = socket.address()
    assert.throws(
      () => listen({ ...HERE, port }),
      ({ code, syscall }) => {
        assert.match(code, /^(EADDRINUSE|EACCES)$/)
        assert.equal(syscall, 'bind')
        return true
      }
    )
    socket.close()
  },
  async 'a host that refuses datagrams disturbs nobody'() {
    const socket = createSocket('udp4')
    await new Promise((bound) => socket.bind(0, '127.0.0.1', () => bound(undefined)))
    const { port: closed } = socket.address()
    socket.close()
    const refused = cast('refused', 5, { interfaces: '!*', to: `127.0.0.1:${closed}` })
    refused.on('warning', (warning) => assert.equal(warning.code, 'NO_INTERFACE', warning.message))
    await new Promise((passed) => setTimeout(passed, 200))
    assert.ok(refused.stats().sent > 10)
    assert.equal(refused.stats().failed, 0)
    await refused.close()
  },
  async 'what comes at once is heard in full'() {
    const listener = listen({ ...HERE, port: 0 })
    await once(listener, 'listening')
    const { port } = listener.address()
    const socket = createSocket('udp4')
    const sent = 500
    let heard = 0
    const all = new Promise((done) =>
      listener.on('message', () => ++heard === sent && done(undefined))
    )
    for (let i = 0; i < sent; i++) socket.send(String(i), port, '127.0.0.1')
    await all
    socket.close()
    await listener.close()
  }
}

/**
 * Opens a listener and what `open` makes for its port, checks the first message, and closes both.
 *
 * @param {object} options
 * @param {(port: number) => { close(): unknown }} open
 * @param {(message: { text: string, from: import('..').From }) => void} check
 */
async function hear(options, open, check) {
  const listener = listen({ ...HERE, port: 0, ...options })
  listener.on('warning', ({ message }) => console.log(`# ${message}`))
  await once(listener, 'listening')
  const sender = open(listener.address().port)
  const [message, from] = await once(listener, 'message')
  check({ text: String(message), from })
  await Promise.all([listener.close(), sender.close()])
}

/**
 * Sends straight to a port, again and again.
 *
 * @param {string} address
 * @param {number} port
 */
function sending(address, port) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const timer = setInterval(() => socket.send('direct', port, address), 20)
  return {
    close() {
      clearInterval(timer)
      socket.close()
    }
  }
}

/**
 * @param {import('..').Caster} caster
 */
const quiet = (caster) => caster.on('warning', ({ code }) => assert.equal(code, 'LARGE_PAYLOAD'))

async function main() {
  console.log(`# ${process.platform} ${process.arch}, Node ${process.version}`)
  for (const [name, trial] of Object.entries(TRIALS)) {
    if ((process.env.LAN_PEERS_WINE || process.env.LAN_PEERS_QEMU) && NOT_EMULATED.includes(name)) {
      console.log(`skip - ${name}`)
      continue
    }
    const late = setTimeout(() => {
      console.log(`not ok - ${name}: nothing for ${DEADLINE} ms`)
      process.exit(1)
    }, DEADLINE)
    try {
      await trial()
      console.log(`ok - ${name}`)
    } catch (error) {
      process.exitCode = 1
      console.log(`not ok - ${name}: ${error instanceof Error ? error.stack : error}`)
    }
    clearTimeout(late)
  }
  // Nothing is open any more: the process ends by itself, which scripts/wine waits for.
  console.log('# done')
}

main()
