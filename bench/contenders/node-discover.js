'use strict'

// Who is measured beside it: node-discover, as it is by default, but by multicast.

const { randomUUID } = require('node:crypto')
const { once } = require('node:events')
const { GROUP, mustBeIsolated } = require('../experiment.js')
const { load } = require('../installed.js')

const Discover = load('node-discover')

/** Its default. */
const PORT = 12_345

/** All announcements are of one process here. */
const pid = randomUUID()

/** @type {import('../experiment.js').Contender} */
module.exports = {
  name: 'node-discover',

  async observe({ every }) {
    mustBeIsolated()
    const discover = new Discover({
      multicast: GROUP,
      port: PORT,
      helloInterval: every,
      checkInterval: 2 * every,
      nodeTimeout: 2 * every
    })
    await once(discover, 'started')
    return {
      to: { group: GROUP, port: PORT },
      known: () => Object.keys(discover.nodes).length
    }
  },

  // As Network.send and Discover.hello make it; one of them is the master.
  announcement: ({ peer, data }) =>
    Buffer.from(
      JSON.stringify({
        event: 'hello',
        pid,
        iid: randomUUID(),
        hostName: `host-${peer}`,
        data: {
          isMaster: peer === 0,
          isMasterEligible: true,
          weight: Discover.weight(),
          address: '127.0.0.1',
          advertisement: data
        }
      })
    )
}
