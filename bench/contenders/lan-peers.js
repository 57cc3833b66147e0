'use strict'

// Who is measured: this package.

const { cast, discover, listen } = require('../..')
const { GROUP } = require('../experiment.js')

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
  },

  async observe() {
    const to = { group: GROUP, port: 9778 }
    const { peers } = discover({ username: 'observer' }, { ...HERE, ...to })
    return { to, known: () => peers.size }
  }
}
