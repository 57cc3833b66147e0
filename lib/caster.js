'use strict'

const errors = require('./errors.js')
const { Handle, kIsOpen, kOpen } = require('./handle.js')
const { castOptions, validInterval, validPayload } = require('./options.js')

/**
 * @typedef {import('./environment.js').Environment} Environment
 */

/** The most that one Ethernet frame carries: 1,500 bytes less 20 of IPv4 and 8 of UDP header. */
const UNFRAGMENTED = 1472

/** Announces to groups. See `Caster` in index.d.ts. */
class Caster extends Handle {
  #environment
  #warnedOfSize = false

  /**
   * @param {Environment} environment
   * @param {unknown} payload
   * @param {unknown} [intervalMs]
   * @param {unknown} [options]
   */
  constructor(environment, payload, intervalMs = 2000, options = undefined) {
    const { binding } = environment
    const bytes = validPayload(binding, payload)
    const interval = validInterval(intervalMs)
    const { signal, ...settings } = castOptions(binding, options)
    const opened = signal?.aborted
      ? undefined
      : environment.client.cast(bytes, { interval, ...settings })
    if (typeof opened === 'object') throw errors.systemError(opened)
    super(environment, opened, signal)
    this.#environment = environment
    this.#checkSize(bytes)
  }

  /**
   * @param {unknown} payload
   * @param {unknown} [intervalMs]
   */
  update(payload, intervalMs) {
    const { client, id } = this[kOpen]
    const bytes = validPayload(this.#environment.binding, payload)
    client.update(id, bytes, intervalMs === undefined ? undefined : validInterval(intervalMs))
    this.#checkSize(bytes)
  }

  send() {
    const { client, id } = this[kOpen]
    client.send(id)
  }

  stats() {
    const { client, id } = this[kOpen]
    // There are none once the engine has failed, of which an event is on its way.
    return client.casterStats(id) ?? { sent: 0, failed: 0 }
  }

  /**
   * Warns once of a payload that goes out in fragments.
   *
   * @param {Buffer} bytes
   */
  #checkSize({ length }) {
    if (length <= UNFRAGMENTED || this.#warnedOfSize) return
    this.#warnedOfSize = true
    process.nextTick(() => {
      if (this[kIsOpen]) this.#environment.warn(this, errors.largePayload(length, UNFRAGMENTED))
    })
  }
}

module.exports = { Caster }
