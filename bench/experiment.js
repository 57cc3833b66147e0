'use strict'

// What an experiment and a contender are, and what the experiments have in common.

const { readFileSync } = require('node:fs')
const { networkInterfaces } = require('node:os')

/**
 * @typedef {object} Contender who is measured
 * @property {string} name
 * @property {(what: { group: string, encoding: 'utf8' | 'buffer' }, heard: (message: any) => void) => Promise<number>} hear
 *   hears a group on loopback; gives the port
 * @property {(what: { group: string, port: number, payload: Buffer, interval: number }) => unknown} cast
 *   sends to a group on loopback, now and at every interval of so many milliseconds
 * @property {(what: { every: number }) => Promise<Observation>} observe
 *   keeps a table of who announces itself every so many milliseconds
 * @property {(what: Announced) => Buffer} [announcement]
 *   what a peer announces, in the form that it understands, if that is not ours
 *
 * @typedef {object} Observation
 * @property {{ group: string, port: number }} to where it hears announcements
 * @property {() => number} known how many peers it knows
 *
 * @typedef {object} Announced what a peer announces
 * @property {number} peer its number, from 0
 * @property {{ username: string, room: string, port: number }} data
 * @property {number} every the time between two announcements, in milliseconds
 * @property {number} peers how many there are
 *
 * @typedef {Record<string, any>} Plan what is to be done; JSON
 * @typedef {Record<string, any> & { invalid?: string }} Result what was measured: numbers; or why they do not count
 *
 * @typedef {object} Experiment
 * @property {(plan: Plan) => string | undefined} [unavailable] why it cannot be done on this machine, if so
 * @property {(plan: Plan, run: number) => Promise<Result>} measure does it once, for the so-manieth time
 * @property {(contender: Contender, plan: Plan) => unknown} [inside] what the process of the contender does
 */

/** Whom nobody else uses. */
const GROUP = '239.3.0.1'

const print = (/** @type {unknown} */ value) => console.log(JSON.stringify(value))

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Stops this thread, and with it the event loop. */
const block = (/** @type {number} */ ms) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/** Fails unless this is a network of its own: for those who choose their interfaces themselves. */
function mustBeIsolated() {
  const others = Object.keys(networkInterfaces()).filter((name) => name !== 'lo')
  if (others.length > 0) throw new Error(`datagrams would go out on ${others}`)
}

/**
 * The CPU time that the calling thread and all threads of this process have used, in microseconds. Neither counts the time that
 * a thread waited for a processor, as `eventLoopUtilization().active` does.
 */
function cpuTime() {
  // First this: it brings the scheduler's count of the calling thread up to date, which schedstat (proc(5)) shows in nanoseconds.
  const { user, system } = process.cpuUsage()
  const [nanoseconds] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')
  return { thread: Number(nanoseconds) / 1000, process: user + system }
}

/**
 * The memory of this process in bytes, once the collector has left nothing for later. Needs the options {@link LEAN} of Node.
 */
async function memory() {
  const collectGarbage = /** @type {() => void} */ (globalThis.gc)
  for (let i = 0; i < 4; i++) {
    collectGarbage()
    await sleep(50)
  }
  // Without the pages of programs and libraries, which are shared, and come as they are first run.
  const status = readFileSync('/proc/self/status', 'utf8')
  return 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1])
}

/** The room for what is young is small, for it grows whenever much is made, and is nobody's in particular. */
const LEAN = '--expose-gc --max-semi-space-size=1'

/**
 * Waits until so many have come, or none for a second after the first.
 *
 * @param {number} count
 * @param {() => number} heard
 */
async function allOrSilence(count, heard) {
  for (let before = 0, silent = 0; heard() < count && silent < 10; before = heard()) {
    await sleep(100)
    silent = before > 0 && heard() === before ? silent + 1 : 0
  }
}

module.exports = { GROUP, LEAN, allOrSilence, block, cpuTime, memory, mustBeIsolated, print, sleep }
