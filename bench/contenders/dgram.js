'use strict'

// Who is measured beside it: Node's own sockets, as one writes it with them.

const { createSocket } = require('node:dgram')
const { once } = require('node:events')

const HERE = '127.0.0.1'

/** @type {import('node:dgram').Socket | undefined} */
let sending

/** @type {import('../experiment.js').Contender} */
module.exports = {
  name: 'dgram',

  async hear({ group, encoding }, heard) {
    const socket = createSocket({
      type: 'udp4',
      reuseAddr: true,
      recvBufferSize: 4 * 1024 * 1024 // what lan-peers asks for
    })
    socket.on('message', encoding === 'utf8' ? (message) => heard(String(message)) : heard)
    socket.bind(0)
    await once(socket, 'listening')
    socket.addMembership(group, HERE)
    return socket.address().port
  },

  // One socket for all, as lan-peers has.
  cast({ group, port, payload, interval }) {
    if (sending === undefined) {
      sending = createSocket('udp4')
      sending.bind(0, HERE, () => sending?.setMulticastInterface(HERE))
    }
    const send = () => sending?.send(payload, port, group)
    send()
    setInterval(send, interval)
  }
}
