'use strict'

// Tells the network who we are, and prints who comes, changes and goes.
//
//   node examples/peers.js [NAME [INTERFACES]]

const { discover } = require('lan-peers')

const [username = 'ada', interfaces] = process.argv.slice(2)

const lan = discover({ username }, { interfaces })
lan.on('up', ({ data, address }) => console.log('+', data.username, address))
lan.on('update', ({ data }, { data: before }) => {
  if (data !== before) console.log('*', before.username, 'is', data.username)
})
lan.on('down', ({ data }, reason) => console.log('-', data.username, `(${reason})`))
lan.on('warning', ({ message, hint }) => console.warn(`${message}. ${hint}`))

// Without this line Ctrl-C ends it without a goodbye, and the others notice seven seconds later.
process.once('SIGINT', () => process.exit(130))
