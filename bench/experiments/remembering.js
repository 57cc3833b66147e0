'use strict'

// How much memory a table of many peers takes.

const { LEAN, memory, print, sleep } = require('../experiment.js')
const { missing } = require('../installed.js')
const { dataOf, withPeers } = require('../peers.js')
const { isolated, script, unisolated } = require('../programs.js')

/** Nobody who has announced itself is gone before it is over: milliseconds. */
const EVERY = 600_000
/** Announcements a second, of each peer two. */
const RATE = 2000
const ROUNDS = 2
/** With the first ones what is made once is made, and compiled what is often run. */
const FIRST = 1000

const milliseconds = (/** @type {number} */ peers) => (ROUNDS * peers * 1000) / RATE + 1000

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  unavailable: ({ contender }) => missing(contender) ?? unisolated(),

  /** Gives the bytes of memory for each peer, beside the JSON of what it announces. */
  measure: (plan) => isolated('experiments/remembering.js', plan).result(),

  async inside(contender, { peers }) {
    const { to, known } = await contender.observe({ every: EVERY })
    print(to)
    await sleep(milliseconds(FIRST))
    const [knownBefore, before] = [known(), await memory()]
    print({})
    await sleep(milliseconds(peers))
    const after = await memory()
    let data = 0
    for (let peer = FIRST; peer < peers; peer++) data += JSON.stringify(dataOf(peer)).length
    const isRight = knownBefore === FIRST && known() === peers
    const invalid = isRight ? undefined : `knew ${knownBefore}, then ${known()} of ${peers} peers`
    print({ memory: (after - before - data) / (peers - FIRST), invalid })
    process.exit()
  }
}

/** @param {import('../experiment.js').Plan} plan */
async function measureHere({ contender, peers }) {
  const announces = require(`../contenders/${contender}.js`)
  const result = await withPeers(announces, { peers, every: EVERY }, async (send) => {
    const observer = script(`${LEAN} contender.js`, 'remembering', contender, { peers })
    const to = await observer.next()
    await send(to, RATE, FIRST)
    await observer.next()
    const sent = send(to, RATE, ROUNDS * peers)
    const result = await observer.result()
    await sent
    return result
  })
  print(result)
}

if (require.main === module) measureHere(JSON.parse(process.argv[2]))
