'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { test } = require('node:test')
const { libc, target } = require('../lib/platform.js')

const root = join(__dirname, '..')
const NAME = String(target(process.platform, process.arch, libc()))
const BINARY = `lan-peers.${NAME}.node`
const PACKAGE = `lan-peers-${NAME}`

/**
 * A copy of the package as it is installed, without its binary.
 *
 * @param {import('node:test').TestContext} t
 */
function copy(t) {
  // As messages name it: on macOS the folder for what is temporary is a link.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'lan-peers-'))
  // Windows keeps a library for a moment after the process that has loaded it.
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 10 }))
  for (const file of ['package.json', 'index.js', 'binding.js', 'lib']) {
    cpSync(join(root, file), join(folder, file), { recursive: true })
  }
  return folder
}

/**
 * @param {string} folder
 * @param {string} code
 * @param {...string} options of Node
 */
const node = (folder, code, ...options) =>
  spawnSync(process.execPath, [...options, '-e', code], { cwd: folder, encoding: 'utf8' })

/**
 * Puts a binary where the package of this platform would be installed.
 *
 * @param {string} folder
 * @param {Uint8Array} [binary] that of this checkout, unless told
 */
function installPlatform(folder, binary = readFileSync(join(root, BINARY))) {
  const installed = join(folder, 'node_modules', PACKAGE)
  cpSync(join(root, 'npm', NAME, 'package.json'), join(installed, 'package.json'))
  writeFileSync(join(installed, BINARY), binary)
}

/** A binary of another processor, as its header says. */
function foreign() {
  const binary = readFileSync(join(root, BINARY))
  // ELF (elf(5), e_machine): RISC-V
  if (process.platform === 'linux') binary.writeUInt16LE(243, 18)
  // Mach-O (mach-o/loader.h, cputype): PowerPC
  if (process.platform === 'darwin') binary.writeUInt32LE(18, 4)
  // PE (IMAGE_FILE_HEADER, which e_lfanew leads to, Machine): RISC-V
  if (process.platform === 'win32') binary.writeUInt16LE(0x5064, binary.readUInt32LE(0x3c) + 4)
  return binary
}

/**
 * What a user sees of an error: its message, and its code.
 *
 * @param {string} folder
 */
function failure(folder) {
  const code =
    "try { require('.') } catch ({ message, code }) { console.log(message); console.log(code) }"
  const { status, stdout, stderr } = node(folder, code)
  assert.deepEqual([status, stderr], [0, ''])
  return stdout
}

test('without a binary, the error says the platform, what was tried and what to do', (t) => {
  const folder = copy(t)
  const said = failure(folder)
  const platform = [process.platform, process.arch, libc()].filter(Boolean).join(' ')
  assert.ok(said.startsWith(`lan-peers found no native binary for ${platform}. Tried: `), said)
  assert.ok(said.includes(join(folder, BINARY)), said)
  assert.ok(said.includes(`the package ${PACKAGE}`), said)
  assert.match(said, /--omit=optional/)
  assert.match(said, /delete node_modules and run `npm install`.* delete package-lock\.json, too/)
  assert.match(said, /install Rust/)
  assert.match(said, /\nMODULE_NOT_FOUND\n$/)
})

for (const [what, binary, reason] of /** @type {const} */ ([
  ['damaged', () => Buffer.from('no binary'), /file too short|invalid ELF header|not a mach-o/i],
  ['empty', () => Buffer.alloc(0), /file too short|too short/i],
  ['of another processor', foreign, /cannot open shared object file|wrong ELF class|incompatible/i]
])) {
  test(`a binary that is ${what} is not called missing`, (t) => {
    const built = copy(t)
    writeFileSync(join(built, BINARY), binary())
    const installed = copy(t)
    installPlatform(installed, binary())
    for (const [folder, where] of [
      [built, join(built, BINARY)],
      [installed, `the package ${PACKAGE}`]
    ]) {
      const said = failure(folder)
      assert.ok(said.startsWith(`lan-peers could not load ${where}: `), said)
      if (process.platform === 'linux') assert.match(said, reason)
      assert.match(said, /To mend it: delete node_modules and run `npm install`/)
      assert.match(said, /\nERR_DLOPEN_FAILED\n$/)
    }
  })
}

test('a binary of another version is told', (t) => {
  const folder = copy(t)
  installPlatform(folder)
  writeFileSync(join(folder, 'lib/version.js'), "module.exports = '9.9.9'")
  const { version } = require('../package.json')
  assert.match(
    failure(folder),
    new RegExp(
      `^lan-peers is of version 9\\.9\\.9, and the package ${PACKAGE} is of ${version}: delete`
    )
  )
})

test('the binary of the platform package is found', (t) => {
  const folder = copy(t)
  installPlatform(folder)
  const { status, stdout, stderr } = node(folder, "console.log(Object.keys(require('.')).join())")
  assert.equal(stderr, '')
  assert.equal(status, 0)
  assert.equal(stdout, 'listen,cast,discover,interfaces,diagnose\n')
})

test('a platform without a binary is named', (t) => {
  const folder = copy(t)
  const code = "Object.defineProperty(process, 'platform', { value: 'sunos' }); require('.')"
  const { status, stderr } = node(folder, code)
  assert.equal(status, 1)
  assert.match(
    stderr,
    new RegExp(
      `lan-peers has no native binary for sunos ${process.arch}\\b.* There are those for: linux x64 glibc, `
    )
  )
})

test('the C library is told without ldd, too, and nothing is left changed', () => {
  const code = `
    const fs = require('node:fs')
    const read = fs.readFileSync
    fs.readFileSync = (path, ...rest) => {
      if (path === '/usr/bin/ldd') throw new Error('there is none')
      return read(path, ...rest)
    }
    const { libc } = require('./lib/platform.js')
    console.log(libc(), process.report.excludeNetwork)`
  const { stdout, stderr } = node(root, code)
  assert.equal(stderr, '')
  assert.equal(stdout, `${libc()} false\n`)
})

test('named imports work from an ECMAScript module', () => {
  const code = "import { cast, listen } from 'lan-peers'; console.log(typeof cast, typeof listen)"
  const { stdout, stderr } = node(root, code, '--input-type=module')
  assert.equal(stderr, '')
  assert.equal(stdout, 'function function\n')
})

test('the packages of all platforms are of the version of the whole', () => {
  const script = join(root, 'scripts', 'platform-packages.js')
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
  const cargo = readFileSync(join(root, 'Cargo.toml'), 'utf8').match(/^version = "(.*)"$/m)
  const { version } = require('../package.json')
  assert.deepEqual([cargo?.[1], require('../lib/version.js')], [version, version])
})
