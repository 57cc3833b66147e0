'use strict'

// What a seal costs: by bench/seal.rs for us; for Node by its own cipher, with a nonce that is as short as that wants it, on the
// thread of the event loop.

const { execFileSync } = require('node:child_process')
const { createCipheriv, createDecipheriv, randomBytes } = require('node:crypto')
const { join } = require('node:path')
const { ROOT } = require('../programs.js')

const TARGET = join(ROOT, 'target', 'scale')
const CIPHER = 'chacha20-poly1305'
const TAG = { authTagLength: 16 }
const NONCE = 12
const ROUNDS = 20
const TIMES = 1_000

/** The least microseconds that something takes in some rounds. */
function least(/** @type {() => unknown} */ what) {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const begin = performance.now()
    for (let i = 0; i < TIMES; i++) what()
    return (1000 * (performance.now() - begin)) / TIMES
  })
  return Math.min(...rounds)
}

function byNode() {
  const key = randomBytes(32)
  const announcement = {
    'lan-peers': { v: 1, id: '3q2-7wDerb7v3q2-7wDerQ', boot: 1, seq: 17, every: 2000, n: 4, t: 1 },
    username: 'a'.repeat(86)
  }
  const seal = () => {
    const nonce = randomBytes(NONCE)
    const cipher = createCipheriv(CIPHER, key, nonce, TAG)
    const text = cipher.update(JSON.stringify(announcement))
    return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]).toString('base64')
  }
  const open = (/** @type {string} */ sealed) => {
    const bytes = Buffer.from(sealed, 'base64')
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE), TAG)
    decipher.setAuthTag(bytes.subarray(-TAG.authTagLength))
    const text = decipher.update(bytes.subarray(NONCE, -TAG.authTagLength))
    return JSON.parse(Buffer.concat([text, decipher.final()]).toString())
  }
  const sealed = seal()
  return { seal: least(seal), open: least(() => open(sealed)) }
}

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /** Gives microseconds. */
  async measure({ contender }) {
    if (contender === 'node:crypto') return byNode()
    const args = ['bench', '--locked', '--quiet', '--target-dir', TARGET, '--bench', 'seal']
    return JSON.parse(String(execFileSync('cargo', args, { cwd: ROOT })))
  }
}
