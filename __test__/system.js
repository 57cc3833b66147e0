'use strict'

// What tests may expect of the operating system that they run on.

const { networkInterfaces } = require('node:os')

/** Whether tests may use what only Linux has. LAN_PEERS_PORTABLE=yes takes it away, to try on Linux what other systems run. */
const isLinux = process.platform === 'linux' && process.env.LAN_PEERS_PORTABLE !== 'yes'

// Why tests are skipped where it is not Linux.
const COUNTS = 'needs Linux: only /proc counts threads, sockets, memberships and wake-ups'
const LOST = 'needs Linux: only there are datagrams counted that the kernel drops'
const SOURCES = 'needs Linux: only there can one socket send from every address of 127.0.0.0/8'

/** The name of the loopback interface: `lo`, `lo0`, `Loopback Pseudo-Interface 1`. */
const loopbackName = String(
  Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(({ address }) => address === '127.0.0.1')
  )?.[0]
)

/** Why a test that sends from 127.0.0.2 is skipped here. Linux and Windows have all of 127.0.0.0/8, macOS only what it is given. */
const noSecondAddress =
  process.platform === 'darwin' &&
  !networkInterfaces()[loopbackName]?.some(({ address }) => address === '127.0.0.2') &&
  'needs the address 127.0.0.2: sudo ifconfig lo0 alias 127.0.0.2'

module.exports = { COUNTS, LOST, SOURCES, isLinux, loopbackName, noSecondAddress }
