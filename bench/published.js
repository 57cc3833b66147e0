'use strict'

// The package as it is published, installed as npm installs it, with the native binary of this checkout.

const { execFileSync } = require('node:child_process')
const { copyFileSync, cpSync } = require('node:fs')
const { join } = require('node:path')
const { libc, target } = require('../lib/platform.js')
const { ROOT } = require('./programs.js')

const PACKAGE = join(ROOT, 'target', 'package')

const NAME = String(target(process.platform, process.arch, libc()))
const PLATFORM_PACKAGE = join(ROOT, 'npm', NAME)

/** Puts it into PACKAGE. */
function install() {
  const script = join(ROOT, 'scripts', 'package.js')
  execFileSync(process.execPath, [script, PACKAGE], { stdio: ['ignore', 'ignore', 'inherit'] })
  const { name, main } = require(`${PLATFORM_PACKAGE}/package.json`)
  const installed = join(PACKAGE, 'node_modules', name)
  cpSync(PLATFORM_PACKAGE, installed, { recursive: true })
  copyFileSync(join(ROOT, `lan-peers.${NAME}.node`), join(installed, main))
}

module.exports = { PACKAGE, PLATFORM_PACKAGE, install }
