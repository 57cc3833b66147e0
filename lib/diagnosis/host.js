'use strict'

// What else this computer says of itself that bears on multicast. Nothing here sends anything.

const dgram = require('node:dgram')
const { once } = require('node:events')
const { existsSync, readFileSync, readdirSync, readlinkSync } = require('node:fs')
const { isIPv6 } = require('node:net')
const os = require('node:os')
const { libc } = require('../platform.js')
const version = require('../version.js')

/** @typedef {import('../../index').DiagnosedInterface} DiagnosedInterface */

/** Addresses that nobody has (RFC 5737, RFC 3849): the way to them is the default route. */
const NOBODY = { IPv4: '192.0.2.1', IPv6: '2001:db8::1' }

/** Any port, for `connect` wants one. */
const DISCARD = 9

/** Whether an interface is the loopback one: no other has these addresses. */
const isLoopback = (/** @type {{ addresses: { address: string }[] }} */ { addresses }) =>
  addresses.some(({ address }) => address === '::1' || address.startsWith('127.'))

/** What there is of what, for reports. */
function versions() {
  const { node, electron } = process.versions
  const library = libc()
  return {
    'lan-peers': version,
    node,
    ...(electron && { electron }),
    system: [distribution(), `${os.type()} ${os.release()}`, process.arch, library]
      .filter(Boolean)
      .join(', ')
  }
}

/** The name of a Linux distribution (os-release(5)). */
function distribution() {
  return read('/etc/os-release')?.match(/^PRETTY_NAME="?([^"\n]*)/m)?.[1]
}

/**
 * A small file; `undefined` where there is none, as on other systems.
 *
 * @param {string} path
 */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * @param {DiagnosedInterface[]} interfaces
 * @param {number} port
 */
async function facts(interfaces, port) {
  return {
    release: os.release(),
    container: container(),
    holder: holder(port),
    defaultRoute: {
      IPv4: await interfaceTo(NOBODY.IPv4, interfaces),
      IPv6: await interfaceTo(NOBODY.IPv6, interfaces)
    },
    filtered: await filtered(interfaces)
  }
}

/** What kind of container this runs in, as the files say that the usual ones put there. */
function container() {
  if (process.env.KUBERNETES_SERVICE_HOST) return 'Kubernetes'
  if (existsSync('/.dockerenv')) return 'Docker'
  if (existsSync('/run/.containerenv')) return 'Podman'
  return undefined
}

/**
 * The interface by which the system would send to an address, by the address that it would send from. To connect a UDP
 * socket sends nothing.
 *
 * @param {string} address
 * @param {DiagnosedInterface[]} interfaces
 * @returns {Promise<string | undefined>} its name; `undefined` if there is no route
 */
async function interfaceTo(address, interfaces) {
  const socket = dgram.createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  try {
    socket.connect(DISCARD, address)
    await once(socket, 'connect')
    const from = socket.address().address
    return interfaces.find(({ addresses }) => addresses.some((one) => one.address === from))?.name
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

/**
 * The interfaces on which Linux drops what comes over IPv4, because it would answer by another: rp_filter (RFC 3704 2.2,
 * ip-sysctl.rst of the kernel). With 1 it drops that, with 2 only if it could not answer at all.
 *
 * @param {DiagnosedInterface[]} interfaces
 */
async function filtered(interfaces) {
  const found = []
  for (const one of interfaces) {
    const mode = Math.max(filter('all'), filter(one.name))
    if (mode === 0 || one.IPv4.state !== 'joined' || isLoopback(one)) continue
    const neighbour = neighbourOn(one, interfaces)
    if (neighbour === undefined) continue
    const answers = await interfaceTo(neighbour, interfaces)
    if (answers !== one.name && (mode === 1 || answers === undefined)) {
      found.push({ interface: one.name, answers })
    }
  }
  return found
}

/** @param {string} name of an interface, or `all` */
const filter = (name) => Number(read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`) ?? 0)

/**
 * An address that another computer on the network of an interface could have.
 *
 * @param {DiagnosedInterface} one
 * @param {DiagnosedInterface[]} interfaces
 * @returns {string | undefined}
 */
function neighbourOn({ addresses }, interfaces) {
  const own = new Set(interfaces.flatMap(({ addresses }) => addresses.map((one) => one.address)))
  const cidr = addresses.find(({ family }) => family === 'IPv4')?.cidr
  if (cidr === undefined) return undefined
  const [address, length] = cidr.split('/')
  const size = 2 ** (32 - Number(length))
  const number = Buffer.from(address.split('.').map(Number)).readUInt32BE()
  const first = number - (number % size)
  // The first address of a network is its own, and the last its broadcast address, but where there are only two (RFC 3021).
  const [least, most] = size > 2 ? [first + 1, first + size - 2] : [first, first + size - 1]
  return [1, -1, 2, -2, 3, -3]
    .map((step) => number + step)
    .filter((other) => other >= least && other <= most)
    .map(dotted)
    .find((other) => !own.has(other))
}

/** @param {number} number an IPv4 address */
function dotted(number) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes.join('.')
}

/**
 * The program that has a UDP port, as Linux tells it to those who may know (proc_pid_fd(5)).
 *
 * @param {number} port
 * @returns {string | undefined}
 */
function holder(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const sockets = ['udp', 'udp6'].flatMap((table) => [
    ...(read(`/proc/net/${table}`) ?? '').matchAll(
      new RegExp(`^ *\\d+: [\\dA-F]+:${hex} (?:\\S+ +){7}(\\d+)`, 'gm')
    )
  ])
  const inodes = new Set(sockets.map(([, inode]) => `socket:[${inode}]`))
  if (inodes.size === 0) return undefined
  for (const pid of names('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue
    const isHere = names(`/proc/${pid}/fd`).some((fd) => inodes.has(link(`/proc/${pid}/fd/${fd}`)))
    if (isHere) return `${read(`/proc/${pid}/comm`)?.trim() ?? 'a process'} (pid ${pid})`
  }
  return undefined
}

/**
 * What is in a folder; nothing if that is gone, or not for us to see.
 *
 * @param {string} folder
 */
function names(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/**
 * Where a link leads; nowhere if it is gone.
 *
 * @param {string} path
 */
function link(path) {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

module.exports = { facts, isLoopback, versions }
