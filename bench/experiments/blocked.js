'use strict'

// How many datagrams are lost while JavaScript does something else for two seconds.

const { GROUP, allOrSilence, block, print } = require('../experiment.js')
const { native, script } = require('../programs.js')

const RATE = 50_000
const COUNT = 100_000

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  async measure({ contender }) {
    const receiver = script('contender.js', 'blocked', contender, {})
    const { port } = await receiver.next()
    const sender = native('traffic', GROUP, port, 100, RATE, COUNT)
    const result = await receiver.result()
    await sender.end()
    return result
  },

  async inside(contender) {
    let heard = 0
    const port = await contender.hear({ group: GROUP, encoding: 'buffer' }, () => {
      if (heard++ === 0) block(2000)
    })
    print({ port })
    await allOrSilence(COUNT, () => heard)
    print({ lost: COUNT - heard })
    process.exit()
  }
}
