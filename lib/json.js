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
 * @param {number} [around] levels of it that are ours
 * @returns {unknown} MALFORMED if it is not JSON, or nested more than 64 levels deep
 */
function parseText(text, around = 0) {
  let value
  try {
    value = JSON.parse(text)
  } catch {
    return MALFORMED
  }
  return clean(value, 1 - around) ? value : MALFORMED
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

module.exports = { MALFORMED, parse, parseText }
