'use strict'

// The lab: computers made of network namespaces, on bridges inside another namespace. Nothing in it can
// reach a real network. Each namespace lives as long as a process that holds it, and that process as long
// as the pipe to us: when a test ends, however it ends, the kernel takes everything down.

const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const { MODES, mode, needs } = require('./needs.js')
const { Process, nodeCommand } = require('./process.js')

/** A firewall, see `wall` of a host, that drops all between this host and others. */
const ALONE = `chain in {
  type filter hook input priority 0;
  iifname != lo drop
}
chain out {
  type filter hook output priority 0;
  oifname != lo drop
}`

/** Drops groups, in and out. */
const NO_MULTICAST = `chain in {
  type filter hook input priority 0;
  meta pkttype multicast drop
}
chain out {
  type filter hook output priority 0;
  ip daddr 224.0.0.0/4 drop
  ip6 daddr ff02::1 udp dport 9778 drop
}`

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
    if (mode === undefined) throw new Error(String(needs('lab')))
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

  /** @param {...string} commands as of ip(8), without `ip`; several go without its options, one after another */
  ip(...commands) {
    if (commands.length === 1) return this.exec('ip', ...commands[0].split(' '))
    return this.feed('ip -batch -', commands.join('\n'))
  }

  /**
   * Runs a command in here that reads what it is to do.
   *
   * @param {string} line the command and its arguments
   * @param {string} input
   */
  feed(line, input) {
    const [command, ...args] = [...this.enter(), ...line.split(' ')]
    return execFileSync(command, args, { encoding: 'utf8', input })
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
  #cables
  #lans

  /**
   * @param {import('node:test').TestContext} t
   * @param {string} name
   * @param {number} number
   * @param {number[]} lans
   * @param {Namespace} namespace
   * @param {Namespace} cables where the LANs are
   */
  constructor(t, name, number, lans, namespace, cables) {
    this.#t = t
    this.#namespace = namespace
    this.#cables = cables
    this.#lans = lans
    this.name = name
    /** The address of each interface; further ones on the same LAN have higher ones. */
    this.addresses = lans.map((lan, i) => {
      const before = lans.slice(0, i).filter((other) => other === lan).length
      return `10.77.${lan}.${number + 100 * before}`
    })
    /** The same over IPv6; each has the link-local one beside it. */
    this.addresses6 = lans.map((lan, i) => {
      const before = lans.slice(0, i).filter((other) => other === lan).length
      return `fd77:${lan + 1}::${number + 100 * before}`
    })
    this.linkLocal = `fe80::${number}`
  }

  get address() {
    return this.addresses[0]
  }

  /** @param {string} name such as `eth0` */
  #end(name) {
    return `${this.name}${name.slice(3)}`
  }

  /**
   * Gives it an interface, with its addresses, up and on its LAN.
   *
   * @param {string} name such as `eth0`; it has none of this name
   * @param {number} [index] the system's number of it
   */
  add(name, index) {
    const i = Number(name.slice(3))
    const end = this.#end(name)
    const numbered = index === undefined ? '' : ` index ${index}`
    this.#namespace.ip(
      `link add ${name}${numbered} type veth peer name ${end} netns ${this.#cables.holder.pid}`
    )
    this.#cables.ip(`link set ${end} master lan${this.#lans[i]}`, `link set ${end} up`)
    this.#namespace.ip(
      `address add ${this.addresses[i]}/24 dev ${name}`,
      // Known ones, and at once: `nodad`, for the search for duplicates takes a second or two.
      `link set ${name} addrgenmode none`,
      `address add ${this.linkLocal}/64 dev ${name} nodad`,
      `address add ${this.addresses6[i]}/64 dev ${name} nodad`,
      `link set ${name} up`
    )
  }

  /** Gives it `tun0`, a point-to-point interface as a VPN has. Needs `tunnel`. */
  addTunnel() {
    this.ip(
      'tuntap add mode tun name tun0',
      'address add 10.99.0.1/32 dev tun0',
      'link set tun0 up'
    )
  }

  /**
   * The system's number of an interface.
   *
   * @param {string} name
   * @returns {number}
   */
  index(name) {
    return JSON.parse(this.ip(`-json link show ${name}`))[0].ifindex
  }

  /**
   * Takes an interface away.
   *
   * @param {string} name
   */
  remove(name) {
    this.ip(`link del ${name}`)
  }

  /**
   * Switches an interface on or off.
   *
   * @param {string} name
   * @param {'up' | 'down'} state
   */
  link(name, state) {
    this.ip(`link set ${name} ${state}`)
  }

  /**
   * Plugs the cable of an interface in or out at its other end: the carrier is there, or lost.
   *
   * @param {string} name
   * @param {'in' | 'out'} state
   */
  cable(name, state) {
    this.#cables.ip(`link set ${this.#end(name)} ${state === 'in' ? 'up' : 'down'}`)
  }

  /**
   * Sets options of the LAN that an interface is on.
   *
   * @param {string} name
   * @param {string} options of a bridge, as of ip-link(8)
   */
  lan(name, options) {
    this.#cables.ip(`link set lan${this.#lans[Number(name.slice(3))]} type bridge ${options}`)
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
   * Runs a command and returns what it prints.
   *
   * @param {...string} words
   */
  exec(...words) {
    return this.#namespace.exec(...words)
  }

  /** @param {...string} commands as of ip(8), without `ip`; several go without its options, one after another */
  ip(...commands) {
    return this.#namespace.ip(...commands)
  }

  /**
   * Puts up a firewall, in place of the one before. Needs `nft`.
   *
   * @param {string} rules of nft(8), what is in a table; none take it down
   */
  wall(rules = '') {
    this.#namespace.feed(
      'nft -f -',
      `table inet wall\ndelete table inet wall\ntable inet wall {\n${rules}\n}`
    )
  }

  /**
   * @param {string} what
   * @param {string[]} command
   */
  #process(what, command) {
    return new Process(this.#t, `${what} on host ${this.name}`, command, this.#namespace.enter())
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
    cables.ip(`link add lan${lan} type bridge mcast_snooping 0`, `link set lan${lan} up`)
  }
  const built = /** @type {Record<string, Host>} */ ({})
  for (const [name, lans] of Object.entries(lansOf)) {
    const namespace = await Namespace.make(cables)
    made.push(namespace)
    const host = new Host(t, name, made.length - 1, lans, namespace, cables)
    host.link('lo', 'up')
    for (const i of lans.keys()) host.add(`eth${i}`)
    // As a computer behind a router has; programs that join without naming an interface need it.
    if (lans.length > 0) host.ip('route add default dev eth0')
    built[name] = host
  }
  return built
}

module.exports = { ALONE, Host, NO_MULTICAST, hosts }
