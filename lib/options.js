'use strict'

const { types } = require('node:util')
const { invalidArgType, invalidArgValue, outOfRange, payloadTooLarge } = require('./errors.js')

/**
 * @typedef {import('../binding')} Binding
 * @typedef {import('../index').ListenOptions} ListenOptions
 * @typedef {import('../index').CastOptions} CastOptions
 * @typedef {import('../index').DiscoverOptions} DiscoverOptions
 * @typedef {import('../index').DiagnoseOptions} DiagnoseOptions
 * @typedef {import('../index').Payload} Payload
 */

const DEFAULT_GROUP = '224.0.0.1'
const DEFAULT_PORT = 9778
const DISCOVERY_GROUPS = [DEFAULT_GROUP, 'ff02::1']

/** The longest delay, as for Node's own timers, in milliseconds. */
const MAX_INTERVAL = 2 ** 31 - 1

/** The largest receive buffer to ask for: SO_RCVBUF takes an int, in bytes. */
const MAX_RECEIVE_BUFFER = 2 ** 31 - 1

/** The most that one Ethernet frame carries: 1,500 bytes less 20 of IPv4 and 8 of UDP header. */
const UNFRAGMENTED = 1472

/** The length of a key in bytes. */
const KEY = 32

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
    to: validDestinations(binding, 'options.to', to),
    broadcast: boolean('options.broadcast', broadcast),
    interfaces: validInterfaces(binding, 'options.interfaces', interfaces),
    signal: validSignal(signal),
    ttl: integer('options.ttl', ttl, 0, 255),
    loopback: boolean('options.loopback', loopback)
  }
}

/**
 * The options of `discover`, complete and checked; an `id` is left to be drawn.
 *
 * @param {Binding} binding
 * @param {unknown} given
 */
function discoverOptions(binding, given) {
  const options = /** @type {DiscoverOptions} */ (object('options', given))
  const {
    app = '',
    id,
    interval = 2000,
    rate = 50,
    group = DISCOVERY_GROUPS,
    port = DEFAULT_PORT,
    interfaces = [],
    seeds = [],
    broadcast = false,
    ttl = 1,
    key,
    clockTolerance = 60_000,
    plain = app === '' && key === undefined,
    maxPeers = 10_000,
    signal
  } = options
  if (id !== undefined && !binding.isId(wellFormed('options.id', id))) {
    const expected = "must have 1 to 64 characters, and not begin with 'plain:'"
    throw invalidArgValue('options.id', expected, id)
  }
  if (key !== undefined && plain === true) {
    throw invalidArgValue(
      'options.plain',
      'must be false with options.key: bare objects have none',
      plain
    )
  }
  return {
    id,
    keys: validKeys(key),
    clockTolerance: integer('options.clockTolerance', clockTolerance, 1000, 86_400_000),
    app: wellFormed('options.app', app),
    interval: integer('options.interval', interval, 100, 600_000),
    rate: integer('options.rate', rate, 1, 1_000_000),
    groups: validGroups(binding, 'options.group', group),
    port: integer('options.port', port, 1, 65535),
    interfaces: validInterfaces(binding, 'options.interfaces', interfaces),
    seeds: validDestinations(binding, 'options.seeds', seeds),
    broadcast: boolean('options.broadcast', broadcast),
    ttl: integer('options.ttl', ttl, 0, 255),
    plain: boolean('options.plain', plain),
    maxPeers: integer('options.maxPeers', maxPeers, 1, 1_000_000),
    signal: validSignal(signal)
  }
}

/**
 * The options of `diagnose`, complete and checked.
 *
 * @param {Binding} binding
 * @param {unknown} given
 */
function diagnoseOptions(binding, given) {
  const options = /** @type {DiagnoseOptions} */ (object('options', given))
  const {
    group = DISCOVERY_GROUPS,
    port = DEFAULT_PORT,
    interfaces = [],
    duration = 5000,
    signal
  } = options
  return {
    groups: validGroups(binding, 'options.group', group),
    port: integer('options.port', port, 1, 65535),
    interfaces: validInterfaces(binding, 'options.interfaces', interfaces),
    duration: integer('options.duration', duration, 1000, 600_000),
    signal: validSignal(signal)
  }
}

/**
 * A key, or several: each as bytes, or a passphrase. What is wrong with one is said without showing it.
 *
 * @param {unknown} value
 * @returns {(string | Uint8Array)[] | undefined}
 */
function validKeys(value) {
  if (value === undefined) return undefined
  const list = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw invalidArgValue('options.key', 'must have at least one key', value)
  // By index, for the methods of arrays pass over holes.
  for (let i = 0; i < list.length; i++) {
    const key = list[i]
    const name = list === value ? `options.key[${i}]` : 'options.key'
    const isBytes = key instanceof Uint8Array
    if (!isBytes && typeof key !== 'string') {
      throw invalidArgType(name, 'a Buffer or Uint8Array of 32 bytes, or a passphrase', key)
    }
    if (isBytes && key.length !== KEY) {
      throw invalidArgValue(name, `must have ${KEY} bytes`, `${key.length} bytes`)
    }
    if (key.length === 0) throw invalidArgValue(name, 'must not be empty', '')
  }
  return list
}

/**
 * The JSON of what a discovery announces, and the most bytes that it makes a datagram.
 *
 * @param {Binding} binding
 * @param {unknown} value
 * @param {{ id: string, app: string, sealed: boolean }} discovery
 */
function validData(binding, value, { id, app, sealed }) {
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw invalidArgType('data', 'an object to announce as JSON', value)
  }
  const json = jsonOf('data', 'an object to announce as JSON', value)
  const length = binding.announcementLength(id, app, json, sealed)
  if (length === null) {
    const expected = `must be an object in JSON, nested at most 64 levels deep, without the key "lan-peers"`
    throw invalidArgValue('data', expected, value)
  }
  if (length > binding.MAX_PAYLOAD) throw payloadTooLarge('data', binding.MAX_PAYLOAD, length)
  return { json, length }
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
  if (bytes.length > binding.MAX_PAYLOAD)
    throw payloadTooLarge('payload', binding.MAX_PAYLOAD, bytes.length)
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
  const expected =
    'a string, a Buffer, TypedArray or DataView, or an object or array to send as JSON'
  return Buffer.from(jsonOf('payload', expected, value))
}

/**
 * The JSON of an object or array.
 *
 * @param {string} name
 * @param {string} expected
 * @param {unknown} value
 * @returns {string}
 */
function jsonOf(name, expected, value) {
  if (typeof value !== 'object' || value === null || isEmptyAsJson(value)) {
    throw invalidArgType(name, expected, value)
  }
  let json
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    const error = invalidArgValue(name, `cannot be sent as JSON: ${reason}`, value)
    throw Object.assign(error, { cause })
  }
  // An object whose toJSON gives nothing has no JSON.
  if (json === undefined) throw invalidArgValue(name, 'has no JSON', value)
  return json
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
 * @param {string} option
 * @param {unknown} value
 * @returns {string[]}
 */
function validDestinations(binding, option, value) {
  const list = strings(option, value)
  for (const [i, to] of list.entries()) {
    const fault = binding.checkDestination(to)
    if (fault !== null) {
      const name = list === value ? `${option}[${i}]` : option
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
 * A string that is the same in UTF-8: it goes over the network.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
function wellFormed(name, value) {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  if (!value.isWellFormed()) throw invalidArgValue(name, 'must have no lone surrogates', value)
  return value
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
  KEY,
  SOURCE_IS_IPV4,
  UNFRAGMENTED,
  castOptions,
  diagnoseOptions,
  discoverOptions,
  isIPv4,
  listenOptions,
  validData,
  validGroup,
  validInterfaces,
  validInterval,
  validPayload
}
