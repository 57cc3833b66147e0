'use strict'

// Who is measured beside it: Node's own sockets, as one writes it with them.

const { createSocket } = require('node:dgram')
const { once } = require('node:events')

const { GROUP } = require('../experiment.js')

const HERE = '127.0.0.1'

/** @type {import('node:dgram').Socket | undefined} */
let sending

/** @type {import('../experiment.js').Contender} */
module.exports = {
  name: 'dgram',

  hear({ group, encoding }, heard) {
    return listen(group, encoding === 'utf8' ? (message) => heard(String(message)) : heard)
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
  },

  // The least that one can do with what comes.
  async observe() {
    const peers = new Map()
    const port = await listen(GROUP, (message, { address }) => {
      const announcement = JSON.parse(String(message))
      peers.set(announcement['lan-peers'].id, { announcement, address, heard: Date.now() })
    })
    return { to: { group: GROUP, port }, known: () => peers.size }
  }
}

/**
 * Hears a group, and gives the port.
 *
 * @param {string} group
 * @param {(message: Buffer, from: import('node:dgram').RemoteInfo) => void} heard
 */
async function listen(group, heard) {
  const socket = createSocket({
    type: 'udp4',
    reuseAddr: true,
    recvBufferSize: 4 * 1024 * 1024 // what lan-peers asks for
  })
  socket.on('message', heard)
  socket.bind(0)
  await once(socket, 'listening')
  socket.addMembership(group, HERE)
  return socket.address().port
}
