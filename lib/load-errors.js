'use strict'

// Errors for a native binary that cannot be loaded: what happened, and what to do.

const { closeSync, openSync, readFileSync, readSync, realpathSync } = require('node:fs')
const { join } = require('node:path')
const { TARGETS } = require('./platform.js')
const version = require('./version.js')

/**
 * @typedef {object} Place where the binary is looked for
 * @property {string} platform in words
 * @property {string | undefined} folder of lan-peers, or of the bundle that contains it; undefined in an ES module
 * @property {string} file its name in `folder`
 * @property {string} package its name
 *
 * @typedef {'file' | 'package'} Kind
 */

const REINSTALL = 'delete node_modules and run `npm install` on this machine'

/**
 * The processors of native binaries, as their headers name them: `e_machine` of ELF, `cputype` of Mach-O and
 * `Machine` of PE.
 *
 * @type {Record<string, Record<number, string>>}
 */
const PROCESSORS = {
  linux: { 62: 'x64', 183: 'arm64' },
  darwin: { 0x01000007: 'x64', 0x0100000c: 'arm64' },
  win32: { 0x8664: 'x64', 0xaa64: 'arm64' }
}

/**
 * What to do, by the bundler; docs/bundling.md has the rest.
 *
 * @type {Record<string, (place: Place) => string>}
 */
const RECIPES = {
  'Next.js': (place) =>
    `set \`serverExternalPackages: ['lan-peers']\` in next.config, with ${inNodeModules(place)} when it builds`,
  webpack: (place) =>
    `set \`externals: { 'lan-peers': 'commonjs lan-peers' }\` and ship ${inNodeModules(place)} with the bundle`,
  ncc: (place) => `build it with ${inNodeModules(place)}: ncc copies the binary beside the bundle`,
  Bun: (place) => `build it with ${inNodeModules(place)}: Bun embeds the binary`,
  'a single executable application': ({ file }) =>
    `put ${file} beside the executable, and begin the script with ` +
    "`require = require('node:module').createRequire(process.execPath)`",
  'a bundler': (place) =>
    "leave lan-peers out of the bundle (esbuild: `--external:lan-peers`; Rollup, Vite: `external: ['lan-peers']`) and " +
    `ship ${inNodeModules(place)} with it, or put ${place.file} beside the bundle`
}

/** @param {Place} place */
const inNodeModules = (place) => `node_modules/lan-peers and node_modules/${place.package}`

/**
 * @param {string} platform
 */
function unsupported(platform) {
  const supported = Object.keys(TARGETS).join(', ')
  return failed(
    `has no native binary for ${platform}, and cannot be built for it so far. There are those for: ${supported}.`
  )
}

/**
 * @param {Place} place
 * @param {Kind} kind
 * @param {string} found the version of the binary
 */
const otherVersion = (place, kind, found) =>
  failed(`is of version ${version}, and ${described(place, kind)} is of ${found}: ${REINSTALL}.`)

/**
 * Whether an error of `require` means that the binary is not there, rather than that it does not load.
 *
 * @param {Place} place
 * @param {Kind} kind
 * @param {any} error
 */
function isMissing(place, kind, error) {
  const { code, message = '' } = Object(error)
  const isNotFound = code === 'MODULE_NOT_FOUND' || message.startsWith('Cannot require module') // Bun
  if (isNotFound && message.includes(place[kind])) return true
  // The `require` of a bundle throws errors of its own.
  return !String(code).startsWith('ERR_DLOPEN_') && isBundled(place)
}

/**
 * @param {Place} place
 * @param {any} error of the first `require`
 */
function missing(place, error) {
  const { folder, file, package: name, platform } = place
  if (isBundled(place)) {
    const by = bundler()
    return failed(
      `was bundled by ${by}, and cannot load its native binary for ${platform}: ${firstLine(error)}. ` +
        `To mend it: ${RECIPES[by](place)}. See docs/bundling.md of lan-peers.`,
      error
    )
  }
  return failed(
    `found no native binary for ${platform}. Tried: the file ${join(String(folder), file)}, which is there where it was built; and ` +
      `the package ${name}, which npm installs beside lan-peers, but for --omit=optional, or where node_modules ` +
      'or package-lock.json are those of another system. ' +
      `To get it: ${REINSTALL}; if that does not help, delete package-lock.json, too. ` +
      'If lan-peers came from git or a checkout, it has to be built: install Rust (https://rustup.rs), run ' +
      '`npm install-scripts approve lan-peers` where npm is 12 or later, and `npm rebuild lan-peers`.',
    error
  )
}

/**
 * Whether this code runs from a file that is not of the package lan-peers.
 *
 * @param {Place} place
 */
function isBundled({ folder }) {
  if (folder === undefined || isBunExecutable() || isSingleExecutable()) return true
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name !== 'lan-peers'
  } catch (error) {
    return Object(error).code === 'ENOENT'
  }
}

// Bun gives its bundles the `__dirname` of the source.
const isBunExecutable = () =>
  /^(\/\$bunfs|[A-Z]:[\\/]~BUN)[\\/]/.test(/** @type {any} */ (globalThis).Bun?.main)

const isSingleExecutable = () => Boolean(process.getBuiltinModule?.('node:sea')?.isSea())

/** The bundler, a key of RECIPES, by what it leaves in the process and in the scope of a module. */
function bundler() {
  if (isSingleExecutable()) return 'a single executable application'
  if (isBunExecutable()) return 'Bun'
  if (process.env.NEXT_RUNTIME) return 'Next.js'
  if (typeof __nccwpck_require__ === 'function') return 'ncc'
  if (typeof __webpack_require__ === 'function') return 'webpack'
  return 'a bundler'
}

/**
 * @param {Place} place
 * @param {Kind} kind
 * @param {any} error of `require`
 */
function unloadable(place, kind, error) {
  const message = String(Object(error).message).replace(/\.$/, '')
  return failed(
    `could not load ${described(place, kind)}: ${message}. ${reason(place, kind, error)}`,
    error
  )
}

/**
 * Why a binary that is there does not load, and what to do.
 *
 * @param {Place} place
 * @param {Kind} kind
 * @param {any} error
 */
function reason(place, kind, error) {
  const { code, message, resource } = Object(error)
  if (code === 'ERR_DLOPEN_DISABLED') {
    return process.permission
      ? 'Node was started with --permission, which disables native addons: start it with --allow-addons, too.'
      : 'Node was started with --no-addons: start it without.'
  }
  if (code === 'ERR_ACCESS_DENIED') {
    return `Node was started with --permission: let it read this, by --allow-fs-read=${resource}.`
  }
  const [, glibc] = /version `GLIBC_([\d.]+)' not found/.exec(message) ?? []
  if (glibc !== undefined) {
    return (
      `It needs glibc ${glibc} or later, and this system has an older one: use a newer system, or build lan-peers on this one ` +
      'by `npm rebuild lan-peers`, which needs Rust (https://rustup.rs).'
    )
  }
  return (
    reasonOfFile(place, kind, String(message)) ??
    `It is damaged, or does not fit the C library of this system. To mend it: ${REINSTALL}.`
  )
}

/**
 * What the file of the binary tells; undefined if it tells nothing, or is not found.
 *
 * @param {Place} place
 * @param {Kind} kind
 * @param {string} message of the error
 */
function reasonOfFile(place, kind, message) {
  let file, system
  try {
    file = pathOf(place, kind)
    system = systemOf(file)
  } catch (error) {
    if (Object(error).code !== 'EACCES') return undefined
    return `This user may not read it: change that, by \`chmod a+r ${file}\` or in its folder, or install lan-peers as this user.`
  }
  if (system === undefined) {
    return `It is no native binary, so it is damaged or incomplete. To mend it: ${REINSTALL}.`
  }
  if (system !== `${process.platform} ${process.arch}`) {
    return `It is for ${system}, and this is ${place.platform}: it came from another system. To mend it: ${REINSTALL}.`
  }
  // By musl and by glibc, of which some versions give no reason.
  if (!/Operation not permitted|failed to map segment/.test(message)) return undefined
  const mount = mountOf(file)
  return mount?.options.includes('noexec')
    ? `Its file system, ${mount.point}, is mounted with the option noexec, so no code can be loaded from it: ` +
        `install lan-peers on another one, or run \`mount -o remount,exec ${mount.point}\`.`
    : 'The system does not let this process load code from it: a security policy, such as SELinux, or a limit of memory (ulimit -v).'
}

/**
 * The path of the binary.
 *
 * @param {Place} place
 * @param {Kind} kind
 */
function pathOf(place, kind) {
  const file = join(String(place.folder), place.file)
  if (kind === 'file') return file
  // Loaded here: it takes a twentieth of the time that all of lan-peers takes.
  const { createRequire } = require('node:module')
  return createRequire(file).resolve(place.package)
}

/**
 * The system and the processor that a native binary is for, by its header; undefined if it is none.
 *
 * @param {string} file
 */
function systemOf(file) {
  const header = Buffer.alloc(1024)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, header)
  } finally {
    closeSync(descriptor)
  }
  const named = (/** @type {string} */ system, /** @type {number} */ processor) =>
    `${system} ${PROCESSORS[system][processor] ?? 'on another processor'}`
  if (header.readUInt32BE(0) === 0x7f454c46) return named('linux', header.readUInt16LE(18))
  if (header.readUInt32LE(0) === 0xfeedfacf) return named('darwin', header.readUInt32LE(4))
  const pe = header.readUInt32LE(60)
  if (header.toString('latin1', 0, 2) !== 'MZ' || pe + 6 > header.length) return undefined
  return named('win32', header.readUInt16LE(pe + 4))
}

/**
 * Where the file system of a file is mounted, and how; undefined where that is not known.
 *
 * @param {string} file
 */
function mountOf(file) {
  try {
    const real = realpathSync(file)
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .map(([, , , , point = '', options = '']) => ({ point, options: options.split(',') }))
      .filter(({ point }) => point === '/' || real.startsWith(`${point}/`))
      .reduce((found, each) => (each.point.length >= found.point.length ? each : found))
  } catch {
    return undefined
  }
}

/**
 * @param {Place} place
 * @param {Kind} kind
 */
const described = (place, kind) =>
  kind === 'package' ? `the package ${place.package}` : join(String(place.folder), place.file)

/** @param {any} error */
const firstLine = (error) => String(Object(error).message).split('\n')[0]

/**
 * @param {string} what
 * @param {any} [cause]
 */
const failed = (what, cause) =>
  Object.assign(new Error(`lan-peers ${what}`, { cause }), cause?.code && { code: cause.code })

module.exports = { isMissing, missing, otherVersion, unloadable, unsupported }
