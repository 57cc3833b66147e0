'use strict'

const { promisify } = require('node:util')
const { KEY } = require('./options.js')

/** What makes a key of a passphrase takes a tenth of a second and 32 MiB, for us as for who guesses (RFC 7914). */
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }

/**
 * The bytes of keys, one after another. Those that were passphrases are made of them off this thread.
 *
 * @param {(string | Uint8Array)[]} keys
 * @param {string} app they are for it alone
 * @returns {Buffer | Promise<Buffer>} at once if none is a passphrase
 */
function keyBytes(keys, app) {
  if (keys.every((key) => typeof key !== 'string')) return Buffer.concat(keys)
  const scrypt = promisify(
    /** @type {(key: string, salt: string, length: number, options: object, done: (error: Error | null, key: Buffer) => void) => void} */ (
      require('node:crypto').scrypt
    )
  )
  const made = keys.map(async (key) =>
    typeof key === 'string' ? scrypt(key, `lan-peers/1\0${app}`, KEY, SCRYPT) : Buffer.from(key)
  )
  return Promise.all(made).then((bytes) => {
    const all = Buffer.concat(bytes)
    for (const one of bytes) one.fill(0)
    return all
  })
}

module.exports = { keyBytes }
