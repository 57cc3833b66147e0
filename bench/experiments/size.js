'use strict'

// How large what is installed is: the native binary as it is published, and the packed packages, of which npm fetches both.

const { execFileSync } = require('node:child_process')
const { existsSync, mkdtempSync, readdirSync, rmSync, statSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { ROOT } = require('../programs.js')
const { PACKAGE, PLATFORM_PACKAGE, install } = require('../published.js')

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  unavailable: () =>
    existsSync('/usr/bin/dpkg-query')
      ? undefined
      : 'what is published is built with the compiler of Debian: scripts/build-published',

  /** Gives kB, of 1,000 bytes. */
  async measure() {
    // Cargo does nothing when it is fresh.
    const script = join(ROOT, 'scripts', 'build-published')
    execFileSync(script, { stdio: ['ignore', 'ignore', 'inherit'] })
    install()
    const folder = mkdtempSync(join(tmpdir(), 'lan-peers-size-'))
    try {
      const options = ['pack', '--silent', '--pack-destination', folder]
      for (const cwd of [PACKAGE, PLATFORM_PACKAGE]) {
        execFileSync('npm', options, { cwd, stdio: 'ignore' })
      }
      const packed = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
      const { main } = require(join(PLATFORM_PACKAGE, 'package.json'))
      return {
        binary: statSync(join(PLATFORM_PACKAGE, main)).size / 1000,
        packed: packed.reduce((sum, file) => sum + statSync(join(folder, file)).size / 1000, 0)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}
