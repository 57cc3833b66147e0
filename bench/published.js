'use strict'

// The packages as they are published, and installed as npm installs them.

const { execFileSync } = require('node:child_process')
const { cpSync } = require('node:fs')
const { join } = require('node:path')
const { libc, target } = require('../lib/platform.js')
const { ROOT } = require('./programs.js')

const PACKAGE = join(ROOT, 'target', 'package')
const PLATFORM_PACKAGE = join(ROOT, 'npm', String(target(process.platform, process.arch, libc())))

let made = false

/** Makes them, once. */
function publish() {
  if (made) return
  const scripts = join(ROOT, 'scripts')
  // Cargo does nothing when it is fresh.
  for (const script of [
    [join(scripts, 'build-published')],
    ['node', join(scripts, 'package.js')]
  ]) {
    execFileSync(script[0], script.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const { name } = require(`${PLATFORM_PACKAGE}/package.json`)
  cpSync(PLATFORM_PACKAGE, join(PACKAGE, 'node_modules', name), { recursive: true })
  made = true
}

module.exports = { PACKAGE, PLATFORM_PACKAGE, publish }
