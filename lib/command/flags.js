'use strict'

// The options of the API as flags of the command, of the same names.

const { parseArgs } = require('node:util')
const { suggestion } = require('./nearest.js')

/** What a key in hexadecimal looks like; anything else is a passphrase. */
const HEX_KEY = /^[\da-f]{64}$/i

/**
 * An option of the API, as a flag.
 *
 * @typedef {object} Flag
 * @property {'text' | 'number' | 'list' | 'on' | 'off'} kind `off` is a flag with `no-` before its name, for what is on by default
 * @property {string} [value] what stands for the value in the help
 * @property {string} help
 */

/** @type {Record<string, Flag>} */
const FLAGS = {
  group: {
    kind: 'list',
    value: 'ADDRESS',
    help: 'the group, IPv4 or IPv6; again for several'
  },
  port: { kind: 'number', value: 'PORT', help: 'the port; default: 9778' },
  interfaces: {
    kind: 'list',
    value: 'PATTERN',
    help: "which interfaces: 'eth*', 10.0.0.0/8, '!docker0'; again for several"
  },
  source: { kind: 'text', value: 'ADDRESS', help: 'hear this IPv4 sender alone' },
  encoding: {
    kind: 'text',
    value: 'NAME',
    help: 'utf8, json, or buffer: as Base64; default: utf8'
  },
  direct: { kind: 'off', help: 'not what is sent straight to this host' },
  highWaterMark: { kind: 'number', value: 'BYTES', help: 'what may wait; default: 16 MiB' },
  receiveBuffer: { kind: 'number', value: 'BYTES', help: "the kernel's buffer; default: 4 MiB" },
  to: {
    kind: 'list',
    value: 'HOST[:PORT]',
    help: 'send there, too, by unicast; again for several'
  },
  broadcast: { kind: 'on', help: 'send to the broadcast address of each network, too' },
  ttl: { kind: 'number', value: 'HOPS', help: 'how far; default: 1, which stays on the link' },
  loopback: { kind: 'off', help: 'not to programs on this computer' },
  app: { kind: 'text', value: 'NAME', help: 'only those with the same one see each other' },
  id: { kind: 'text', value: 'ID', help: 'an identity of yours; default: a random one' },
  interval: { kind: 'number', value: 'MS', help: 'between two announcements; default: 2000' },
  rate: { kind: 'number', value: 'NUMBER', help: 'announcements a second of all; default: 50' },
  seeds: {
    kind: 'list',
    value: 'HOST[:PORT]',
    help: 'whom to find without multicast; again for several'
  },
  key: {
    kind: 'list',
    value: 'KEY',
    help: 'seal with it: 64 hexadecimal digits, or a passphrase; LAN_PEERS_KEY instead is not seen by ps'
  },
  clockTolerance: { kind: 'number', value: 'MS', help: 'how far off clocks may be; 60000' },
  plain: { kind: 'off', help: 'not those who send bare JSON objects' },
  duration: { kind: 'number', value: 'MS', help: 'for how long to listen; default: 5000' },
  maxPeers: { kind: 'number', value: 'NUMBER', help: 'how many there is room for; 10000' }
}

/**
 * What every command has.
 *
 * @type {Record<string, Flag>}
 */
const COMMON = {
  json: { kind: 'on', help: 'print one JSON object a line' },
  help: { kind: 'on', help: 'print this' }
}

/** What is wrong with the arguments themselves. */
class UsageError extends Error {}

/** The name of a flag on the command line, without `--`. */
const spelled = (/** @type {string} */ name, /** @type {Flag} */ { kind }) =>
  kind === 'off' ? `no-${name}` : name

/**
 * Takes the arguments of a command apart.
 *
 * @param {string[]} args
 * @param {readonly string[]} names the flags that it has
 * @returns {{ options: Record<string, any>, positionals: string[], json: boolean, help: boolean }} the options for the API
 */
function parse(args, names) {
  const flags = Object.entries({ ...pick(names), ...COMMON })
  const config = flags.map(([name, flag]) => [
    spelled(name, flag),
    {
      type: flag.kind === 'on' || flag.kind === 'off' ? 'boolean' : 'string',
      multiple: flag.kind === 'list',
      ...(name === 'help' && { short: 'h' })
    }
  ])
  const { values, positionals } = parsed(args, Object.fromEntries(config))
  const given = flags.flatMap(([name, flag]) => {
    const value = values[spelled(name, flag)]
    return value === undefined ? [] : [[name, converted(flag, value)]]
  })
  const { json = false, help = false, ...options } = Object.fromEntries(given)
  if (names.includes('key')) {
    const keys =
      options.key ?? (process.env.LAN_PEERS_KEY ? [process.env.LAN_PEERS_KEY] : undefined)
    if (keys) {
      options.key = keys.map((/** @type {string} */ key) =>
        HEX_KEY.test(key) ? Buffer.from(key, 'hex') : key
      )
    }
  }
  return { options, positionals, json, help }
}

/**
 * @param {string[]} args
 * @param {import('node:util').ParseArgsConfig['options']} options
 * @returns {{ values: Record<string, unknown>, positionals: string[] }}
 */
function parsed(args, options) {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    const unknown = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && message.match(/'(-[^']*)'/)?.[1]
    if (!unknown) throw new UsageError(message)
    const meant = suggestion(
      unknown,
      Object.keys(options ?? {}).map((name) => `--${name}`)
    )
    throw new UsageError(`There is no flag ${unknown}${meant}`)
  }
}

/**
 * A value as the API wants it. What is no number is left as it is, for the API to say so.
 *
 * @param {Flag} flag
 * @param {any} value
 */
function converted({ kind }, value) {
  if (kind === 'off') return false
  return kind === 'number' && /^\d+$/.test(value) ? Number(value) : value
}

/** @param {readonly string[]} names */
const pick = (names) => Object.fromEntries(names.map((name) => [name, FLAGS[name]]))

/**
 * What the help says of flags.
 *
 * @param {readonly string[]} names
 */
function help(names) {
  const lines = Object.entries({ ...pick(names), ...COMMON }).map(([name, flag]) => {
    const value = flag.value ? ` ${flag.value}` : ''
    return /** @type {const} */ ([`--${spelled(name, flag)}${value}`, flag.help])
  })
  const width = Math.max(...lines.map(([flag]) => flag.length))
  return lines.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`).join('\n')
}

/**
 * A message of the API about an option, as one about a flag.
 *
 * @param {string} message
 */
const ofFlags = (message) =>
  message
    .replace(
      /(?:The (?:property )?)?["']?options\.(\w+)(?:\[\d+\])?["']?(?: property)?/g,
      (whole, name) => (name in FLAGS ? `--${spelled(name, FLAGS[name])}` : whole)
    )
    .replace(/(?:The )?"intervalMs"(?: argument)?/, 'MILLISECONDS')

module.exports = { UsageError, help, ofFlags, parse }
