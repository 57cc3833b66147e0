'use strict'

// A program with Node's own dgram and nothing of ours, as others may have written it: says who it is, every two
// seconds, and prints who else is there. For those with `discover` it is a plain peer, and it reads their `username`.
//
//   node examples/dgram.js [NAME [ADDRESS]]
//
// ADDRESS is the one of the interface to use; without, the system picks one. It cannot say goodbye: the others notice
// after seven seconds that it is gone.

const dgram = require('node:dgram')

const PORT = 9778
const GROUP = '224.0.0.1'

const [username = 'dgram', address] = process.argv.slice(2)

// Without `reuseAddr` no other program on this computer could use the port.
const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true })
socket.on('message', (message, from) => {
  try {
    const { username } = JSON.parse(String(message))
    if (username) console.log(username, from.address) // a goodbye comes without
  } catch {
    // anybody can send anything
  }
})
socket.bind(PORT, () => {
  socket.addMembership(GROUP, address)
  if (address) socket.setMulticastInterface(address)
  const send = () => socket.send(JSON.stringify({ username }), PORT, GROUP)
  send()
  setInterval(send, 2000)
})
