'use strict'

const { createInterface } = require('node:readline')
const { setTimeout: sleep } = require('node:timers/promises')
const { UsageError } = require('./flags.js')

/** @typedef {import('../../index').Caster} Caster */

/** Within this it is on its way, or there is no network: a host that is alone is sent to after two seconds. In milliseconds. */
const PATIENCE = 3000

/** Waits until something was sent, or could not be. */
async function untilSent(/** @type {Caster} */ caster) {
  for (let waited = 0; waited < PATIENCE; waited += 10) {
    const { sent, failed } = caster.stats()
    if (sent + failed > 0) return
    await sleep(10)
  }
}

/** @type {import('./main.js').Command} */
module.exports = {
  summary: 'Send to a group, now and again and again',
  usage: 'PAYLOAD [MILLISECONDS]',
  flags: ['group', 'port', 'interfaces', 'to', 'broadcast', 'ttl', 'loopback'],
  examples: [
    ['lan-peers cast hello', 'now and every 2 s, until Ctrl-C'],
    [
      `lan-peers cast '{"username":"ada"}' 500 --to 10.0.0.7`,
      'twice a second, to a host without multicast, too'
    ],
    ['date | lan-peers cast -', 'each line of the standard input, at once; ends with it']
  ],
  async run(api, { options, positionals, output }) {
    const [payload, milliseconds] = positionals
    if (payload === undefined) throw new UsageError('PAYLOAD is missing')
    const interval = /^\d+$/.test(milliseconds) ? Number(milliseconds) : milliseconds
    const cast = (/** @type {string} */ text) => {
      const caster = api.cast(text, /** @type {number | undefined} */ (interval), options)
      output.warnOf(caster)
      return caster
    }
    if (payload !== '-') return cast(payload)
    /** @type {Caster | undefined} */
    let caster
    for await (const line of createInterface({ input: process.stdin })) {
      if (caster) {
        caster.update(line)
      } else {
        caster = cast(line)
        await untilSent(caster)
      }
    }
    // What was the last is out before this is closed.
    await caster?.close()
  }
}
