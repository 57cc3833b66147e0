'use strict'

// The process of its own that others-in-utility.js starts. Its argument is our own name.

const { findOthers } = require('./others.js')

const { parentPort } = process
const others = findOthers(String(process.argv.at(-1)), (news) => parentPort.postMessage(news))

parentPort.on('message', ({ data: [what, ...args] }) => {
  if (what === 'tellAll') others.tellAll()
  if (what === 'rename') others.rename(args[0])
  // lan-peers says goodbye on that.
  if (what === 'quit') process.exit()
})

// A page that is there already is told that whom the process before this one knew are not known any more.
others.tellAll()
