'use strict'

// How large what is installed is: the native binary as it is published, and the packed packages, of which npm fetches both.

const { execFileSync } = require('node:child_process')
const { mkdtempSync, readdirSync, rmSync, statSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { libc, target } = require('../../lib/platform.js')
const { ROOT } = require('../programs.js')

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives kB, of 1,000 bytes. */
  async measure() {
    // Cargo does nothing when it is fresh.
    execFileSync(join(ROOT, 'scripts', 'build-published'), {
      stdio: ['ignore', 'ignore', 'inherit']
    })
    const name = String(target(process.platform, process.arch, libc()))
    const platform = join(ROOT, 'npm', name)
    const folder = mkdtempSync(join(tmpdir(), 'lan-peers-size-'))
    try {
      // Scripts would build.
      const options = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
      for (const cwd of [ROOT, platform]) execFileSync('npm', options, { cwd, stdio: 'ignore' })
      const packed = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
      return {
        binary: statSync(join(platform, `lan-peers.${name}.node`)).size / 1000,
        packed: packed.reduce((sum, file) => sum + statSync(join(folder, file)).size / 1000, 0)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}
