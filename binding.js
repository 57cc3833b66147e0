'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { TARGETS, libc, named, target } = require('./lib/platform.js')
const version = require('./lib/version.js')

/** @typedef {import('./binding')} Binding */

const REINSTALL = 'delete node_modules and run `npm install` on this machine'

/**
 * Loads the native binary: one built in this folder, else that of the package for this platform.
 *
 * @returns {Binding}
 */
function load() {
  const here = /** @type {const} */ ([process.platform, process.arch, libc()])
  const name = target(...here)
  if (name === undefined) {
    const there = Object.keys(TARGETS).join(', ')
    throw new Error(
      `lan-peers has no native binary for ${named(...here)}, and cannot be built for it so far. There are those for: ${there}.`
    )
  }
  const built = join(__dirname, `lan-peers.${name}.node`)
  if (existsSync(built)) return fitting(built, built)
  const packaged = `lan-peers-${name}`
  try {
    return fitting(packaged, `the package ${packaged}`)
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    // A package that is there and does not load has more to say than that it is missing.
    if (code !== 'MODULE_NOT_FOUND' || !message.includes(`'${packaged}'`)) throw error
    throw failed(
      `found no native binary for ${named(...here)}. Tried: the file ${built}, which is there where it was built; and ` +
        `the package ${packaged}, which npm installs beside lan-peers, but for --omit=optional, or where node_modules ` +
        'or package-lock.json are those of another system. ' +
        `To get it: ${REINSTALL}; if that does not help, delete package-lock.json, too. ` +
        'If lan-peers came from git or a checkout, it has to be built: install Rust (https://rustup.rs), run ' +
        '`npm install-scripts approve lan-peers` where npm is 12 or later, and `npm rebuild lan-peers`.',
      error
    )
  }
}

/**
 * A binary that loads and is of this version.
 *
 * @param {string} module to require
 * @param {string} what it is, for messages
 * @returns {Binding}
 */
function fitting(module, what) {
  let binding
  try {
    binding = require(module)
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    if (code !== 'ERR_DLOPEN_FAILED') throw error
    throw failed(
      `could not load ${what}: ${message}. It is damaged, of another system, or needs a newer C library. To mend it: ${REINSTALL}.`,
      error
    )
  }
  if (binding.VERSION === version) return binding
  throw failed(`is of version ${version}, and ${what} is of ${binding.VERSION}: ${REINSTALL}.`)
}

/**
 * @param {string} what
 * @param {any} [cause]
 */
const failed = (what, cause) =>
  Object.assign(new Error(`lan-peers ${what}`, { cause }), cause && { code: cause.code })

module.exports = load()
