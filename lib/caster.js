'use strict'

const errors = require('./errors.js')
const { Handle, kCheckSize, kOpen } = require('./handle.js')
const { castOptions, validInterval, validPayload } = require('./options.js')

/**
 * @typedef {import('./environment.js').Environment} Environment
 */

/** Announces to groups. See `Caster` in index.d.ts. */
class Caster extends Handle {
  #environment

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
    this[kCheckSize](bytes.length)
  }

  /**
   * @param {unknown} payload
   * @param {unknown} [intervalMs]
   */
  update(payload, intervalMs) {
    const { client, id } = this[kOpen]
    const bytes = validPayload(this.#environment.binding, payload)
    client.update(id, bytes, intervalMs === undefined ? undefined : validInterval(intervalMs))
    this[kCheckSize](bytes.length)
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
}

module.exports = { Caster }
