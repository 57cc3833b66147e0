// peers.js in TypeScript. Anybody can announce anything, so what a peer announces has no type until it was looked at.
//
//   node examples/typed.mts [NAME [INTERFACES]]
//
// That is for Node >= 22.18. An older one wants JavaScript:
//
//   npx esbuild examples/typed.mts | node --input-type=module - [NAME [INTERFACES]]

import { discover, type Peer } from 'lan-peers'

interface Player {
  username: string
  score: number
}

/** A peer that announces what ours do. */
type PlayerPeer = Peer & { readonly data: Player }

function isPlayer(peer: Peer): peer is PlayerPeer {
  const { username, score } = peer.data
  return typeof username === 'string' && typeof score === 'number'
}

const [username = 'ada', interfaces] = process.argv.slice(2)
const me: Player = { username, score: 0 }

const lan = discover(me, { interfaces })
lan.on('up', (peer) => {
  if (!isPlayer(peer)) return console.log(`? ${peer.address} is no player`)
  console.log(`+ ${peer.data.username} has ${peer.data.score.toFixed(1)} points`)
})
lan.on('down', (peer, reason) => {
  if (isPlayer(peer)) console.log(`- ${peer.data.username} (${reason})`)
})

process.once('SIGINT', () => process.exit(130))
