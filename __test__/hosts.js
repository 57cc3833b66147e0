'use strict'

// The lab: computers made of network namespaces, on bridges inside another namespace. Nothing in it can
// reach a real network. Each namespace lives as long as a process that holds it, and that process as long
// as the pipe to us: when a test ends, however it ends, the kernel takes everything down.

const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const { Process, nodeCommand } = require('./process.js')

/** How a namespace is entered, and how one is made. */
const MODES = [
  { make: ['unshare', '--net'], enter: ['nsenter', '--net'] },
  {
    make: ['unshare', '--user', '--map-root-user', '--net'],
    enter: ['nsenter', '--user', '--preserve-credentials', '--net']
  }
]

/** What works here. Trying is the only way to know: some systems let the first half pass. */
const mode = MODES.find(({ make }) => {
  try {
    const [command, ...args] = make
    execFileSync(command, [...args, 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

/** Why there is no lab here; `false` if there is one, as the option `skip` of a test wants it. */
const unavailable =
  mode === undefined && process.env.LAN_PEERS_LAB !== 'required'
    ? 'THE LAB IS NOT AVAILABLE: needs Linux, iproute2, util-linux, and root or user namespaces'
    : false
if (unavailable) console.error(unavailable)

/** A network namespace, held by a process. */
class Namespace {
  /** @param {import('node:child_process').ChildProcess} holder */
  constructor(holder) {
    this.holder = holder
  }

  /**
   * @param {Namespace} [inside] whose user namespace it belongs to
   */
  static async make(inside) {
    if (mode === undefined) throw new Error('the lab is required and not available')
    const make = inside ? [...inside.enter(), ...MODES[0].make] : mode.make
    const [command, ...args] = [...make, 'sh', '-c', 'echo made && exec cat']
    const holder = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'close')])
    if (String(said) !== 'made\n') throw new Error(`no namespace: ${command} ended with ${said}`)
    return new Namespace(holder)
  }

  /** The words before a command that is to run in here. */
  enter() {
    const [command, ...args] = /** @type {typeof MODES[0]} */ (mode).enter
    return [command, '--target', String(this.holder.pid), ...args]
  }

  /**
   * Runs a command in here and returns what it prints.
   *
   * @param {...string} words
   */
  exec(...words) {
    const [command, ...args] = [...this.enter(), ...words]
    return execFileSync(command, args, { encoding: 'utf8' })
  }

  /** @param {string} command as of ip(8), without `ip` */
  ip(command) {
    return this.exec('ip', ...command.split(' '))
  }

  async drop() {
    const gone = once(this.holder, 'close')
    this.holder.stdin?.end()
    await gone
  }
}

/** A computer of the lab. It has `lo` and, for each LAN it is on, `eth0`, `eth1` ... in that order. */
class Host {
  #t
  #namespace

  /**
   * @param {import('node:test').TestContext} t
   * @param {string} name
   * @param {number} number
   * @param {number[]} lans
   * @param {Namespace} namespace
   */
  constructor(t, name, number, lans, namespace) {
    this.#t = t
    this.#namespace = namespace
    this.name = name
    /** The address of each interface. */
    this.addresses = lans.map((lan) => `10.77.${lan}.${number}`)
    /** The same over IPv6; each has the link-local one beside it. */
    this.addresses6 = lans.map((lan) => `fd77:${lan + 1}::${number}`)
    this.linkLocal = `fe80::${number}`
  }

  get address() {
    return this.addresses[0]
  }

  /**
   * Runs a script of this folder with Node.
   *
   * @param {string} script
   * @param {...unknown} args those that are no strings go as JSON
   */
  run(script, ...args) {
    return this.#process(script, nodeCommand(script, args))
  }

  /**
   * @param {...string} words a command
   */
  start(...words) {
    return this.#process(words[0], words)
  }

  /**
   * @param {string} what
   * @param {string[]} command
   */
  #process(what, command) {
    return new Process(this.#t, `${what} on host ${this.name}`, command, this.#namespace.enter())
  }

  /** @param {string} command as of ip(8), without `ip` */
  ip(command) {
    return this.#namespace.ip(command)
  }

  /**
   * @param {string} name
   * @param {'up' | 'down'} state
   */
  link(name, state) {
    this.ip(`link set ${name} ${state}`)
  }
}

/**
 * Builds hosts. They are gone when the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {number | Record<string, number[]>} plan how many hosts on one LAN, named a, b, c ...; or for each
 * name the LANs that it is on
 * @returns {Promise<Record<string, Host>>}
 */
async function hosts(t, plan) {
  const lansOf =
    typeof plan === 'number'
      ? Object.fromEntries([...'abcdefghij'].slice(0, plan).map((name) => [name, [0]]))
      : plan
  const made = /** @type {Namespace[]} */ ([])
  t.after(async () => {
    for (const namespace of made.reverse()) await namespace.drop()
  })
  const cables = await Namespace.make()
  made.push(cables)
  for (const lan of new Set(Object.values(lansOf).flat())) {
    // Without snooping, as a plain switch is.
    cables.ip(`link add lan${lan} type bridge mcast_snooping 0`)
    cables.ip(`link set lan${lan} up`)
  }
  const built = /** @type {Record<string, Host>} */ ({})
  for (const [name, lans] of Object.entries(lansOf)) {
    const namespace = await Namespace.make(cables)
    made.push(namespace)
    const host = new Host(t, name, made.length - 1, lans, namespace)
    namespace.ip('link set lo up')
    lans.forEach((lan, i) => {
      const { pid } = namespace.holder
      cables.ip(`link add ${name}${i} type veth peer name eth${i} netns ${pid}`)
      cables.ip(`link set ${name}${i} master lan${lan}`)
      cables.ip(`link set ${name}${i} up`)
      namespace.ip(`address add ${host.addresses[i]}/24 dev eth${i}`)
      // Known ones, and at once: `nodad`, for the search for duplicates takes a second or two.
      namespace.ip(`link set eth${i} addrgenmode none`)
      namespace.ip(`address add ${host.linkLocal}/64 dev eth${i} nodad`)
      namespace.ip(`address add ${host.addresses6[i]}/64 dev eth${i} nodad`)
      namespace.ip(`link set eth${i} up`)
    })
    // As a computer behind a router has; programs that join without naming an interface need it.
    if (lans.length > 0) namespace.ip('route add default dev eth0')
    built[name] = host
  }
  return built
}

module.exports = { hosts, unavailable }
