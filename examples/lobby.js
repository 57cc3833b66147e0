'use strict'

// A lobby for a game on the terminal: who is there, who hosts a game, how many seats are left at it. The game, to
// guess a number, is played over TCP, at the address that the host was heard from and the port that it announces.
//
//   node examples/lobby.js [--lobby LOBBY] [NAME [INTERFACES]]
//
// Type `host`, or `join NAME`; in a game, numbers; `leave` ends it. Those in another lobby are not seen.

const { randomInt } = require('node:crypto')
const net = require('node:net')
const { createInterface } = require('node:readline')
const { parseArgs } = require('node:util')
const { discover } = require('lan-peers')

const SEATS = 2

const { values, positionals } = parseArgs({
  options: { lobby: { type: 'string', default: 'main' } },
  allowPositionals: true
})
const [name = 'ada', interfaces] = positionals

// With the interval of 1 s somebody who crashed disappears after 3.5 s.
const lan = discover({ name }, { app: `guess/${values.lobby}`, interval: 1000, interfaces })

/** What we play, if we do: a game of ours or another's. @type {{ guess(text: string): void, leave(): void } | undefined} */
let game

/** Of whom that game is, if it is another's. @type {string | undefined} */
let hostId

/** Anybody can announce anything, also what a terminal would obey. @param {unknown} value */
const clean = (value) =>
  typeof value === 'string' ? value.replace(/\p{C}/gu, '').slice(0, 80) : '?'

/** The game that a peer hosts. @param {import('lan-peers').Peer} peer */
function gameOf({ data }) {
  const { port, seats } = Object(data.game)
  const isGame = Number.isInteger(port) && port > 0 && port < 65536 && Number.isInteger(seats)
  return isGame ? { port, seats } : undefined
}

/** @param {import('lan-peers').Peer} peer */
function describe(peer) {
  const hosted = gameOf(peer)
  return `${clean(peer.data.name)}${hosted ? ` hosts a game, seats left: ${hosted.seats}` : ''}`
}

lan.on('up', (peer) => console.log(`+ ${describe(peer)}`))
lan.on('update', (peer, { data }) => {
  if (peer.data !== data) console.log(`* ${describe(peer)}`)
})
lan.on('down', (peer, reason) => {
  console.log(`- ${clean(peer.data.name)} (${reason})`)
  // TCP would not notice for minutes that a computer has lost power.
  if (peer.id === hostId) game?.leave()
})

function host() {
  const secret = randomInt(1, 101)
  const guests = /** @type {Set<net.Socket>} */ (new Set())
  const announce = () => {
    const { port } = /** @type {net.AddressInfo} */ (server.address())
    lan.announce({ name, game: { port, seats: SEATS - guests.size } })
  }
  const tell = (/** @type {string} */ text) => {
    console.log(text)
    for (const guest of guests) guest.write(`${text}\n`)
  }
  const guess = (/** @type {string} */ player, /** @type {string} */ text) => {
    const number = Number(text)
    const answer = number === secret ? 'is it' : number < secret ? 'is too low' : 'is too high'
    tell(`${player}: ${text} ${answer}`)
    if (number === secret) leave()
  }
  const leave = () => {
    game = undefined
    server.close()
    for (const guest of guests) guest.end()
    lan.announce({ name })
  }

  const server = net.createServer((guest) => {
    guest.on('error', () => {}) // 'close' follows
    if (guests.size === SEATS) return guest.end('No seat is left.\n')
    guests.add(guest)
    announce()
    guest.on('close', () => {
      guests.delete(guest)
      if (server.listening) announce()
    })
    let player = ''
    createInterface({ input: guest }).on('line', (line) => {
      if (player) return guess(player, clean(line))
      player = clean(line)
      tell(`${player} sits down. It is a number from 1 to 100.`)
    })
  })
  server.listen(0, announce)
  console.log('You host a game. The others see it, and can join.')
  game = { guess: (text) => guess(name, text), leave }
}

/** @param {string} wanted a name */
function join(wanted) {
  const peer = [...lan.peers.values()].find((one) => one.data.name === wanted && gameOf(one))
  if (!peer) return console.log(`${wanted} hosts no game.`)
  const socket = net.connect({ host: peer.address, port: gameOf(peer)?.port ?? 0 })
  const send = (/** @type {string} */ text) => void socket.write(`${text}\n`)
  socket.on('error', ({ message }) => console.log(message)) // 'close' follows
  socket.on('close', () => {
    console.log('The game is over.')
    game = hostId = undefined
  })
  createInterface({ input: socket }).on('line', (line) => console.log(clean(line)))
  send(name)
  game = { guess: send, leave: () => socket.destroy() }
  hostId = peer.id
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, ...rest] = line.trim().split(' ')
  if (command === 'leave') game?.leave()
  else if (game && /^\d+$/.test(command)) game.guess(command)
  else if (!game && command === 'host') host()
  else if (!game && command === 'join') join(rest.join(' '))
  else console.log(game ? 'A number, or `leave`?' : '`host`, or `join NAME`?')
})

process.once('SIGINT', () => process.exit(130))
