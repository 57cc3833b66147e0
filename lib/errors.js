'use strict'

const { getSystemErrorName, inspect } = require('node:util')

/**
 * @typedef {import('../binding').Fault} Fault
 * @typedef {Error & { code: string, errno?: number, syscall?: string, address?: string,
 *   port?: number, interface?: string, hint?: string }} CodedError
 */

/**
 * @param {ErrorConstructor} Base
 * @param {string} code
 * @param {string} message
 * @returns {CodedError}
 */
function coded(Base, code, message) {
  const error = Object.assign(new Base(message), { code })
  // Node's own have the code in the stack, too.
  error.stack = error.stack?.replace(error.name, `${error.name} [${code}]`)
  return error
}

/**
 * "argument" or "property", as Node says it: a name with a dot is a property of an argument.
 *
 * @param {string} name
 */
const kindOf = (name) => (name.includes('.') ? 'property' : 'argument')

/**
 * @param {unknown} value
 */
function received(value) {
  if (value === null || value === undefined) return `Received ${value}`
  if (typeof value === 'function') return `Received function ${value.name}`
  if (typeof value === 'object') {
    const name = value.constructor?.name
    return name ? `Received an instance of ${name}` : `Received ${inspect(value, { depth: -1 })}`
  }
  return `Received type ${typeof value} (${shown(value)})`
}

/**
 * @param {unknown} value
 */
function shown(value) {
  const text = inspect(value)
  return text.length > 128 ? `${text.slice(0, 128)}...` : text
}

/**
 * @param {string} name the argument, or `options.property`
 * @param {string} expected what it must be, such as "of type string"
 * @param {unknown} value what came
 */
const invalidArgType = (name, expected, value) =>
  coded(
    TypeError,
    'ERR_INVALID_ARG_TYPE',
    `The "${name}" ${kindOf(name)} must be ${expected}. ${received(value)}`
  )

/**
 * @param {string} name
 * @param {string} expected what is wrong, or what it must be
 * @param {unknown} value
 */
const invalidArgValue = (name, expected, value) =>
  coded(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `The ${kindOf(name)} '${name}' ${expected}. Received ${shown(value)}`
  )

/**
 * @param {string} name
 * @param {string} range such as ">= 0 && <= 65535"
 * @param {unknown} value
 */
const outOfRange = (name, range, value) =>
  coded(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${range}. Received ${shown(value)}`
  )

/**
 * @param {string} name the argument
 * @param {number} most in bytes
 * @param {number} size in bytes
 */
const payloadTooLarge = (name, most, size) =>
  coded(
    RangeError,
    'ERR_PAYLOAD_TOO_LARGE',
    `The "${name}" argument must be at most ${most} bytes. Received ${size} bytes`
  )

const readOnly = () =>
  coded(TypeError, 'ERR_INVALID_STATE', 'The peers of a Discovery are not to be changed')

/**
 * @param {string} what such as "Listener"
 */
const closed = (what) => coded(Error, 'ERR_CLOSED', `The ${what} is closed`)

/**
 * What the system refused, as an Error like those of Node's own calls. Errno 0 is the engine's own failure.
 *
 * @param {Fault} fault
 */
function systemError({ syscall, errno, address, port, interface: name, hint }) {
  if (errno === 0) return engineFailed('it ended while it was opening this')
  const code = getSystemErrorName(-errno)
  const where = address === undefined ? '' : ` ${address}${port ? `:${port}` : ''}`
  const on = name === undefined ? '' : ` on ${name}`
  const error = new Error(`${syscall} ${code}${where}${on}`)
  /** @type {Record<string, unknown>} */
  const details = { errno: -errno, code, syscall, address, port, interface: name, hint }
  for (const key of Object.keys(details)) if (details[key] === undefined) delete details[key]
  return Object.assign(error, details, { code })
}

/**
 * @param {string} reason
 */
const engineFailed = (reason) =>
  Object.assign(coded(Error, 'ENGINE_FAILED', `The engine of lan-peers failed: ${reason}`), {
    hint: 'Open it again, which starts a new engine, and please report this.'
  })

/**
 * @param {string[]} names of the interfaces that there are
 */
const noInterface = (names) =>
  Object.assign(
    coded(
      Error,
      'NO_INTERFACE',
      `None of the interfaces named is there; there are: ${names.join(', ')}`
    ),
    { hint: 'Check options.interfaces; an interface that comes later is used as soon as it does.' }
  )

/**
 * @param {string} hostname
 * @param {string} reason as the system gives it
 */
const unresolved = (hostname, reason) =>
  Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}: ${reason}`), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname,
    hint: 'Check the name in options.to or options.seeds; it is looked up again, and until then sent to where it led before.'
  })

/**
 * @param {number} size in bytes
 * @param {number} unfragmented in bytes
 */
const largePayload = (size, unfragmented) =>
  Object.assign(
    coded(
      Error,
      'LARGE_PAYLOAD',
      `A payload of ${size} bytes does not fit one Ethernet frame and will be sent in fragments`
    ),
    { hint: `Keep it within ${unfragmented} bytes: if one fragment is lost, the datagram is.` }
  )

const idConflict = () =>
  Object.assign(coded(Error, 'ID_CONFLICT', 'Somebody else announces itself with the same id'), {
    hint: 'Give each an options.id of its own, or none: then it is random.'
  })

const tableFull = () =>
  Object.assign(coded(Error, 'TABLE_FULL', 'There is no room for a peer that was heard'), {
    hint: 'Raise options.maxPeers, or announce less: there is room for 16 MiB of data in all. Of both one address may have an eighth. Peers that are there stay.'
  })

const unauthenticated = () =>
  Object.assign(
    coded(
      Error,
      'UNAUTHENTICATED',
      'Others announce to the same group with another key, or without'
    ),
    {
      hint: 'If they should be peers, give all the same options.key and options.app; else they do no harm.'
    }
  )

/**
 * @param {number} skew in milliseconds
 */
const clockSkew = (skew) =>
  Object.assign(
    coded(
      Error,
      'CLOCK_SKEW',
      `The clock of a peer is ${Math.abs(skew)} ms ${skew > 0 ? 'ahead of' : 'behind'} ours`
    ),
    {
      skew,
      hint: 'Set the clocks, or raise options.clockTolerance; or it is an announcement of long ago, repeated by somebody.'
    }
  )

/**
 * @param {Error} cause
 */
const noKey = (cause) =>
  Object.assign(coded(Error, 'NO_KEY', `No key can be made of a passphrase: ${cause.message}`), {
    cause,
    hint: 'It takes 32 MiB of memory for a moment; a Buffer of 32 bytes takes none.'
  })

module.exports = {
  clockSkew,
  closed,
  engineFailed,
  idConflict,
  invalidArgType,
  invalidArgValue,
  largePayload,
  noInterface,
  noKey,
  outOfRange,
  payloadTooLarge,
  readOnly,
  systemError,
  tableFull,
  unauthenticated,
  unresolved
}
