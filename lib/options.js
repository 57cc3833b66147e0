'use strict'

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

const SOURCE_IS_IPV4 = 'must be an IPv4 group, as options.source is'

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
    source,
    signal,
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
  const groups = validGroups(binding, 'options.group', group)
  if (validSource(binding, source) !== undefined && !groups.every(isIPv4)) {
    throw invalidArgValue('options.group', SOURCE_IS_IPV4, group)
  }
  return {
    encoding,
    groups,
    source,
    signal: validSignal(signal),
    port: integer('options.port', port, 0, 65535),
    interfaces: validInterfaces(binding, 'options.interfaces', interfaces),
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
    to = [],
    broadcast = false,
    ttl = 1,
    loopback = true,
    signal
  } = options
  return {
    groups: validGroups(binding, 'options.group', group),
    port: integer('options.port', port, 1, 65535),
    to: validDestinations(binding, to),
    broadcast: boolean('options.broadcast', broadcast),
    interfaces: validInterfaces(binding, 'options.interfaces', interfaces),
    signal: validSignal(signal),
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
 * A group, in the one way it is written (RFC 5952 for IPv6).
 *
 * @param {Binding} binding
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
function validGroup(binding, name, value) {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  const [address, ...zone] = value.split('%')
  const group = binding.canonicalGroup(address)
  if (group === null || (zone.length > 0 && isIPv4(group))) {
    const expected = 'must be a multicast address, 224.0.0.0 to 239.255.255.255 or ff00::/8'
    throw invalidArgValue(name, expected, value)
  }
  if (zone.length > 0) {
    const expected = "must have no '%': its interface is named in options.interfaces"
    throw invalidArgValue(name, expected, value)
  }
  return group
}

/**
 * Whether a valid group is one of IPv4, and not of IPv6.
 *
 * @param {string} group
 */
const isIPv4 = (group) => !group.includes(':')

/**
 * One group or several, each once.
 *
 * @param {Binding} binding
 * @param {string} name
 * @param {unknown} value
 * @returns {string[]}
 */
function validGroups(binding, name, value) {
  const list = strings(name, value)
  if (list.length === 0) throw invalidArgValue(name, 'must name at least one group', value)
  const groups = list.map((one, i) =>
    validGroup(binding, list === value ? `${name}[${i}]` : name, one)
  )
  return [...new Set(groups)]
}

/**
 * @param {Binding} binding
 * @param {unknown} value
 * @returns {string | undefined}
 */
function validSource(binding, value) {
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw invalidArgType('options.source', 'of type string', value)
  if (binding.isIpv4Host(value)) return value
  throw invalidArgValue('options.source', 'must be the IPv4 address of a host', value)
}

/**
 * @param {Binding} binding
 * @param {string} name
 * @param {unknown} value
 * @returns {string[]}
 */
function validInterfaces(binding, name, value) {
  const list = strings(name, value)
  const fault = binding.checkInterfaces(list)
  if (fault !== null) {
    const expected = 'must name interfaces by name, address or CIDR, or exclude such with "!"'
    throw invalidArgValue(name, `${expected}; ${fault}`, value)
  }
  return list
}

/**
 * Where to send by unicast, each once.
 *
 * @param {Binding} binding
 * @param {unknown} value
 * @returns {string[]}
 */
function validDestinations(binding, value) {
  const list = strings('options.to', value)
  for (const [i, to] of list.entries()) {
    const fault = binding.checkDestination(to)
    if (fault !== null) {
      const name = list === value ? `options.to[${i}]` : 'options.to'
      throw invalidArgValue(
        name,
        `must be an address or a host name, or such and a port; ${fault}`,
        to
      )
    }
  }
  return [...new Set(list)]
}

/**
 * @param {unknown} value
 * @returns {AbortSignal | undefined}
 */
function validSignal(value) {
  // As Node's own check it: those of another realm are no instances of our AbortSignal.
  if (value === undefined) return undefined
  const signal = /** @type {AbortSignal | null} */ (value)
  if (typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function') {
    return signal
  }
  throw invalidArgType('options.signal', 'an instance of AbortSignal', value)
}

/**
 * A string, or an array of strings, as an array.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {string[]}
 */
function strings(name, value) {
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value))
    throw invalidArgType(name, 'of type string or an array of strings', value)
  // By index, for the methods of arrays pass over holes.
  for (let i = 0; i < value.length; i++) {
    if (typeof value[i] !== 'string')
      throw invalidArgType(`${name}[${i}]`, 'of type string', value[i])
  }
  return value
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

module.exports = {
  SOURCE_IS_IPV4,
  castOptions,
  isIPv4,
  listenOptions,
  validGroup,
  validInterfaces,
  validInterval,
  validPayload
}
