'use strict'

// Finds the others, and says what the page is to know of them, in objects that can go to another process. This runs in
// the main process, or in one of its own: utility.js.

const { discover } = require('lan-peers')

/** Those of other programs have another one, and are not seen. */
const APP = 'lan-peers-electron'

/** How many warnings are kept for a page that comes later. */
const MAX_WARNINGS = 5

/**
 * @typedef {object} Row a peer as the page shows it
 * @property {string} id
 * @property {string} name
 * @property {string} address
 * @property {number} since milliseconds since 1970
 *
 * @typedef {object} Notice a warning, and its cure
 * @property {string} message
 * @property {string} hint
 *
 * @typedef {{ type: 'all', name: string, peers: Row[], warnings: Notice[] }
 *   | { type: 'name', name: string }
 *   | { type: 'peer', peer: Row }
 *   | { type: 'gone', id: string, reason: string }
 *   | { type: 'warning', warning: Notice }} News
 *
 * @typedef {object} Others
 * @property {() => void} tellAll has `all` told, to a page that begins
 * @property {(name: string) => void} rename
 */

/**
 * @param {string} name our own
 * @param {(news: News) => void} tell
 * @returns {Others}
 */
function findOthers(name, tell) {
  /** @type {Notice[]} */
  const warnings = []
  const lan = discover({ name }, { app: APP })
  lan.on('up', (peer) => tell({ type: 'peer', peer: row(peer) }))
  lan.on('update', (peer) => tell({ type: 'peer', peer: row(peer) }))
  lan.on('down', ({ id }, reason) => tell({ type: 'gone', id, reason }))
  lan.on('warning', ({ message, hint }) => {
    const warning = { message, hint }
    warnings.push(warning)
    if (warnings.length > MAX_WARNINGS) warnings.shift()
    tell({ type: 'warning', warning })
  })
  return {
    tellAll: () => tell({ type: 'all', name, peers: [...lan.peers.values()].map(row), warnings }),
    rename(newName) {
      name = newName
      lan.announce({ name })
      tell({ type: 'name', name })
    }
  }
}

/**
 * @param {import('lan-peers').Peer} peer
 * @returns {Row}
 */
const row = ({ id, data, address, since }) => ({ id, name: shownName(data.name), address, since })

/**
 * What came over the network may be anything.
 *
 * @param {unknown} name
 */
const shownName = (name) => (typeof name === 'string' ? name.slice(0, 40) : '(no name)')

module.exports = { findOthers }
