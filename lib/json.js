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
  return isUtf8(bytes) ? parseText(bytes.toString()) : MALFORMED
}

/**
 * As `parse`, of what has been decoded.
 *
 * @param {string} text
 * @returns {unknown} MALFORMED if it is not JSON, or nested more than 64 levels deep
 */
function parseText(text) {
  const value = parsed(text)
  return clean(value, 1) ? value : MALFORMED
}

/**
 * As `parse`, of what the engine has found to be JSON that is not nested too deep: what is in it is looked at only if there may be a
 * `__proto__`, with escapes or without.
 *
 * @param {string} text
 * @returns {unknown} MALFORMED if it is not JSON
 */
function parseChecked(text) {
  const value = parsed(text)
  if (text.includes('__proto__') || text.includes('\\u')) clean(value, -Infinity)
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
 * @param {number} depth of `value`, from 1
 * @returns {boolean} whether it is nested within MAX_DEPTH
 */
function clean(value, depth) {
  if (typeof value !== 'object' || value === null) return true
  if (depth > MAX_DEPTH) return false
  if (Array.isArray(value)) return value.every((item) => clean(item, depth + 1))
  // JSON.parse makes an own property of it, which a later copy by assignment would make the prototype.
  if (Object.hasOwn(value, '__proto__')) Reflect.deleteProperty(value, '__proto__')
  return Object.values(value).every((item) => clean(item, depth + 1))
}

module.exports = { MALFORMED, parse, parseChecked }
