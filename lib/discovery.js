'use strict'

const { emitSafely, kEnded, kPeers } = require('./environment.js')
const errors = require('./errors.js')
const { Handle, kCheckSize, kIsOpen, kOpen } = require('./handle.js')
const { MALFORMED, parseChecked } = require('./json.js')
const { keyBytes } = require('./keys.js')
const { Messages } = require('./messages.js')
const { discoverOptions, validData } = require('./options.js')
const { PeerChanges, Peers, kDelete, kSet } = require('./peers.js')

/**
 * @typedef {import('./environment.js').Environment} Environment
 * @typedef {import('../index').DownReason} DownReason
 * @typedef {import('../index').Peer} Peer
 * @typedef {import('../index').PeerEvent} PeerEvent
 *
 * @typedef {object} PeerNews what there is to tell of an id: the one that is known has gone, there is one, or both
 * @property {string} id
 * @property {'bye' | 'timeout' | 'restart'} [down]
 * @property {PeerState} [peer]
 *
 * @typedef {object} PeerState a peer as it is
 * @property {boolean} isNew
 * @property {unknown} [data] what it announces, if that is other than before
 * @property {number} port
 * @property {Peer['addresses']} addresses
 * @property {boolean} plain
 * @property {number} since
 */

/** Announces itself, and knows who else does. See `Discovery` in index.d.ts. */
class Discovery extends Handle {
  #environment
  /** @type {{ id: string, app: string, sealed: boolean }} */
  #self
  #peers = new Peers()
  /** @type {Set<Messages<PeerEvent>>} */
  #iterators = new Set()

  /**
   * @param {Environment} environment
   * @param {unknown} [data]
   * @param {unknown} [options]
   */
  constructor(environment, data = {}, options = undefined) {
    const { binding } = environment
    const { signal, id: chosen, keys, ...settings } = discoverOptions(binding, options)
    const self = { id: chosen ?? randomId(), app: settings.app, sealed: keys !== undefined }
    const { json, length } = validData(binding, data, self)
    const opened = signal?.aborted
      ? undefined
      : environment.client.discover({ ...settings, ...self, data: json })
    if (opened && 'errno' in opened) throw errors.systemError(opened)
    super(environment, opened?.id, signal)
    this.#environment = environment
    this.#self = self
    this[kCheckSize](length)
    if (opened && keys) this.#unlock(keys)
  }

  /**
   * Has it begin, with its keys, as soon as they are made.
   *
   * @param {(string | Uint8Array)[]} keys
   */
  #unlock(keys) {
    const begin = (/** @type {Buffer} */ bytes) => {
      if (this[kIsOpen]) {
        const { client, id } = this[kOpen]
        client.unlock(id, this.#self.app, bytes)
      }
      bytes.fill(0)
    }
    const bytes = keyBytes(keys, this.#self.app)
    if (bytes instanceof Promise) {
      bytes.then(begin, (error) => {
        // For want of memory: it can never begin.
        this.#environment.warn(this, errors.noKey(error))
        if (this[kIsOpen]) void this.close()
      })
    } else {
      begin(bytes)
    }
  }

  get id() {
    return this.#self.id
  }

  get peers() {
    return this.#peers
  }

  /**
   * @param {unknown} data
   */
  announce(data) {
    const { client, id } = this[kOpen]
    const { json, length } = validData(this.#environment.binding, data, this.#self)
    client.announce(id, json)
    this[kCheckSize](length)
  }

  refresh() {
    const { client, id } = this[kOpen]
    client.askEverybody(id)
  }

  stats() {
    const { client, id } = this[kOpen]
    // There are none once the engine has failed, of which an event is on its way.
    const {
      received = 0,
      bytes = 0,
      malformed = 0,
      lost = 0,
      receiveBuffer = 0,
      peers = 0,
      announcements = 0,
      refused = 0,
      unauthenticated = 0,
      replayed = 0,
      stale = 0,
      rateLimited = 0
    } = client.discoveryStats(id) ?? {}
    const { sent = 0, failed = 0 } = client.casterStats(id) ?? {}
    return {
      received,
      bytes,
      malformed,
      lost,
      receiveBuffer,
      sent,
      failed,
      peers,
      announcements,
      refused,
      unauthenticated,
      replayed,
      stale,
      rateLimited
    }
  }

  /** @returns {Promise<void>} */
  close() {
    const closing = super.close()
    this.#endIterators()
    return closing
  }

  [Symbol.asyncIterator]() {
    /** @type {Messages<PeerEvent>} */
    const changes = new Messages({ close: () => this.close() }, new PeerChanges())
    if (this[kIsOpen]) {
      for (const peer of this.#peers.values()) changes.push({ type: 'up', peer })
      this.#iterators.add(changes)
    } else {
      changes.end()
    }
    return changes
  }

  [kPeers]() {
    if (!this[kIsOpen]) return
    const { client, id } = this[kOpen]
    for (const text of client.takePeers(id)) {
      const news = /** @type {PeerNews | typeof MALFORMED} */ (parseChecked(text))
      // The engine has read what they announce, and lets nothing else through.
      if (news === MALFORMED) continue
      const { id: peerId, down, peer } = news
      if (down && this[kIsOpen]) this.#down(peerId, down)
      if (peer && this[kIsOpen]) this.#is(peerId, peer)
    }
  }

  [kEnded]() {
    this.#endIterators()
    for (const id of this.#peers.keys()) this.#down(id, 'close')
    super[kEnded]()
  }

  /**
   * A peer is there, new or changed.
   *
   * @param {string} id
   * @param {PeerState} state
   */
  #is(id, { isNew, data: announced, port, addresses, plain, since }) {
    const previous = this.#peers.get(id)
    const data = announced ?? previous?.data
    const peer = Object.freeze({
      id,
      data: /** @type {Record<string, any>} */ (data),
      app: plain ? '' : this.#self.app,
      address: addresses[0].address,
      port,
      addresses: Object.freeze(addresses.map((address) => Object.freeze(address))),
      plain,
      since
    })
    if (previous && !isNew) {
      if (data === previous.data && isSame(peer, previous)) return
      this.#peers[kSet](peer)
      this.#push({ type: 'update', peer })
      emitSafely(this, 'update', peer, previous)
    } else {
      this.#peers[kSet](peer)
      this.#push({ type: 'up', peer })
      emitSafely(this, 'up', peer)
    }
  }

  /**
   * @param {string} id
   * @param {DownReason} reason
   */
  #down(id, reason) {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    this.#peers[kDelete](id)
    this.#push({ type: 'down', peer, reason })
    emitSafely(this, 'down', peer, reason)
  }

  /**
   * @param {PeerEvent} event
   */
  #push(event) {
    for (const changes of this.#iterators) changes.push(event)
  }

  #endIterators() {
    for (const changes of this.#iterators) changes.end()
    this.#iterators.clear()
  }
}

/**
 * Whether two peers are at the same addresses: they may have gone and come again before anybody was told.
 *
 * @param {Peer} a
 * @param {Peer} b
 */
const isSame = (a, b) =>
  a.port === b.port &&
  a.addresses.length === b.addresses.length &&
  a.addresses.every(
    ({ address, interface: name }, i) =>
      address === b.addresses[i].address && name === b.addresses[i].interface
  )

/** 128 bits, as base64url. */
function randomId() {
  // Taken here, for loading it takes a while, and most do without.
  const { randomBytes } = require('node:crypto')
  return randomBytes(16).toString('base64url')
}

module.exports = { Discovery }
