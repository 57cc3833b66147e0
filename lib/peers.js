'use strict'

const errors = require('./errors.js')

/**
 * @typedef {import('../index').Peer} Peer
 * @typedef {import('../index').PeerEvent} PeerEvent
 */

/** The change itself, which only a discovery makes. */
const kSet = Symbol('set')
const kDelete = Symbol('delete')

/**
 * The peers of a discovery, by their ids: a Map for everybody to read.
 *
 * @extends {Map<string, Peer>}
 */
class Peers extends Map {
  /**
   * @param {Peer} peer
   */
  [kSet](peer) {
    super.set(peer.id, peer)
  }

  /**
   * @param {string} id
   */
  [kDelete](id) {
    super.delete(id)
  }

  /** @returns {never} */
  set() {
    throw errors.readOnly()
  }

  /** @returns {never} */
  delete() {
    throw errors.readOnly()
  }

  /** @returns {never} */
  clear() {
    throw errors.readOnly()
  }
}

/**
 * What an iterator has yet to be told of the peers: for each id the difference between what it was told and what is so,
 * in the order in which that began. However long nobody asks, it holds no more than two events for a peer.
 */
class PeerChanges {
  /** @type {Map<string, { down?: PeerEvent, is?: PeerEvent }>} */
  #changes = new Map()

  get length() {
    return this.#changes.size
  }

  /**
   * @param {PeerEvent} event
   */
  push(event) {
    const { id } = event.peer
    const before = this.#changes.get(id)
    if (event.type !== 'down') {
      const isNew = before?.is?.type === 'up'
      const is = isNew ? /** @type {PeerEvent} */ ({ ...before.is, peer: event.peer }) : event
      this.#changes.set(id, { ...before, is })
    } else if (before?.is?.type !== 'up') {
      this.#changes.set(id, { down: event })
    } else if (before.down) {
      // Of one that has not been told there is nothing to take back.
      this.#changes.set(id, { down: before.down })
    } else {
      this.#changes.delete(id)
    }
  }

  shift() {
    for (const [id, { down, is }] of this.#changes) {
      if (down && is) this.#changes.set(id, { is })
      else this.#changes.delete(id)
      return down ?? is
    }
    return undefined
  }
}

module.exports = { PeerChanges, Peers, kDelete, kSet }
