'use strict'

// What it costs to know many peers that come all in a second, and then announce themselves every second, the same each time.

const { cpuTime, print, sleep } = require('../experiment.js')
const { missing } = require('../installed.js')
const { withPeers } = require('../peers.js')
const { isolated, script, unisolated } = require('../programs.js')

/** Milliseconds. */
const EVERY = 1000
/** By then each has announced itself several times, and all are known. */
const SETTLED = 3000
/** After the last announcement. */
const REST = 500

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  unavailable: ({ contender }) => missing(contender) ?? unisolated(),

  /**
   * Gives milliseconds of CPU time of the main thread and of all threads, in so many seconds from before the first announcement
   * on; and those of the main thread in each second once all are known.
   */
  measure: (plan) => isolated('experiments/observing.js', plan).result(),

  async inside(contender, { peers, seconds }) {
    const { to, known } = await contender.observe({ every: EVERY })
    const start = cpuTime()
    print(to)
    const milliseconds = seconds * 1000 + REST
    const settled = Math.min(SETTLED, milliseconds / 2)
    await sleep(settled)
    const middle = cpuTime()
    await sleep(milliseconds - settled)
    const end = cpuTime()
    const invalid = known() === peers ? undefined : `knew ${known()} of ${peers} peers`
    print({
      mainThread: (end.thread - start.thread) / 1000,
      steady: (end.thread - middle.thread) / (milliseconds - settled),
      cpu: (end.process - start.process) / 1000,
      invalid
    })
    process.exit()
  }
}

/** @param {import('../experiment.js').Plan} plan */
async function measureHere({ contender, peers, seconds }) {
  const rate = (peers * 1000) / EVERY
  const announces = require(`../contenders/${contender}.js`)
  const result = await withPeers(announces, { peers, every: EVERY }, async (send) => {
    const observer = script('contender.js', 'observing', contender, { peers, seconds })
    const sent = send(await observer.next(), rate, rate * seconds)
    const result = await observer.result()
    await sent
    return result
  })
  print(result)
}

if (require.main === module) measureHere(JSON.parse(process.argv[2]))
