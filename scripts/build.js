'use strict'

// Builds the native binary of this checkout with cargo and puts it where binding.js looks first. Cargo does
// nothing when nothing has changed, so this runs before everything that would load the binary.

const { spawnSync } = require('node:child_process')
const { copyFileSync, readFileSync, renameSync } = require('node:fs')
const { join } = require('node:path')
const { libc, target } = require('../lib/platform.js')

const root = join(__dirname, '..')

/** What cargo calls the library. */
const LIBRARY = /** @type {Record<string, string>} */ ({
  linux: 'liblan_peers.so',
  darwin: 'liblan_peers.dylib',
  win32: 'lan_peers.dll'
})[process.platform]

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(`lan-peers: ${message}`)
  process.exit(1)
}

const name = target(process.platform, process.arch, libc())
if (name === undefined) {
  fail(`${process.platform} ${process.arch} is not supported so far; see lib/platform.js`)
}

// The crate is also a Rust library, for its tests; cargo optimizes across crates (lto) only for the addon alone.
const cargo = spawnSync(
  'cargo',
  [
    'rustc',
    '--release',
    '--lib',
    '--locked',
    '--crate-type',
    'cdylib',
    '--message-format',
    'json-render-diagnostics'
  ],
  { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 }
)
if (cargo.error) {
  fail(
    `cargo could not be run (${cargo.error.message}). Building needs Rust >= 1.88: https://rustup.rs`
  )
}
if (cargo.status !== 0) {
  fail('cargo could not build the native binary; its words are above. Building needs Rust >= 1.88')
}

// Cargo says where it put the library: CARGO_TARGET_DIR and its configuration may move it.
const built = cargo.stdout
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .flatMap((line) => JSON.parse(line).filenames ?? [])
  .find((file) => file.endsWith(LIBRARY))
if (built === undefined) fail(`cargo built no ${LIBRARY}`)

const binary = join(root, `lan-peers.${name}.node`)
if (!isSame(built, binary)) {
  // Replaced rather than overwritten: a process that has the old one loaded keeps it whole.
  const fresh = `${binary}.${process.pid}`
  copyFileSync(built, fresh)
  renameSync(fresh, binary)
}

/**
 * @param {string} a
 * @param {string} b
 */
function isSame(a, b) {
  try {
    return readFileSync(a).equals(readFileSync(b))
  } catch {
    return false
  }
}
