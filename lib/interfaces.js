'use strict'

const errors = require('./errors.js')

/**
 * @typedef {import('../binding').InterfaceReport} InterfaceReport
 * @typedef {import('../binding').Usage} Usage
 */

/**
 * An interface as the public API describes it.
 *
 * @param {InterfaceReport} report
 */
const describe = ({ name, index, addresses, IPv4, IPv6 }) => ({
  name,
  index,
  addresses,
  IPv4: usage(IPv4),
  IPv6: usage(IPv6)
})

/**
 * @param {Usage} usage
 */
function usage({ state, reason, hint, fault }) {
  if (fault === undefined) return { state, reason: reason ?? null, hint: hint ?? null, error: null }
  const error = errors.systemError(fault)
  return { state, reason: error.message, hint: error.hint ?? null, error }
}

module.exports = { describe }
