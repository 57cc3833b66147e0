'use strict'

// What it costs to listen and to have a cast that is not due, while nothing comes.

const { readdirSync, readFileSync } = require('node:fs')
const { GROUP, print, sleep } = require('../experiment.js')
const { script } = require('../programs.js')

const SECONDS = 10

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives how often a second a thread has woken, and the part of a processor that was used, in percent. */
  async measure({ contender }) {
    const program = script('contender.js', 'idle', contender, {})
    const { pid } = await program.next()
    // It is settled: what was sent at once has come.
    await sleep(1000)
    const before = usage(pid)
    await sleep(SECONDS * 1000)
    const after = usage(pid)
    await program.kill()
    return {
      wakeUps: (after.wakeUps - before.wakeUps) / SECONDS,
      cpu: (after.milliseconds - before.milliseconds) / (SECONDS * 10)
    }
  },

  async inside(contender) {
    const port = await contender.hear({ group: GROUP, encoding: 'buffer' }, () => {})
    contender.cast({ group: GROUP, port, payload: Buffer.from('x'), interval: 3_600_000 })
    print({ pid: process.pid })
  }
}

/**
 * How often all threads of a process together have slept, and how long they have run.
 *
 * @param {number} pid
 */
function usage(pid) {
  let wakeUps = 0
  let milliseconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${task}`
    const status = readFileSync(`${folder}/status`, 'utf8')
    wakeUps += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1])
    milliseconds += Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  }
  return { wakeUps, milliseconds }
}
