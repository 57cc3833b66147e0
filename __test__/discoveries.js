'use strict'

// Discoveries on loopback, and those who send by hand what discoveries hear.

const dgram = require('node:dgram')
const { once } = require('node:events')
const { discover } = require('..')
const { LOOPBACK } = require('./loopback.js')

const PORT = 9778

/**
 * Discovers on loopback until the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} group that no other test uses: on loopback all hear each other
 * @param {object} [data]
 * @param {import('..').DiscoverOptions} [options]
 */
function discoverHere(t, group, data, options) {
  const lan = discover(data, { ...LOOPBACK, group, ...options })
  t.after(() => lan.close())
  return lan
}

/**
 * A program that sends what it likes to a group.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} group
 * @param {string} [address] of loopback, to send from
 */
async function sender(t, group, address = '127.0.0.1') {
  // macOS sends no datagram that is longer than the buffer, which begins with 9,216 bytes.
  const socket = dgram.createSocket({ type: 'udp4', sendBufferSize: 128 * 1024 })
  t.after(() => new Promise((resolve) => socket.close(() => resolve(undefined))))
  socket.bind(0, address)
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  return {
    port: socket.address().port,
    send: (/** @type {string | Buffer} */ text) =>
      new Promise((resolve, reject) =>
        socket.send(text, PORT, group, (error) => (error ? reject(error) : resolve(undefined)))
      )
  }
}

/**
 * An announcement as docs/protocol.md describes it.
 *
 * @param {string} id
 * @param {object} [head]
 * @param {object} [data]
 */
const announcement = (id, head = {}, data = {}) =>
  JSON.stringify({
    'lan-peers': { v: 1, id, boot: 1, seq: 1, every: 60_000, n: 1, ...head },
    ...data
  })

module.exports = { PORT, announcement, discoverHere, sender }
