'use strict'

// How large what is installed is: the native binary, and the packed packages, of which npm fetches both.

const { execFileSync } = require('node:child_process')
const { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { libc, target } = require('../../lib/platform.js')
const { ROOT } = require('../programs.js')

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives kB, of 1,000 bytes. */
  async measure() {
    const name = target(process.platform, process.arch, libc())
    const binary = `lan-peers.${name}.node`
    const folder = mkdtempSync(join(tmpdir(), 'lan-peers-size-'))
    try {
      const platform = join(folder, 'platform')
      cpSync(join(ROOT, 'npm', String(name)), platform, { recursive: true })
      copyFileSync(join(ROOT, binary), join(platform, binary))
      // Scripts would build.
      const options = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
      for (const cwd of [ROOT, platform]) execFileSync('npm', options, { cwd, stdio: 'ignore' })
      const packed = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
      return {
        binary: statSync(join(ROOT, binary)).size / 1000,
        packed: packed.reduce((sum, file) => sum + statSync(join(folder, file)).size / 1000, 0)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}
