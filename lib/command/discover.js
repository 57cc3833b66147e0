'use strict'

const { hostname, userInfo } = require('node:os')
const { LiveTable } = require('./table.js')
const { UsageError } = require('./flags.js')

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
    ['discover', 'who is there, as a table, while you are told to others by user and host'],
    [`discover '{"username":"ada"}' --app chat`, 'with other words, among those of an application'],
    ['discover --json | jq .peer.address', 'for programs'],
    ['discover --seeds peers.default.svc.cluster.local', 'where there is no multicast']
  ],
  run(api, { options, positionals, output }) {
    const [text, ...rest] = positionals
    if (rest.length > 0) throw new UsageError(`There is too much: ${rest.join(' ')}`)
    const lan = api.discover(text === undefined ? ourselves() : parsed(text), options)
    output.warnOf(lan)
    const table = process.stdout.isTTY && !output.json ? new LiveTable(process.stdout) : undefined
    const tell = (
      /** @type {string} */ type,
      /** @type {string} */ sign,
      /** @type {import('../../index').Peer} */ peer,
      /** @type {string} */ reason
    ) => {
      const what = reason ? `(${reason})` : JSON.stringify(peer.data)
      const on = peer.addresses[0].interface
      output.print({ type, peer, reason }, `${sign} ${peer.id} ${peer.address} ${on} ${what}`)
    }
    lan.on('up', (peer) => (table ? table.set(peer) : tell('up', '+', peer, '')))
    lan.on('update', (peer) => (table ? table.set(peer) : tell('update', '*', peer, '')))
    lan.on('down', (peer, reason) => {
      // That they are not seen any more when it ends is no news.
      if (reason === 'close') return
      if (table) table.remove(peer, reason)
      else tell('down', '-', peer, reason)
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
