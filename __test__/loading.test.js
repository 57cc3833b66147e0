'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { cpSync, mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { test } = require('node:test')
const { libc, target } = require('../lib/platform.js')

const root = join(__dirname, '..')
const BINARY = `lan-peers.${target(process.platform, process.arch, libc())}.node`

/**
 * A copy of the package as it is installed, without its binary.
 *
 * @param {import('node:test').TestContext} t
 */
function copy(t) {
  const folder = mkdtempSync(join(tmpdir(), 'lan-peers-'))
  t.after(() => rmSync(folder, { recursive: true }))
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

test('without a binary, the error says what was tried and what to do', (t) => {
  const folder = copy(t)
  const { status, stderr } = node(folder, "require('.')")
  assert.equal(status, 1)
  const name = target(process.platform, process.arch, libc())
  assert.match(stderr, new RegExp(`lan-peers found no native binary for ${name}`))
  assert.ok(stderr.includes(join(folder, BINARY)), stderr)
  assert.ok(stderr.includes(`the package lan-peers-${name}`), stderr)
  assert.match(stderr, /delete node_modules and run `npm install`/)
  assert.match(stderr, /code: 'MODULE_NOT_FOUND'/)
})

test('a binary that does not load is not called missing', (t) => {
  const folder = copy(t)
  writeFileSync(join(folder, BINARY), 'no binary')
  const { status, stderr } = node(folder, "require('.')")
  assert.equal(status, 1)
  assert.match(stderr, /ERR_DLOPEN_FAILED/)
})

test('the binary of the platform package is found', (t) => {
  const folder = copy(t)
  const name = `lan-peers-${target(process.platform, process.arch, libc())}`
  const installed = join(folder, 'node_modules', name)
  cpSync(join(root, 'npm', name.replace('lan-peers-', '')), installed, { recursive: true })
  cpSync(join(root, BINARY), join(installed, BINARY))
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
  assert.match(stderr, /lan-peers has no binary for sunos/)
})

test('named imports work from an ECMAScript module', () => {
  const code = "import { cast, listen } from 'lan-peers'; console.log(typeof cast, typeof listen)"
  const { stdout, stderr } = node(root, code, '--input-type=module')
  assert.equal(stderr, '')
  assert.equal(stdout, 'function function\n')
})

test('the package of a platform is of the version of the whole', () => {
  const { version, engines, license } = require('../package.json')
  const platform = require('../npm/linux-x64-gnu/package.json')
  assert.equal(platform.version, version)
  assert.deepEqual(platform.engines, engines)
  assert.equal(platform.license, license)
  assert.equal(platform.main, 'lan-peers.linux-x64-gnu.node')
})
