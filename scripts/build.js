'use strict'

// Builds the native binary of this checkout with cargo and puts it where binding.js looks first. Cargo does
// nothing when nothing has changed, so this runs before everything that would load the binary.

const { spawnSync } = require('node:child_process')
const {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync
} = require('node:fs')
const { tmpdir } = require('node:os')
const { join, relative } = require('node:path')
const { libc, named, target } = require('../lib/platform.js')
const { missing, missingLinker, rustVersion } = require('./toolchain.js')

const ROOT = join(__dirname, '..')

/** What cargo calls the library. */
const LIBRARY = /** @type {Record<string, string>} */ ({
  linux: 'liblan_peers.so',
  darwin: 'liblan_peers.dylib',
  win32: 'lan_peers.dll'
})[process.platform]

/** What keeps it from being built; not a fault of this script, so that nobody wants its stack. */
class BuildError extends Error {}

/**
 * Builds it, or says why not and has the process end with 1.
 *
 * @param {{ keep: boolean }} options whether what the compiler makes on the way is kept, in target/, so that the next time takes less
 */
function build({ keep }) {
  const folder = keep ? undefined : mkdtempSync(join(tmpdir(), 'lan-peers-build-'))
  try {
    const here = /** @type {const} */ ([process.platform, process.arch, libc()])
    const name = target(...here)
    if (name === undefined) {
      throw new BuildError(`${named(...here)} is not supported so far; see lib/platform.js`)
    }
    replace(compiled(folder), join(ROOT, `lan-peers.${name}.node`))
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    console.error(`lan-peers: ${error.message}.`)
    process.exitCode = 1
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Has cargo build the library, and gives where it is.
 *
 * @param {string} [folder] for what the compiler makes; cargo's own choice unless told
 */
function compiled(folder) {
  const cargo = spawnSync(
    'cargo',
    [
      'rustc',
      '--release',
      '--lib',
      '--locked',
      // The crate is also a Rust library, for its tests; cargo optimizes across crates (lto) only for the addon alone.
      '--crate-type',
      'cdylib',
      '--message-format',
      'json',
      ...(folder ? ['--target-dir', folder] : [])
    ],
    { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 << 20 }
  )
  const messages = (cargo.stdout ?? '')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  for (const { message } of messages) if (message) process.stderr.write(message.rendered)
  if (cargo.error || cargo.status !== 0) {
    const linker = messages
      .map(({ message }) => missingLinker(message?.rendered ?? ''))
      .find(Boolean)
    const reason = cargo.error
      ? `cargo cannot be run (${cargo.error.message})`
      : 'cargo failed, see above'
    throw new BuildError(missing(rustVersion(), linker) ?? reason)
  }
  // Cargo says where it put the library: CARGO_TARGET_DIR and its configuration may move it.
  const library = messages
    .flatMap(({ filenames }) => filenames ?? [])
    .find((file) => file.endsWith(LIBRARY))
  if (library === undefined) throw new BuildError(`cargo built no ${LIBRARY}`)
  return library
}

/**
 * Puts one file in the place of another, unless it is the same. It is replaced rather than overwritten: a process that has the
 * old one loaded keeps it whole.
 *
 * @param {string} file
 * @param {string} place
 */
function replace(file, place) {
  if (existsSync(place) && readFileSync(file).equals(readFileSync(place))) return
  const fresh = `${place}.${process.pid}`
  copyFileSync(file, fresh)
  renameSync(fresh, place)
}

/** Whether npm runs this for a project that depends on this checkout, by its path: `npm install path/to/lan-peers`. */
function isDependency() {
  const { npm_lifecycle_event: event, INIT_CWD: folder } = process.env
  return event === 'prepare' && folder !== undefined && relative(folder, ROOT) !== ''
}

/** Whether the binary is there and newer than all that it is made of. */
function isFresh() {
  const binary = join(ROOT, `lan-peers.${target(process.platform, process.arch, libc())}.node`)
  if (!existsSync(binary)) return false
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true }).map((file) =>
    join('src', String(file))
  )
  const built = statSync(binary).mtimeMs
  return ['Cargo.toml', 'Cargo.lock', 'build.rs', ...sources].every(
    (file) => statSync(join(ROOT, file)).mtimeMs < built
  )
}

module.exports = { build }

if (require.main === module) {
  // A project that depends on it wants the binary, and no hundred megabytes beside it; who works on it has them already.
  const keep = !isDependency() || existsSync(join(ROOT, 'target'))
  // Cargo sees for itself whether something is new, if it finds what it made before.
  if (keep || !isFresh()) build({ keep })
}
