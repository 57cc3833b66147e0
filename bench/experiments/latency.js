'use strict'

// How long a datagram takes from the sender's call to the callback, when there is little to do.

const { GROUP, allOrSilence, print } = require('../experiment.js')
const { native, script } = require('../programs.js')
const { quantile } = require('../statistics.js')

const RATE = 20
const COUNT = 100

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives milliseconds: the median and the 99th of 100. */
  async measure({ contender }) {
    const receiver = script('contender.js', 'latency', contender, {})
    const { port } = await receiver.next()
    const sender = native('traffic', GROUP, port, 28, RATE, COUNT)
    const result = await receiver.result()
    await sender.end()
    return result
  },

  async inside(contender) {
    const taken = /** @type {number[]} */ ([])
    const port = await contender.hear({ group: GROUP, encoding: 'utf8' }, (message) => {
      const sent = BigInt(message.slice(9, 28))
      taken.push(Number(process.hrtime.bigint() - sent) / 1e6)
    })
    print({ port })
    await allOrSilence(COUNT, () => taken.length)
    print({ median: quantile(taken, 0.5), p99: quantile(taken, 0.99) })
    process.exit()
  }
}
