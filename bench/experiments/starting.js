'use strict'

// How long it takes to load, as it is published, and to close what was opened.

const { print, sleep } = require('../experiment.js')
const { script } = require('../programs.js')
const { PACKAGE, install } = require('../published.js')

/** Each in a process that has loaded neither before. */
const REQUIRE = /** @type {Record<string, () => unknown>} */ ({
  'lan-peers': () => require(PACKAGE),
  dgram: () => require('node:dgram')
})

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives milliseconds. */
  async measure({ contender }) {
    install()
    return script('experiments/starting.js', contender).result()
  }
}

async function inside(/** @type {string} */ contender) {
  const milliseconds = async (/** @type {() => unknown} */ work) => {
    const before = process.hrtime.bigint()
    await work()
    return Number(process.hrtime.bigint() - before) / 1e6
  }
  const load = await milliseconds(REQUIRE[contender])
  if (contender === 'dgram') return print({ load })

  const { cast, listen } = require(PACKAGE)
  const HERE = { interfaces: '127.0.0.1' }
  const listener = listen({ ...HERE, port: 0 })
  const caster = cast('x', 20, { ...HERE, port: listener.address().port })
  await sleep(500)
  const close = await milliseconds(() => Promise.all([listener.close(), caster.close()]))
  print({ load, close })
}

if (require.main === module) inside(process.argv[2])
