'use strict'

// How large what is installed is: the native binary as it is published, and the packed packages, of which npm fetches both.

const { execFileSync } = require('node:child_process')
const { mkdtempSync, readdirSync, rmSync, statSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { PACKAGE, PLATFORM_PACKAGE, publish } = require('../published.js')

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives kB, of 1,000 bytes. */
  async measure() {
    publish()
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
