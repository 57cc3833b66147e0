'use strict'

// The well-known example with dgram and cluster again: tells the network who we are, every two seconds, and prints
// what others tell. It and the original hear each other.
//
//   node examples/hello.js [NAME [INTERFACES]]
//
// For who comes and goes see peers.js.

const { cast, listen } = require('lan-peers')

const [username = 'ada', interfaces] = process.argv.slice(2)

const listener = listen({ encoding: 'utf8', self: false, interfaces }, (message, from) => {
  console.log(`server got: ${message} from ${from.address}:${from.port}`)
})
listener.on('listening', () => {
  const { address, port } = listener.address()
  console.log(`Listening on: ${address}:${port}`)
})

cast({ username }, 2000, { interfaces })
