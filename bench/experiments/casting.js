'use strict'

// What many casts cost that each send every two seconds.

const { readdirSync } = require('node:fs')
const { GROUP, LEAN, cpuTime, memory, print, sleep } = require('../experiment.js')
const { script } = require('../programs.js')

const INTERVAL = 2000
const SECONDS = 8
const BYTES = 100
/** Nobody hears there. */
const PORT = 9

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /**
   * Gives the part of a processor that is used by these and a thousand others, in percent; the bytes of memory for each
   * beside its payload; and the number of threads that there are more than before.
   */
  async measure({ contender, casts }) {
    return script(`${LEAN} contender.js`, 'casting', contender, { casts }).result()
  },

  async inside(contender, { casts }) {
    const open = () => {
      const payload = Buffer.allocUnsafeSlow(BYTES).fill('x')
      contender.cast({ group: GROUP, port: PORT, payload, interval: INTERVAL })
    }
    const threads = () => readdirSync('/proc/self/task').length
    const collectGarbage = /** @type {() => void} */ (globalThis.gc)
    const threadsBefore = threads()
    // With the first ones what is made once is made, and compiled what is often run.
    for (let i = 0; i < 1000; i++) open()
    await sleep(INTERVAL)
    const before = await memory()
    for (let i = 0; i < casts; i++) {
      open()
      // The room that garbage takes which waits is none of the casts'.
      if (i % 100 === 0) collectGarbage()
    }
    await sleep(INTERVAL)
    const memoryEach = ((await memory()) - before) / casts - BYTES
    const start = cpuTime()
    await sleep(SECONDS * 1000)
    const end = cpuTime()
    print({
      cpu: (end.process - start.process) / (SECONDS * 1e4),
      memory: memoryEach,
      threads: threads() - threadsBefore
    })
    process.exit()
  }
}
