'use strict'

const { execFileSync } = require('node:child_process')
const { join } = require('node:path')
const { cast, listen } = require('..')
const { DEADLINE, Process, nodeCommand } = require('./process.js')
const { isLinux } = require('./system.js')

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
 * Sends datagrams on loopback, numbered from 0, from another process: on Linux at an exact rate, elsewhere at no more than it.
 *
 * @param {import('node:test').TestContext} t
 * @param {{ group: string, port: number, bytes: number, rate: number, count: number }} plan `rate` per second
 */
function traffic(t, { group, port, bytes, rate, count }) {
  const args = ['127.0.0.1', group, port, bytes, rate, count].map(String)
  const command = isLinux
    ? [trafficProgram('traffic'), ...args]
    : nodeCommand('fixtures/traffic.js', args)
  return new Process(t, 'traffic', command)
}

/**
 * Builds the native programs of the tests, which are for Linux, and gives where one is; cargo does nothing when they are fresh.
 *
 * @param {'traffic' | 'peers' | 'hostile'} name
 */
function trafficProgram(name) {
  if (!isLinux) throw new Error(`${name} of bench/traffic is for Linux`)
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
