'use strict'

const { execFileSync } = require('node:child_process')
const { copyFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { libc, target } = require('../lib/platform.js')

const ROOT = join(__dirname, '..')
const BINARY = `lan-peers.${target(process.platform, process.arch, libc())}.node`

/**
 * A copy of this package in a folder of its own, as npm would install it, until the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} [binary] the native one, if not that of this checkout
 * @returns {string} its folder
 */
function copyOfPackage(t, binary = join(ROOT, BINARY)) {
  // As `require` names it: on macOS the folder for what is temporary is a link.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'lan-peers-copy-'))
  // Windows keeps a library for a moment after the process that has loaded it.
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 10 }))
  const copy = join(folder, 'node_modules', 'lan-peers')
  mkdirSync(copy, { recursive: true })
  for (const file of ['package.json', 'index.js', 'binding.js', 'lib']) {
    cpSync(join(ROOT, file), join(copy, file), { recursive: true })
  }
  copyFileSync(binary, join(copy, BINARY))
  return copy
}

/**
 * A copy whose binary has the hooks of src/binding/test_hooks.rs: the one that LAN_PEERS_TEST_HOOKS names, if any.
 *
 * @param {import('node:test').TestContext} t
 * @returns {string} its folder
 */
function copyWithHooks(t) {
  if (process.env.LAN_PEERS_TEST_HOOKS) return copyOfPackage(t, process.env.LAN_PEERS_TEST_HOOKS)
  const folder = join(ROOT, 'target', 'test-hooks')
  const args = ['build', '--lib', '--locked', '--quiet', '--features', 'test-hooks']
  execFileSync('cargo', [...args, '--target-dir', folder], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  return copyOfPackage(t, join(folder, 'debug', 'liblan_peers.so'))
}

module.exports = { copyOfPackage, copyWithHooks }
