'use strict'

// How long a datagram takes from the sender's call to the callback, when there is little to do.

const { GROUP, allOrSilence, print } = require('../experiment.js')
const { native, script } = require('../programs.js')
const { quantile } = require('../statistics.js')

const RATE = 20
const COUNT = 50
/** Where the scheduler puts a process decides how long waking it takes, so one is not enough. */
const PROCESSES = 4

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives milliseconds: the median and the 99th of each hundred, of what several processes have measured. */
  async measure({ contender }) {
    const taken = /** @type {number[]} */ ([])
    for (let i = 0; i < PROCESSES; i++) {
      const receiver = script('contender.js', 'latency', contender, {})
      const { port } = await receiver.next()
      const sender = native('traffic', GROUP, port, 28, RATE, COUNT)
      taken.push(.../** @type {any} */ (await receiver.result()).taken)
      await sender.end()
    }
    return { median: quantile(taken, 0.5), p99: quantile(taken, 0.99) }
  },

  async inside(contender) {
    const taken = /** @type {number[]} */ ([])
    const port = await contender.hear({ group: GROUP, encoding: 'utf8' }, (message) => {
      const sent = BigInt(message.slice(9, 28))
      taken.push(Number(process.hrtime.bigint() - sent) / 1e6)
    })
    print({ port })
    await allOrSilence(COUNT, () => taken.length)
    print({ taken })
    process.exit()
  }
}
