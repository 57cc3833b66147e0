'use strict'

const { HEAD, emitSafely, kHeard } = require('./environment.js')
const errors = require('./errors.js')
const { Handle, kIsOpen, kOpen } = require('./handle.js')
const { MALFORMED, parse } = require('./json.js')
const { listenOptions, validGroup } = require('./options.js')

/**
 * @typedef {import('./environment.js').Environment} Environment
 * @typedef {import('./environment.js').Batch} Batch
 * @typedef {(buffer: Buffer, start: number, end: number) => unknown} Decode
 */

/**
 * Makes a message of the bytes from `start` to `end`, with no part of `buffer` in it.
 *
 * @type {Record<string, Decode>}
 */
const DECODE = {
  buffer(buffer, start, end) {
    const own = Buffer.allocUnsafeSlow(end - start)
    buffer.copy(own, 0, start, end)
    return own
  },
  utf8: (buffer, start, end) => buffer.toString('utf8', start, end),
  json: (buffer, start, end) => parse(buffer.subarray(start, end))
}

/** Hears groups. See `Listener` in index.d.ts. */
class Listener extends Handle {
  #port
  /** @type {Set<string>} */
  #groups
  #decode
  #delivered = 0
  #malformed = 0

  /**
   * @param {Environment} environment
   * @param {unknown} options
   * @param {unknown} [callback]
   */
  constructor(environment, options, callback) {
    if (typeof options === 'function' && callback === undefined) {
      callback = options
      options = undefined
    }
    if (callback !== undefined && typeof callback !== 'function') {
      throw errors.invalidArgType('callback', 'of type function', callback)
    }
    const { encoding, ...settings } = listenOptions(environment.binding, options)
    const opened = environment.client.listen(settings)
    if ('errno' in opened) throw errors.systemError(opened)
    super(environment, opened.id)
    this.#port = opened.port
    this.#groups = new Set(settings.groups)
    this.#decode = DECODE[encoding]
    if (callback !== undefined) this.on('message', /** @type {() => void} */ (callback))
    process.nextTick(() => {
      if (this[kIsOpen]) this.emit('listening')
    })
  }

  address() {
    void this[kOpen]
    return { address: '0.0.0.0', family: 'IPv4', port: this.#port }
  }

  get groups() {
    return [...this.#groups]
  }

  /**
   * @param {string} group
   */
  join(group) {
    const { client, id } = this[kOpen]
    client.join(id, validGroup('group', group))
    this.#groups.add(group)
  }

  /**
   * @param {string} group
   */
  leave(group) {
    const { client, id } = this[kOpen]
    if (!this.#groups.has(validGroup('group', group))) {
      throw errors.invalidArgValue('group', 'must be one that was joined', group)
    }
    client.leave(id, group)
    this.#groups.delete(group)
  }

  stats() {
    const { client, id } = this[kOpen]
    // There are none once the engine has failed, of which an event is on its way.
    const {
      received = 0,
      bytes = 0,
      dropped = 0,
      lost = 0,
      receiveBuffer = 0
    } = client.listenerStats(id) ?? {}
    return {
      received,
      delivered: this.#delivered,
      bytes,
      malformed: this.#malformed,
      dropped,
      lost,
      receiveBuffer
    }
  }

  /**
   * @param {Batch} batch
   */
  [kHeard]({ buffer, table, count, dropped, source }) {
    if (dropped > 0 && this[kIsOpen]) emitSafely(this, 'drop', dropped)
    let start = 0
    for (let i = HEAD; i < HEAD + 2 * count && this[kIsOpen]; i += 2) {
      const end = table[i]
      const message = this.#decode(buffer, start, end)
      if (message === MALFORMED) {
        this.#malformed++
      } else {
        const { address, family, port, interface: name, group } = source(table[i + 1])
        const from = { address, family, port, size: end - start, interface: name, group }
        this.#delivered++
        emitSafely(this, 'message', message, from)
      }
      start = end
    }
  }
}

module.exports = { Listener }
