'use strict'

const { isUtf8 } = require('node:buffer')

/** Deeper nesting than this is malformed: nobody means it, and code that walks it may recurse. */
const MAX_DEPTH = 64

/** What `parse` gives for bytes that are not acceptable JSON; `undefined` is never JSON's own. */
const MALFORMED = undefined

/**
 * JSON from the network as `JSON.parse` gives it, with keys named `__proto__` removed at every depth.
 *
 * @param {Buffer} bytes
 * @returns {unknown} MALFORMED if it is not UTF-8, not JSON, or nested more than 64 levels deep
 */
function parse(bytes) {
  // RFC 8259 8.1: JSON between systems is UTF-8. Decoding alone would put U+FFFD for what is not.
  if (!isUtf8(bytes)) return MALFORMED
  const value = parsed(bytes.toString())
  return clean(value, MAX_DEPTH) ? value : MALFORMED
}

/**
 * The same of what the engine has found to be JSON that is not nested too deep. Only where there may be a `__proto__`, with
 * escapes or without, is it looked through, which takes longer than all the rest.
 *
 * @param {string} text
 * @returns {unknown} MALFORMED if it is not JSON
 */
function parseChecked(text) {
  const value = parsed(text)
  if (text.includes('__proto__') || text.includes('\\u')) clean(value, Infinity)
  return value
}

/**
 * @param {string} text
 * @returns {unknown} MALFORMED if it is not JSON
 */
function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return MALFORMED
  }
}

/**
 * Removes `__proto__` keys from `value` and all in it.
 *
 * @param {unknown} value
 * @param {number} levels how deep `value` may be nested
 * @returns {boolean} whether it is nested no deeper
 */
function clean(value, levels) {
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  if (Array.isArray(value)) return value.every((item) => clean(item, levels - 1))
  // JSON.parse makes an own property of it, which a later copy by assignment would make the prototype.
  if (Object.hasOwn(value, '__proto__')) Reflect.deleteProperty(value, '__proto__')
  return Object.values(value).every((item) => clean(item, levels - 1))
}

module.exports = { MALFORMED, parse, parseChecked }
