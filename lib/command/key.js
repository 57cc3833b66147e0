'use strict'

const { randomBytes } = require('node:crypto')

const KEY = 32

/** @type {import('./main.js').Command} */
module.exports = {
  summary: 'Print a new key for --key',
  usage: '',
  flags: [],
  examples: [
    ['lan-peers key > key.txt', 'a key, as 64 hexadecimal digits'],
    ['lan-peers discover --key "$(cat key.txt)"', 'only those who have it see each other']
  ],
  run(_api, { output }) {
    const key = randomBytes(KEY).toString('hex')
    output.print({ type: 'key', key }, key)
  }
}
