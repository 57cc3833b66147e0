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
 * What a test may need: whether it is here, and how to get it.
 *
 * @type {Record<string, { isHere: () => boolean, from: string }>}
 */
const NEEDS = {
  lab: {
    isHere: () => mode !== undefined,
    from: 'apt install iproute2 util-linux; on Linux, as root or with user namespaces'
  },
  tunnel: { isHere: canOpenTunnel, from: 'the device /dev/net/tun' },
  nft: { isHere: () => isOnPath('nft'), from: 'apt install nftables, and /usr/sbin on the PATH' },
  tcpdump: { isHere: () => isOnPath('tcpdump'), from: 'apt install tcpdump' },
  strace: { isHere: () => isOnPath('strace'), from: 'apt install strace' },
  python3: {
    isHere: () => succeeds('python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 10))'),
    from: 'apt install python3, 3.10 or later'
  },
  chromium: { isHere: () => chromium() !== undefined, from: 'apt install chromium' }
}

/** Begins the reason for which a test is skipped: `needs lab, nft`. */
const REASON = 'needs '

/**
 * The option `skip` of a test that needs these: why it is skipped, or `false`. Where the whole suite is required
 * (LAN_PEERS_LAB=required) it throws instead, so that the file of the test fails.
 *
 * @param {...string} names of {@link NEEDS}
 */
function needs(...names) {
  const missing = names.filter((name) => !isHere(name))
  if (missing.length === 0) return false
  if (process.env.LAN_PEERS_LAB === 'required') {
    const remedies = missing.map((name) => `${name} (${NEEDS[name].from})`)
    throw new Error(`LAN_PEERS_LAB=required, and a test needs ${remedies.join(', ')}`)
  }
  return REASON + missing.join(', ')
}

/**
 * How to get what tests were skipped for.
 *
 * @param {string[]} reasons
 */
function remedies(reasons) {
  const names = reasons
    .filter((reason) => reason.startsWith(REASON))
    .flatMap((reason) => reason.slice(REASON.length).split(', '))
  return [...new Set(names)]
    .filter((name) => name in NEEDS)
    .map((name) => `${name}: ${NEEDS[name].from}`)
}

/** @type {Map<string, boolean>} */
const found = new Map()

/** @param {string} name */
function isHere(name) {
  if (!found.has(name)) found.set(name, NEEDS[name].isHere())
  return found.get(name)
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

/** @param {string} name of a program */
const isOnPath = (name) => onPath(name) !== undefined

/** The path of Chromium, if it is installed. */
const chromium = () => ['chromium', 'chromium-browser', 'google-chrome'].map(onPath).find(Boolean)

module.exports = { MODES, chromium, mode, needs, remedies }
