'use strict'

const { HEAD, emitSafely, kEnded, kHeard } = require('./environment.js')
const errors = require('./errors.js')
const { Handle, kIsOpen, kOpen } = require('./handle.js')
const { MALFORMED, parse } = require('./json.js')
const { Messages } = require('./messages.js')
const { SOURCE_IS_IPV4, isIPv4, listenOptions, validGroup } = require('./options.js')

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
  #environment
  #port
  #family
  #source
  /** @type {Set<string>} */
  #groups
  #decode
  /** @type {Set<Messages<object>>} */
  #iterators = new Set()
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
    const { encoding, signal, ...settings } = listenOptions(environment.binding, options)
    const opened = signal?.aborted ? undefined : environment.client.listen(settings)
    if (opened && 'errno' in opened) throw errors.systemError(opened)
    super(environment, opened?.id, signal)
    this.#environment = environment
    this.#port = opened?.port
    this.#source = settings.source
    this.#family = settings.groups.some(isIPv4) ? 'IPv4' : 'IPv6'
    this.#groups = new Set(settings.groups)
    this.#decode = DECODE[encoding]
    if (callback !== undefined) this.on('message', /** @type {() => void} */ (callback))
    process.nextTick(() => {
      if (this[kIsOpen]) this.emit('listening')
    })
  }

  address() {
    void this[kOpen]
    const address = this.#family === 'IPv4' ? '0.0.0.0' : '::'
    return { address, family: this.#family, port: this.#port }
  }

  get groups() {
    return [...this.#groups]
  }

  /**
   * @param {string} group
   */
  join(group) {
    const { client, id } = this[kOpen]
    const joining = validGroup(this.#environment.binding, 'group', group)
    if (this.#source !== undefined && !isIPv4(joining)) {
      throw errors.invalidArgValue('group', SOURCE_IS_IPV4, group)
    }
    client.join(id, joining)
    this.#groups.add(joining)
  }

  /**
   * @param {string} group
   */
  leave(group) {
    const { client, id } = this[kOpen]
    const leaving = validGroup(this.#environment.binding, 'group', group)
    if (!this.#groups.has(leaving)) {
      throw errors.invalidArgValue('group', 'must be one that was joined', group)
    }
    client.leave(id, leaving)
    this.#groups.delete(leaving)
  }

  /** @returns {Promise<void>} */
  close() {
    const closing = super.close()
    this.#endIterators()
    return closing
  }

  [Symbol.asyncIterator]() {
    const messages = new Messages({
      drained: () => this.#resume(),
      close: () => this.close()
    })
    if (this[kIsOpen]) this.#iterators.add(messages)
    else messages.end()
    return messages
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
        for (const messages of this.#iterators) messages.push({ message, from })
        emitSafely(this, 'message', message, from)
      }
      start = end
    }
    if (this.#isHolding) this.#environment.client.pause(this[kOpen].id)
  }

  [kEnded]() {
    this.#endIterators()
    super[kEnded]()
  }

  /** Whether an iterator holds messages that nobody has asked for. */
  get #isHolding() {
    for (const messages of this.#iterators) if (messages.isHolding) return true
    return false
  }

  /** Has more messages come, once nothing of what came before waits in JavaScript. */
  #resume() {
    if (this[kIsOpen] && !this.#isHolding) this.#environment.client.resume(this[kOpen].id)
  }

  #endIterators() {
    for (const messages of this.#iterators) messages.end()
    this.#iterators.clear()
  }
}

module.exports = { Listener }
