'use strict'

const { execFileSync } = require('node:child_process')
const { join } = require('node:path')
const { cast, listen } = require('..')
const { DEADLINE, Process } = require('./process.js')

/** The interface that tests outside the lab keep to. */
const LOOPBACK = { interfaces: '127.0.0.1' }

/**
 * Listens on loopback, on a port of its own, until the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('..').ListenOptions} [options]
 * @param {(message: any, from: import('..').From) => void} [callback]
 */
function listenHere(t, options, callback) {
  const listener = listen({ port: 0, ...LOOPBACK, ...options }, callback)
  t.after(() => listener.close())
  return listener
}

/**
 * Casts on loopback, to a listener's port, until the test ends; once, unless told how often.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('..').Listener<any>} listener
 * @param {import('..').Payload} payload
 * @param {number} [intervalMs]
 * @param {import('..').CastOptions} [options]
 */
function castTo(t, listener, payload, intervalMs = 1e9, options = {}) {
  const { port } = listener.address()
  const caster = cast(payload, intervalMs, { port, ...LOOPBACK, ...options })
  t.after(() => caster.close())
  return caster
}

let groups = 0

/**
 * A group that nobody else on this computer uses, for on loopback all hear each other: it is made of the number of this process.
 */
const newGroup = () => `239.${128 | ((process.pid >> 8) & 127)}.${process.pid & 255}.${++groups}`

/** Stops this thread, and with it the event loop. */
const block = (/** @type {number} */ ms) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/**
 * Stops this thread, and with it the event loop, until something is so that does not need them.
 *
 * @param {() => unknown} condition
 */
function blockUntil(condition) {
  const deadline = Date.now() + DEADLINE
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it never was so that ${condition}`)
    block(1)
  }
}

/**
 * Sends datagrams on loopback at an exact rate, from another process.
 *
 * @param {import('node:test').TestContext} t
 * @param {{ group: string, port: number, bytes: number, rate: number, count: number }} plan `rate` per second
 */
function traffic(t, { group, port, bytes, rate, count }) {
  const args = [group, port, bytes, rate, count].map(String)
  return new Process(t, 'traffic', [trafficProgram('traffic'), '127.0.0.1', ...args])
}

/**
 * Builds the native programs of the tests, and gives where one is; cargo does nothing when they are fresh.
 *
 * @param {'traffic' | 'peers' | 'hostile'} name
 */
function trafficProgram(name) {
  const root = join(__dirname, '..')
  const folder = join(root, 'bench', 'traffic')
  const target = join(root, 'target', 'traffic')
  const args = ['build', '--release', '--locked', '--quiet', '--target-dir', target]
  execFileSync('cargo', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  return join(target, 'release', name)
}

module.exports = {
  LOOPBACK,
  block,
  blockUntil,
  castTo,
  listenHere,
  newGroup,
  traffic,
  trafficProgram
}
