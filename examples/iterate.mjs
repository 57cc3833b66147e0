// peers.js as an ES module: who comes, changes and goes in one loop, which an AbortSignal ends.
//
//   node examples/iterate.mjs [NAME [INTERFACES]]

import { discover } from 'lan-peers'

const [username = 'ada', interfaces] = process.argv.slice(2)

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

const lan = discover({ username }, { interfaces, signal: stop.signal })
for await (const { type, peer, reason } of lan) {
  console.log(type, peer.data.username, reason ?? peer.address)
}
console.log('goodbye') // the others have been told by now
