'use strict'

const { EventEmitter, addAbortListener } = require('node:events')
const { emitSafely, kEnded, kHeard, kInterfaces, kPeers } = require('./environment.js')
const errors = require('./errors.js')
const { describe } = require('./interfaces.js')
const { UNFRAGMENTED } = require('./options.js')

/**
 * @typedef {import('./environment.js').Environment} Environment
 * @typedef {import('./environment.js').Batch} Batch
 */

/** What the classes built on Handle may ask of it; symbols, for the user's editor need not show them. */
const kIsOpen = Symbol('isOpen')
const kOpen = Symbol('open')
const kCheckSize = Symbol('checkSize')

/** What everything that is open has in common: it can be closed, and it keeps the process alive. */
class Handle extends EventEmitter {
  #environment
  #id
  #referenced = true
  #warnedOfSize = false
  /** @type {Promise<void> | undefined} */
  #closing
  /** @type {(() => void) | undefined} */
  #closed
  /** @type {Disposable | undefined} */
  #abortListener

  /**
   * @param {Environment} environment
   * @param {number | undefined} id of an object that the engine has just opened; none was if the signal had
   * been aborted before
   * @param {AbortSignal | undefined} signal that closes it
   */
  constructor(environment, id, signal) {
    super()
    this.#environment = environment
    this.#id = id ?? -1
    if (id === undefined) {
      this.#closing = new Promise((resolve) => {
        process.nextTick(() => {
          emitSafely(this, 'close')
          resolve()
        })
      })
      return
    }
    try {
      if (signal) this.#abortListener = addAbortListener(signal, () => void this.close())
    } catch (error) {
      // Else it would stay open, and nobody could close it.
      environment.client.close(id)
      throw error
    }
    environment.add(id, this)
  }

  get [kIsOpen]() {
    return this.#closing === undefined
  }

  /** The client and the id, for calls that need the object open; else throws ERR_CLOSED. */
  get [kOpen]() {
    if (!this[kIsOpen]) throw errors.closed(this.constructor.name)
    return { client: this.#environment.client, id: this.#id }
  }

  /**
   * Warns once of datagrams that go out in fragments.
   *
   * @param {number} length in bytes
   */
  [kCheckSize](length) {
    if (length <= UNFRAGMENTED || this.#warnedOfSize) return
    this.#warnedOfSize = true
    process.nextTick(() => {
      if (this[kIsOpen]) this.#environment.warn(this, errors.largePayload(length, UNFRAGMENTED))
    })
  }

  ref() {
    return this.#keepAlive(true)
  }

  unref() {
    return this.#keepAlive(false)
  }

  /** What is done with each interface of this computer. */
  interfaces() {
    const { client, id } = this[kOpen]
    return client.interfaces(id).map(describe)
  }

  /** @returns {Promise<void>} */
  close() {
    if (this.#closing === undefined) {
      const { client, id } = this[kOpen]
      // Until it is closed it keeps the process alive, so that who waits for that is told.
      this.ref()
      this.#closing = new Promise((resolve) => {
        this.#closed = resolve
      })
      client.close(id)
      this.#abortListener?.[Symbol.dispose]()
    }
    return this.#closing
  }

  [Symbol.asyncDispose]() {
    return this.close()
  }

  [kEnded]() {
    // Closed by the engine rather than by `close`, it is closed all the same.
    this.#closing ??= Promise.resolve()
    this.#abortListener?.[Symbol.dispose]()
    if (this.#referenced) this.#environment.unref()
    emitSafely(this, 'close')
    this.#closed?.()
  }

  [kInterfaces]() {
    // Asking for them is not for nothing.
    if (this[kIsOpen] && this.listenerCount('interfaces') > 0) {
      emitSafely(this, 'interfaces', this.interfaces())
    }
  }

  /**
   * What only listeners do.
   *
   * @param {Batch} _batch
   */
  [kHeard](_batch) {}

  /** What only discoveries do. */
  [kPeers]() {}

  /**
   * @param {boolean} wanted
   */
  #keepAlive(wanted) {
    void this[kOpen]
    if (this.#referenced !== wanted) {
      this.#referenced = wanted
      if (wanted) this.#environment.ref()
      else this.#environment.unref()
    }
    return this
  }
}

module.exports = { Handle, kCheckSize, kIsOpen, kOpen }
