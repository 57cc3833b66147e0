'use strict'

// Many peers that are not there: what they announce, and the sending of it.

const { randomBytes } = require('node:crypto')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { native } = require('./programs.js')

/**
 * @typedef {import('./experiment.js').Contender} Contender
 * @typedef {import('./experiment.js').Announced} Announced
 */

const dataOf = (/** @type {number} */ peer) => ({
  username: `peer-${peer}`,
  room: 'lobby',
  port: 40_000 + peer
})

/** As docs/protocol.md describes it. The sender puts the number of the announcement in place of the `#`. */
function announcementOf(/** @type {Announced} */ { data, every, peers }) {
  const id = randomBytes(16).toString('base64url')
  const head = { v: 1, id, boot: Date.now(), seq: '##########', every, n: peers }
  return Buffer.from(
    JSON.stringify({ 'lan-peers': head, ...data }).replace('"##########"', '##########')
  )
}

/**
 * Runs `work` with a sender of what so many peers announce, in the form that a contender understands: it sends `count`
 * announcements, of one peer after another and again.
 *
 * @template Result
 * @param {Contender} contender
 * @param {{ peers: number, every: number }} what `every` is the time between two announcements of a peer, in milliseconds
 * @param {(send: (to: { group: string, port: number }, rate: number, count: number) => Promise<unknown>) => Promise<Result>} work
 */
async function withPeers({ announcement = announcementOf }, { peers, every }, work) {
  const folder = mkdtempSync(join(tmpdir(), 'lan-peers-bench-'))
  try {
    const file = join(folder, 'peers')
    const numbers = Array.from({ length: peers }, (_, peer) => peer)
    const lines = numbers.map((peer) =>
      announcement({ peer, data: dataOf(peer), every, peers }).toString('hex')
    )
    writeFileSync(file, lines.join('\n'))
    return await work(({ group, port }, rate, count) =>
      native('peers', group, port, file, rate, count).result()
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

module.exports = { dataOf, withPeers }
