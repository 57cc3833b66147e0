'use strict'

// The command `lan-peers`: what a stranger to this package can do with it in a terminal.

const { once } = require('node:events')
const flags = require('./flags.js')
const { suggestion } = require('./nearest.js')
const { Output } = require('./output.js')
const version = require('../version.js')
const commands = {
  listen: require('./listen.js'),
  cast: require('./cast.js'),
  discover: require('./discover.js'),
  doctor: require('./doctor.js'),
  key: require('./key.js')
}

/** What a process ends with. */
const FAILED = 1
const USAGE = 2

/**
 * @typedef {typeof import('../../index')} Api
 * @typedef {import('../../index').Listener<any> | import('../../index').Caster | import('../../index').Discovery} Handle
 *
 * @typedef {object} Command
 * @property {string} summary
 * @property {string} usage the arguments that are no flags
 * @property {readonly string[]} flags
 * @property {readonly (readonly [string, string])[]} examples a line, and what it does
 * @property {(api: Api, given: Given) => void | Handle | Promise<void | Handle>} run opens something, and is done when that is closed
 *
 * @typedef {object} Given
 * @property {Record<string, any>} options
 * @property {string[]} positionals
 * @property {Output} output
 */

const HELP = `Finds other computers on the local network, by UDP multicast.

Usage: lan-peers COMMAND [FLAGS]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

lan-peers COMMAND --help tells the rest. Ctrl-C says goodbye and ends.
Ends with 0, or 1 if it failed, or 2 for wrong usage.`

/**
 * The help of one command.
 *
 * @param {string} name
 * @param {Command} command
 */
function helpOf(name, { summary, usage, flags: names, examples }) {
  const shown = examples.map(([line, does]) => `  ${line}\n      ${does}`).join('\n')
  const words = ['lan-peers', name, '[FLAGS]', usage].filter(Boolean).join(' ')
  return `${summary}.\n\nUsage: ${words}\n\n${flags.help(names)}\n\nExamples:\n${shown}`
}

/**
 * Does what the arguments say, and sets what the process ends with.
 *
 * @param {Api} api
 * @param {string[]} args
 */
async function main(api, [name, ...args]) {
  if (name === '--version' || name === '-v') return console.log(version)
  if (name === undefined || ['--help', '-h', 'help'].includes(name)) {
    console.log(HELP)
    process.exitCode = name === undefined ? USAGE : 0
    return
  }
  const command = Object.hasOwn(commands, name)
    ? commands[/** @type {keyof typeof commands} */ (name)]
    : undefined
  try {
    if (command === undefined) {
      const meant = suggestion(name, Object.keys(commands))
      throw new flags.UsageError(`There is no command ${name}${meant}`)
    }
    const { json, help, ...given } = flags.parse(args, command.flags)
    if (help) return console.log(helpOf(name, command))
    const extra = given.positionals.slice(command.usage.split(' ').filter(Boolean).length)
    if (extra.length > 0) throw new flags.UsageError(`Unexpected: ${extra.join(' ')}`)
    const handle = await command.run(api, { ...given, output: new Output(json) })
    if (handle) await untilClosed(handle)
  } catch (error) {
    fail(name, /** @type {Error & { code?: string, hint?: string }} */ (error))
  }
}

/**
 * Tells why something could not be done.
 *
 * @param {string} name
 * @param {Error & { code?: string, hint?: string }} error
 */
function fail(name, error) {
  // Of the API: what was given is not what it takes.
  const isUsage =
    error instanceof flags.UsageError || error instanceof TypeError || error instanceof RangeError
  const help = Object.hasOwn(commands, name) ? `${name} --help` : '--help'
  const hint = isUsage ? `Try lan-peers ${help}` : error.hint && flags.ofFlags(error.hint)
  console.error(`lan-peers: ${flags.ofFlags(error.message)}`)
  if (hint) console.error(hint)
  process.exitCode = isUsage ? USAGE : FAILED
}

/**
 * Closes when somebody ends the process, or nobody reads any more what it prints; waits until it is closed.
 *
 * @param {Handle} handle
 */
async function untilClosed(handle) {
  const close = () => void handle.close()
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, close)
  }
  process.stdout.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (error.code !== 'EPIPE') throw error
    close()
  })
  await once(/** @type {import('node:events').EventEmitter} */ (handle), 'close')
}

module.exports = { main }
