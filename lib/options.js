'use strict'

const { isIPv4, isIPv6 } = require('node:net')
const { types } = require('node:util')
const { invalidArgType, invalidArgValue, outOfRange, payloadTooLarge } = require('./errors.js')

/**
 * @typedef {import('../binding')} Binding
 * @typedef {import('../index').ListenOptions} ListenOptions
 * @typedef {import('../index').CastOptions} CastOptions
 * @typedef {import('../index').Payload} Payload
 */

const DEFAULT_GROUP = '224.0.0.1'
const DEFAULT_PORT = 9778

/** The longest delay, as for Node's own timers, in milliseconds. */
const MAX_INTERVAL = 2 ** 31 - 1

/** The largest receive buffer to ask for: SO_RCVBUF takes an int, in bytes. */
const MAX_RECEIVE_BUFFER = 2 ** 31 - 1

const ENCODINGS = ['buffer', 'utf8', 'json']

/**
 * The options of `listen`, complete and checked.
 *
 * @param {Binding} binding
 * @param {unknown} given
 */
function listenOptions(binding, given) {
  const options = /** @type {ListenOptions} */ (object('options', given))
  const {
    encoding = 'buffer',
    group = DEFAULT_GROUP,
    port = DEFAULT_PORT,
    interfaces = [],
    direct = true,
    self = true,
    highWaterMark = 16 * 1024 * 1024,
    receiveBuffer = 4 * 1024 * 1024
  } = options
  if (typeof encoding !== 'string') {
    throw invalidArgType('options.encoding', 'of type string', encoding)
  }
  if (!ENCODINGS.includes(encoding)) {
    const list = ENCODINGS.map((one) => `'${one}'`).join(', ')
    throw invalidArgValue('options.encoding', `must be one of: ${list}`, encoding)
  }
  return {
    encoding,
    groups: validGroups('options.group', group),
    port: integer('options.port', port, 0, 65535),
    interfaces: validInterfaces(binding, interfaces),
    direct: boolean('options.direct', direct),
    self: boolean('options.self', self),
    highWaterMark: integer('options.highWaterMark', highWaterMark, 1, Number.MAX_SAFE_INTEGER),
    receiveBuffer: integer('options.receiveBuffer', receiveBuffer, 1, MAX_RECEIVE_BUFFER)
  }
}

/**
 * The options of `cast`, complete and checked.
 *
 * @param {Binding} binding
 * @param {unknown} given
 */
function castOptions(binding, given) {
  const options = /** @type {CastOptions} */ (object('options', given))
  const {
    group = DEFAULT_GROUP,
    port = DEFAULT_PORT,
    interfaces = [],
    ttl = 1,
    loopback = true
  } = options
  return {
    groups: validGroups('options.group', group),
    port: integer('options.port', port, 1, 65535),
    interfaces: validInterfaces(binding, interfaces),
    ttl: integer('options.ttl', ttl, 0, 255),
    loopback: boolean('options.loopback', loopback)
  }
}

/**
 * @param {unknown} value milliseconds
 */
const validInterval = (value) => integer('intervalMs', value, 1, MAX_INTERVAL)

/**
 * The bytes of a payload. A view is not copied here: the binding copies it at once.
 *
 * @param {Binding} binding
 * @param {unknown} value
 * @returns {Buffer}
 */
function validPayload(binding, value) {
  const bytes = payloadBytes(value)
  if (bytes.length > binding.MAX_PAYLOAD) throw payloadTooLarge(binding.MAX_PAYLOAD, bytes.length)
  return bytes
}

/**
 * @param {unknown} value
 * @returns {Buffer}
 */
function payloadBytes(value) {
  if (typeof value === 'string') return Buffer.from(value)
  if (ArrayBuffer.isView(value)) {
    try {
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    } catch {
      throw invalidArgValue('payload', 'is a view of memory that was transferred', value)
    }
  }
  if (typeof value !== 'object' || value === null || isEmptyAsJson(value)) {
    throw invalidArgType(
      'payload',
      'a string, a Buffer, TypedArray or DataView, or an object or array to send as JSON',
      value
    )
  }
  let json
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    const error = invalidArgValue('payload', `cannot be sent as JSON: ${reason}`, value)
    throw Object.assign(error, { cause })
  }
  // An object whose toJSON gives nothing has no JSON.
  if (json === undefined) throw invalidArgValue('payload', 'has no JSON', value)
  return Buffer.from(json)
}

/**
 * Whether the JSON of an object is "{}" whatever is in it, which nobody means to send: a forgotten `await`.
 *
 * @param {object} value
 */
const isEmptyAsJson = (value) =>
  types.isPromise(value) ||
  types.isMap(value) ||
  types.isSet(value) ||
  types.isAnyArrayBuffer(value)

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
function validGroup(name, value) {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  if (isIPv6(value)) {
    throw invalidArgValue(name, 'must be an IPv4 group; this version has no IPv6', value)
  }
  const first = Number(value.split('.')[0])
  if (!isIPv4(value) || first < 224 || first > 239) {
    throw invalidArgValue(name, 'must be a multicast address, 224.0.0.0 to 239.255.255.255', value)
  }
  return value
}

/**
 * One group or several, each once.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {string[]}
 */
function validGroups(name, value) {
  if (!Array.isArray(value)) {
    if (typeof value !== 'string') {
      throw invalidArgType(name, 'of type string or an array of strings', value)
    }
    return [validGroup(name, value)]
  }
  if (value.length === 0) throw invalidArgValue(name, 'must name at least one group', value)
  // Array.from, for `map` passes over holes.
  return [...new Set(Array.from(value, (one, i) => validGroup(`${name}[${i}]`, one)))]
}

/**
 * @param {Binding} binding
 * @param {unknown} value
 * @returns {string[]}
 */
function validInterfaces(binding, value) {
  const name = 'options.interfaces'
  const list = Array.isArray(value) ? value : [value]
  for (const [i, pattern] of list.entries()) {
    if (typeof pattern === 'string') continue
    if (list === value) throw invalidArgType(`${name}[${i}]`, 'of type string', pattern)
    throw invalidArgType(name, 'of type string or an array of strings', pattern)
  }
  const fault = binding.checkInterfaces(list)
  if (fault !== null) {
    const expected = 'must name interfaces by name, address or CIDR, or exclude such with "!"'
    throw invalidArgValue(name, `${expected}; ${fault}`, value)
  }
  return list
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {object}
 */
function object(name, value) {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(name, 'of type object', value)
  }
  return value
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {number} least
 * @param {number} most
 * @returns {number}
 */
function integer(name, value, least, most) {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value)
  return value
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {boolean}
 */
function boolean(name, value) {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value)
  return value
}

module.exports = { castOptions, listenOptions, validGroup, validInterval, validPayload }
