'use strict'

// The seal of docs/protocol.md once more, by Node's own ChaCha20-Poly1305 (RFC 8439) and HChaCha20
// (draft-irtf-cfrg-xchacha-03, 2.2), so that ours is not only tried on itself.

const { createCipheriv, createDecipheriv, createHash, randomBytes } = require('node:crypto')

/** @typedef {{ key: Buffer, app: string }} Seal */

/** A key for one nonce. */
function hchacha20(/** @type {Buffer} */ key, /** @type {Buffer} */ nonce) {
  const words = [Buffer.from('expand 32-byte k'), key, nonce.subarray(0, 16)].flatMap((bytes) =>
    Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i))
  )
  const mix = (
    /** @type {number} */ a,
    /** @type {number} */ b,
    /** @type {number} */ d,
    /** @type {number} */ by
  ) => {
    words[a] = (words[a] + words[b]) >>> 0
    const mixed = words[d] ^ words[a]
    words[d] = ((mixed << by) | (mixed >>> (32 - by))) >>> 0
  }
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 4; i++) {
      const shift = round % 2
      const [a, b, c, d] = [0, 1, 2, 3].map((row) => 4 * row + ((i + shift * row) % 4))
      mix(a, b, d, 16)
      mix(c, d, b, 12)
      mix(a, b, d, 8)
      mix(c, d, b, 7)
    }
  }
  const derived = Buffer.alloc(32)
  for (let i = 0; i < 8; i++) derived.writeUInt32LE(words[i < 4 ? i : i + 8], 4 * i)
  return derived
}

const associated = (/** @type {string} */ app) => Buffer.from(`lan-peers/1\0${app}`)
const inner = (/** @type {Buffer} */ nonce) => Buffer.concat([Buffer.alloc(4), nonce.subarray(16)])

/** How a key is called on the wire. */
const nameOf = (/** @type {Seal} */ { key, app }) =>
  createHash('sha256').update(`lan-peers key id\0${app}\0`).update(key).digest('hex').slice(0, 8)

/** A datagram that holds an announcement, sealed. */
function seal(
  /** @type {Seal} */ { key, app },
  /** @type {string} */ text,
  nonce = randomBytes(24)
) {
  const cipher = createCipheriv('chacha20-poly1305', hchacha20(key, nonce), inner(nonce), {
    authTagLength: 16
  })
  cipher.setAAD(associated(app), { plaintextLength: Buffer.byteLength(text) })
  const parts = [nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]
  const box = Buffer.concat(parts).toString('base64')
  return JSON.stringify({ 'lan-peers': { v: 1, key: nameOf({ key, app }), box } })
}

/** What a datagram holds; throws if it does not open. */
function open(/** @type {Seal} */ { key, app }, /** @type {string} */ datagram) {
  const { key: name, box } = JSON.parse(datagram)['lan-peers']
  if (name !== nameOf({ key, app })) throw new Error(`another key: ${name}`)
  const bytes = Buffer.from(box, 'base64')
  const [nonce, text, tag] = [bytes.subarray(0, 24), bytes.subarray(24, -16), bytes.subarray(-16)]
  const decipher = createDecipheriv('chacha20-poly1305', hchacha20(key, nonce), inner(nonce), {
    authTagLength: 16
  })
  decipher.setAAD(associated(app), { plaintextLength: text.length })
  decipher.setAuthTag(tag)
  return Buffer.concat([decipher.update(text), decipher.final()]).toString()
}

module.exports = { hchacha20, open, seal }
