'use strict'

// Tells the network who we are, every two seconds, and prints who else is there.
//
//   node examples/hello.js [NAME [INTERFACES]]

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
