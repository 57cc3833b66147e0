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
  const encoding = options.encoding ?? 'buffer'
  if (typeof encoding !== 'string') {
    throw invalidArgType('options.encoding', 'of type string', encoding)
  }
  if (!ENCODINGS.includes(encoding)) {
    const list = ENCODINGS.map((one) => `'${one}'`).join(', ')
    throw invalidArgValue('options.encoding', `must be one of: ${list}`, encoding)
  }
  return {
    encoding,
    groups: groups('options.group', options.group ?? '224.0.0.1'),
    port: integer('options.port', options.port ?? 9778, 0, 65535),
    interfaces: interfaces(binding, options.interfaces ?? []),
    direct: boolean('options.direct', options.direct ?? true),
    self: boolean('options.self', options.self ?? true),
    highWaterMark: integer(
      'options.highWaterMark',
      options.highWaterMark ?? 16 * 1024 * 1024,
      1,
      Number.MAX_SAFE_INTEGER
    ),
    receiveBuffer: integer(
      'options.receiveBuffer',
      options.receiveBuffer ?? 4 * 1024 * 1024,
      1,
      MAX_RECEIVE_BUFFER
    )
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
  return {
    groups: groups('options.group', options.group ?? '224.0.0.1'),
    port: integer('options.port', options.port ?? 9778, 1, 65535),
    interfaces: interfaces(binding, options.interfaces ?? []),
    ttl: integer('options.ttl', options.ttl ?? 1, 0, 255),
    loopback: boolean('options.loopback', options.loopback ?? true)
  }
}

/**
 * @param {unknown} value milliseconds
 */
const interval = (value) => integer('intervalMs', value, 1, MAX_INTERVAL)

/**
 * The bytes of a payload. A view is not copied here: the binding copies it at once.
 *
 * @param {Binding} binding
 * @param {unknown} value
 * @returns {Buffer}
 */
function payload(binding, value) {
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
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  // An ArrayBuffer would come out as "{}" if it were taken for an object.
  if (typeof value !== 'object' || value === null || types.isAnyArrayBuffer(value)) {
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
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
function group(name, value) {
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
function groups(name, value) {
  if (!Array.isArray(value)) {
    if (typeof value !== 'string') {
      throw invalidArgType(name, 'of type string or an array of strings', value)
    }
    return [group(name, value)]
  }
  if (value.length === 0) throw invalidArgValue(name, 'must name at least one group', value)
  return [...new Set(value.map((one, i) => group(`${name}[${i}]`, one)))]
}

/**
 * @param {Binding} binding
 * @param {unknown} value
 * @returns {string[]}
 */
function interfaces(binding, value) {
  const name = 'options.interfaces'
  const list = Array.isArray(value) ? value : [value]
  list.forEach((pattern, i) => {
    if (typeof pattern === 'string') return
    if (list === value) throw invalidArgType(`${name}[${i}]`, 'of type string', pattern)
    throw invalidArgType(name, 'of type string or an array of strings', pattern)
  })
  const fault = binding.checkInterfaces(list)
  if (fault !== null) {
    const expected = 'must hold interface names, addresses or CIDRs, each with "!" to exclude it'
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

module.exports = { castOptions, group, interval, listenOptions, payload }
