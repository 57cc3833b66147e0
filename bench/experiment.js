'use strict'

// What an experiment and a contender are, and what the experiments have in common.

/**
 * @typedef {object} Contender who is measured
 * @property {string} name
 * @property {(what: { group: string, encoding: 'utf8' | 'buffer' }, heard: (message: any) => void) => Promise<number>} hear
 *   hears a group on loopback; gives the port
 * @property {(what: { group: string, port: number, payload: Buffer, interval: number }) => unknown} cast
 *   sends to a group on loopback, now and at every interval of so many milliseconds
 *
 * @typedef {Record<string, any>} Plan what is to be done; JSON
 * @typedef {Record<string, number>} Result what was measured
 *
 * @typedef {object} Experiment
 * @property {() => string | undefined} [unavailable] why it cannot be done on this machine, if so
 * @property {(plan: Plan) => Promise<Result>} measure does it once
 * @property {(contender: Contender, plan: Plan) => unknown} [inside] what the process of the contender does
 */

/** Whom nobody else uses. */
const GROUP = '239.3.0.1'

const print = (/** @type {unknown} */ value) => console.log(JSON.stringify(value))

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Stops this thread, and with it the event loop. */
const block = (/** @type {number} */ ms) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

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

module.exports = { GROUP, allOrSilence, block, print, sleep }
