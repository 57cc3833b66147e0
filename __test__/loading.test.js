'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const {
  chmodSync,
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
const { unloadable } = require('../lib/load-errors.js')
const { libc, named, target } = require('../lib/platform.js')
const { needs } = require('./needs.js')

const root = join(__dirname, '..')
const NAME = String(target(process.platform, process.arch, libc()))
const BINARY = `lan-peers.${NAME}.node`
const PACKAGE = `lan-peers-${NAME}`
const PLATFORM = named(process.platform, process.arch, libc())

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

/** A file of these numbers, each at its place. */
const numbers = (/** @type {readonly [number, number][]} */ ...all) => {
  const file = Buffer.alloc(1024)
  for (const [number, at] of all) file.writeUInt32LE(number, at)
  return file
}

/** A file with the header of a binary that is right. */
const elf = () => readFileSync(join(root, BINARY)).subarray(0, 1024)

const isLinux = process.platform === 'linux'
const isWindows = process.platform === 'win32'
const NOBODY = 65534
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission'

const TRY =
  "try { require('.') } catch ({ message, code }) { console.log(message); console.log(code) }"

/**
 * What a user sees of an error: its message, and its code.
 *
 * @param {string} folder
 * @param {{ command?: string[], options?: string[], uid?: number }} [how] `command`: what runs Node; `options` of Node
 */
function failure(folder, { command = [], options = [], uid } = {}) {
  const [program, ...args] = [...command, process.execPath, ...options, '-e', TRY]
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    uid,
    encoding: 'utf8'
  })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout
}

test('without a binary, the error says the platform, what was tried and what to do', (t) => {
  const folder = copy(t)
  const said = failure(folder)
  assert.ok(said.startsWith(`lan-peers found no native binary for ${PLATFORM}. Tried: `), said)
  assert.ok(said.includes(join(folder, BINARY)), said)
  assert.ok(said.includes(`the package ${PACKAGE}`), said)
  assert.match(said, /--omit=optional/)
  assert.match(said, /delete node_modules and run `npm install`.* delete package-lock\.json, too/)
  assert.match(said, /install Rust/)
  assert.match(said, /\nMODULE_NOT_FOUND\n$/)
})

const DAMAGED = ' It is no native binary, so it is damaged or incomplete.'
const FOREIGN = ` It is for linux on another processor, and this is ${PLATFORM}: it came from another system.`

for (const [what, binary, reason] of /** @type {const} */ ([
  ['damaged', () => Buffer.from('no binary'), DAMAGED],
  ['empty', () => Buffer.alloc(0), DAMAGED],
  ['of another processor', foreign, FOREIGN]
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
      if (isLinux) assert.ok(said.includes(reason), said)
      assert.match(said, /To mend it: delete node_modules and run `npm install`/)
      assert.match(said, /\nERR_DLOPEN_FAILED\n$/)
    }
  })
}

test('a binary that this user may not read is not called damaged', { skip: isWindows }, (t) => {
  const folder = copy(t)
  installPlatform(folder)
  const file = join(folder, 'node_modules', PACKAGE, BINARY)
  chmodSync(folder, 0o755)
  chmodSync(file, 0)
  // Root may read everything.
  const said = failure(folder, { uid: process.getuid?.() === 0 ? NOBODY : undefined })
  assert.ok(said.startsWith(`lan-peers could not load the package ${PACKAGE}: `), said)
  assert.ok(
    said.includes(` This user may not read it: change that, by \`chmod a+r ${file}\``),
    said
  )
  assert.match(said, /\nERR_DLOPEN_FAILED\n$/)
})

test('a file system that is mounted noexec is named', { skip: needs('lab') }, (t) => {
  const folder = copy(t)
  installPlatform(folder)
  const mount = join(folder, 'node_modules')
  const script =
    'cp -r "$1" "$1.before" && mount -t tmpfs -o noexec none "$1" && cp -r "$1.before/." "$1" && shift && exec "$@"'
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user']
  const said = failure(folder, {
    command: ['unshare', ...namespace, 'sh', '-c', script, 'sh', mount]
  })
  assert.ok(said.startsWith(`lan-peers could not load the package ${PACKAGE}: `), said)
  assert.ok(
    said.includes(
      ` Its file system, ${mount}, is mounted with the option noexec, so no code can be loaded from it: `
    ),
    said
  )
  assert.ok(said.includes(`\`mount -o remount,exec ${mount}\``), said)
  assert.match(said, /\nERR_DLOPEN_FAILED\n$/)
})

for (const [options, todo] of [
  [['--no-addons'], 'Node was started with --no-addons: start it without.'],
  [
    [PERMISSION, '--no-warnings', '--allow-fs-read=*'],
    'Node was started with --permission, which disables native addons: start it with --allow-addons, too.'
  ]
]) {
  test(`native addons that are disabled by ${options[0]} are named`, (t) => {
    const folder = copy(t)
    installPlatform(folder)
    assert.equal(
      failure(folder, { options: [...options] }),
      `lan-peers could not load the package ${PACKAGE}: Cannot load native addon because loading addons is disabled. ` +
        `${todo}\nERR_DLOPEN_DISABLED\n`
    )
  })
}

/** What is in the file, what `require` throws, and what is said of it. */
const REASONS = /** @type {const} */ ([
  [
    'a C library that is too old',
    elf,
    `/lib/x86_64-linux-gnu/libc.so.6: version \`GLIBC_2.99' not found (required by FILE)`,
    /It needs glibc 2\.99 or later, and this system has an older one: .* `npm rebuild lan-peers`/
  ],
  [
    'another C library',
    elf,
    'Error relocating FILE: __register_atfork: symbol not found',
    /It is damaged, or does not fit the C library of this system\. To mend it: delete node_modules/
  ],
  [
    'a security policy',
    elf,
    'FILE: failed to map segment from shared object: Operation not permitted',
    /The system does not let this process load code from it: a security policy/
  ],
  [
    'a binary of macOS',
    () => numbers([0xfeedfacf, 0], [0x0100000c, 4]),
    'FILE: invalid ELF header',
    /It is for darwin arm64, and this is /
  ],
  [
    'a binary of Windows',
    () => numbers([0x5a4d, 0], [128, 60], [0x4550, 128], [0x8664, 132]),
    'FILE: invalid ELF header',
    /It is for win32 x64, and this is /
  ]
])

for (const [what, content, message, reason] of REASONS) {
  test(`what is said of ${what}`, { skip: !isLinux }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'lan-peers-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, BINARY)
    writeFileSync(file, content())
    const error = Object.assign(new Error(message.replace('FILE', file)), {
      code: 'ERR_DLOPEN_FAILED'
    })
    const place = { platform: PLATFORM, folder, file: BINARY, package: PACKAGE }
    const { message: said, code, cause } = unloadable(place, 'file', error)
    assert.ok(said.startsWith(`lan-peers could not load ${file}: ${error.message}. `), said)
    assert.match(said, reason)
    assert.deepEqual([code, cause], ['ERR_DLOPEN_FAILED', error])
  })
}

test('a file that --permission keeps from being read is named', () => {
  const error = Object.assign(new Error('Access to this API has been restricted.'), {
    code: 'ERR_ACCESS_DENIED',
    permission: 'FileSystemRead',
    resource: '/app/node_modules'
  })
  const place = { platform: PLATFORM, folder: root, file: BINARY, package: PACKAGE }
  const { message, code } = unloadable(place, 'package', error)
  assert.match(
    message,
    /Node was started with --permission: .* --allow-fs-read=\/app\/node_modules\.$/
  )
  assert.equal(code, 'ERR_ACCESS_DENIED')
})

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
