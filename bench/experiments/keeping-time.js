'use strict'

// How well something is sent every 20 ms while JavaScript is busy for 100 of every 200 ms.

const { GROUP, block } = require('../experiment.js')
const { native, script } = require('../programs.js')
const { quantile } = require('../statistics.js')

const INTERVAL = 20
const SECONDS = 4

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives milliseconds by which the time between two datagrams is off: the median, and the 99th of 100. */
  async measure({ contender }) {
    const receiver = native('arrivals', GROUP, SECONDS)
    const { port } = await receiver.next()
    const sender = script('contender.js', 'keeping-time', contender, { port })
    const arrivals = /** @type {number[]} */ (await receiver.result())
    await sender.kill()
    const gaps = arrivals.slice(1).map((at, i) => at - arrivals[i])
    const errors = gaps.map((gap) => Math.abs(gap - INTERVAL))
    return { median: quantile(errors, 0.5), p99: quantile(errors, 0.99) }
  },

  inside(contender, { port }) {
    contender.cast({ group: GROUP, port, payload: Buffer.from('tick'), interval: INTERVAL })
    setInterval(() => block(100), 200)
  }
}
