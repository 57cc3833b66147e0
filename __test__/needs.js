'use strict'

// What tests need of the computer beside Node and a compiler.

const { execFileSync } = require('node:child_process')
const { accessSync, closeSync, constants, openSync } = require('node:fs')
const { delimiter, join } = require('node:path')

/** How a namespace is made, and how it is entered: as root, or by a user namespace. */
const MODES = [
  { make: ['unshare', '--net'], enter: ['nsenter', '--net'] },
  {
    make: ['unshare', '--user', '--map-root-user', '--net'],
    enter: ['nsenter', '--user', '--preserve-credentials', '--net']
  }
]

/** What works here. Trying is the only way to know: some systems let the first half pass. */
const mode = MODES.find(({ make }) => succeeds(...make, 'ip', 'link', 'set', 'lo', 'up'))

/**
 * What a test may need: whether it is here, and what to do where it is not.
 *
 * @type {Record<string, { isHere: () => boolean, missing: string }>}
 */
const NEEDS = {
  lab: {
    isHere: () => mode !== undefined,
    missing: 'network namespaces: Linux, root or user namespaces, apt install iproute2 util-linux'
  },
  tunnel: { isHere: canOpenTunnel, missing: '/dev/net/tun' },
  nft: program('nft', 'apt install nftables, and /usr/sbin on the PATH'),
  tcpdump: program('tcpdump', 'apt install tcpdump'),
  strace: program('strace', 'apt install strace'),
  python3: {
    isHere: () => succeeds('python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 10))'),
    missing: 'Python 3.10 or later: apt install python3'
  },
  chromium: {
    isHere: () => chromium() !== undefined,
    missing: 'Chromium: apt install chromium'
  }
}

/**
 * The option `skip` of a test that needs these: why it is skipped, or `false`. Where the whole suite is required
 * (LAN_PEERS_LAB=required) it throws instead, so that the file of the test fails.
 *
 * @param {...string} names of {@link NEEDS}
 */
function needs(...names) {
  const missing = names.filter((name) => !isHere(name)).map((name) => NEEDS[name].missing)
  if (missing.length === 0) return false
  const reason = `needs ${missing.join('; and ')}`
  if (process.env.LAN_PEERS_LAB === 'required') throw new Error(`LAN_PEERS_LAB=required: ${reason}`)
  return reason
}

/** @type {Map<string, boolean>} */
const found = new Map()

/** @param {string} name */
function isHere(name) {
  if (!found.has(name)) found.set(name, NEEDS[name].isHere())
  return found.get(name)
}

/**
 * A program that a test runs.
 *
 * @param {string} name
 * @param {string} remedy
 */
function program(name, remedy) {
  return { isHere: () => onPath(name) !== undefined, missing: `${name}: ${remedy}` }
}

/** @param {...string} words of a command */
function succeeds(...words) {
  try {
    execFileSync(words[0], words.slice(1), { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function canOpenTunnel() {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'))
    return true
  } catch {
    return false
  }
}

/** @param {string} name of a program */
function onPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** The path of Chromium, if it is installed. */
const chromium = () => ['chromium', 'chromium-browser', 'google-chrome'].map(onPath).find(Boolean)

module.exports = { MODES, chromium, mode, needs }
