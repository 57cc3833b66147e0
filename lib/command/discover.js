'use strict'

const { hostname, userInfo } = require('node:os')
const { LiveTable } = require('./table.js')
const { UsageError } = require('./flags.js')

/**
 * @typedef {import('../../index').Peer} Peer
 * @typedef {import('../../index').PeerEvent} PeerEvent
 */

/** @type {import('./main.js').Command} */
module.exports = {
  summary: 'Show who is there, and be there',
  usage: '[DATA]',
  flags: [
    'app',
    'id',
    'interval',
    'rate',
    'group',
    'port',
    'interfaces',
    'seeds',
    'broadcast',
    'ttl',
    'key',
    'clockTolerance',
    'plain',
    'maxPeers'
  ],
  examples: [
    [
      'lan-peers discover',
      'who is there, as a table, while you are told to others by user and host'
    ],
    [
      `lan-peers discover '{"username":"ada"}' --app chat`,
      'with other words, among those of an application'
    ],
    ['lan-peers discover --json | jq .peer.address', 'for programs'],
    ['lan-peers discover --seeds peers.default.svc.cluster.local', 'where there is no multicast']
  ],
  run(api, { options, positionals, output }) {
    const [text] = positionals
    const lan = api.discover(text === undefined ? ourselves() : parsed(text), options)
    output.warnOf(lan)
    const table = process.stdout.isTTY && !output.json ? new LiveTable(process.stdout) : undefined
    /** @param {PeerEvent} event @param {string} sign @param {string} what */
    const tell = ({ type, peer, reason }, sign, what) => {
      const on = peer.addresses[0].interface
      output.print({ type, peer, reason }, `${sign} ${peer.id} ${peer.address} ${on} ${what}`)
    }
    const data = (/** @type {Peer} */ peer) => JSON.stringify(peer.data)
    lan.on('up', (peer) => {
      if (table) table.set(peer)
      else tell({ type: 'up', peer }, '+', data(peer))
    })
    lan.on('update', (peer, previous) => {
      const addresses = () => `at ${peer.addresses.map(({ address }) => address).join(', ')}`
      if (table) table.set(peer)
      else
        tell({ type: 'update', peer }, '*', peer.data === previous.data ? addresses() : data(peer))
    })
    lan.on('down', (peer, reason) => {
      // That they are not seen any more when it ends is no news.
      if (reason === 'close') return
      if (table) table.remove(peer, reason)
      else tell({ type: 'down', peer, reason }, '-', `(${reason})`)
    })
    lan.on('close', () => table?.end())
    return lan
  }
}

/** @param {string} json */
function parsed(json) {
  try {
    return JSON.parse(json)
  } catch {
    throw new UsageError(`DATA must be a JSON object, received ${json}`)
  }
}

/** What others are told of who gives no data. */
function ourselves() {
  try {
    return { username: userInfo().username, host: hostname() }
  } catch {
    // A user whom the system does not know, as in some containers.
    return { host: hostname() }
  }
}
