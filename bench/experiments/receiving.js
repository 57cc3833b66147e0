'use strict'

// What a datagram costs, from the first to the last of many that come at a rate.

const { GROUP, allOrSilence, cpuTime, print } = require('../experiment.js')
const { native, script } = require('../programs.js')

const BYTES = 100

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /**
   * `rate` per second, 0 for as fast as it comes. Gives microseconds of CPU time per datagram, of the main thread (not for
   * a program without JavaScript) and of all threads, and how many were lost.
   */
  async measure({ contender, encoding, rate, count }) {
    const receiver =
      contender === 'bare'
        ? native('bare', GROUP, count)
        : script('contender.js', 'receiving', contender, { encoding, count })
    const { port } = await receiver.next()
    const sender = native('traffic', GROUP, port, BYTES, rate, count)
    const result = await receiver.result()
    await sender.end()
    return result
  },

  async inside(contender, { encoding, count }) {
    let heard = 0
    let length = 0
    let start = cpuTime()
    const port = await contender.hear({ group: GROUP, encoding }, (message) => {
      if (heard++ === 0) start = cpuTime()
      length += message.length
    })
    print({ port })
    await allOrSilence(count, () => heard)
    const end = cpuTime()
    if (length !== heard * BYTES) throw new Error(`${length} bytes in ${heard} datagrams`)
    print({
      mainThread: (end.thread - start.thread) / heard,
      cpu: (end.process - start.process) / heard,
      lost: count - heard
    })
    process.exit()
  }
}
