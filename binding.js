'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { libc, target } = require('./lib/platform.js')

/** @typedef {import('./binding')} Binding */

/**
 * Loads the native binary: one built in this folder, else that of the package for this platform.
 *
 * @returns {Binding}
 */
function load() {
  const name = target(process.platform, process.arch, libc())
  if (name === undefined) {
    throw new Error(
      `lan-peers has no binary for ${process.platform} ${process.arch}. ` +
        'To build one, install Rust (https://rustup.rs) and run `npm install` in a checkout of lan-peers.'
    )
  }
  const built = join(__dirname, `lan-peers.${name}.node`)
  if (existsSync(built)) return require(built)
  const packaged = `lan-peers-${name}`
  try {
    return require(packaged)
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    // A package that is there and does not load has more to say than that it is missing.
    if (code !== 'MODULE_NOT_FOUND' || !message.includes(`'${packaged}'`)) throw error
    throw Object.assign(
      new Error(
        `lan-peers found no native binary for ${name}. Tried: the file ${built}, which is there in a ` +
          `checkout after \`npm run build\` (needs Rust, https://rustup.rs); and the package ${packaged}, ` +
          'which npm installs beside lan-peers unless it was told to leave out optional dependencies or ' +
          'node_modules was copied from another platform. To get it: delete node_modules and ' +
          'run `npm install` on this machine.',
        { cause: error }
      ),
      { code }
    )
  }
}

module.exports = load()
