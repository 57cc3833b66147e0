'use strict'

// Who is measured: this package.

const { cast, listen } = require('../..')

const HERE = { interfaces: '127.0.0.1' }

/** @type {import('../experiment.js').Contender} */
module.exports = {
  name: 'lan-peers',

  async hear({ group, encoding }, heard) {
    const listener = listen({ ...HERE, group, encoding, port: 0 }, heard)
    return listener.address().port
  },

  cast({ group, port, payload, interval }) {
    return cast(payload, interval, { ...HERE, group, port })
  }
}
