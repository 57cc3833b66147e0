'use strict'

// What is in the way, from what was found, with the cure. It asks nobody, so that every system can be judged on any.

const { isIPv4 } = require('node:net')
const { isLoopback } = require('./host.js')

/**
 * @typedef {import('../../index').DiagnosedInterface} DiagnosedInterface
 * @typedef {import('../../index').Finding} Finding
 * @typedef {import('../errors.js').CodedError} CodedError
 *
 * @typedef {object} Facts
 * @property {string} platform as `process.platform`
 * @property {string} release of the system, as `os.release()`
 * @property {number} port
 * @property {string[]} groups
 * @property {string[]} patterns
 * @property {CodedError} [refused] what the system said to the port
 * @property {string} [holder] the program that has it
 * @property {CodedError[]} warnings
 * @property {DiagnosedInterface[]} interfaces
 * @property {import('../../index').Heard[]} heard
 * @property {string} [container] what kind this runs in
 * @property {{ IPv4?: string, IPv6?: string }} defaultRoute the interface by which it goes
 * @property {{ interface: string, answers?: string }[]} filtered see `filtered` of host.js
 */

const FAMILIES = /** @type {const} */ (['IPv4', 'IPv6'])

/** As `reason` of an interface says it. */
const POINT_TO_POINT = 'point-to-point'

/**
 * Why nothing can be done with an interface, by the reason that it gives, and what helps where it says nothing of that itself.
 *
 * @type {Record<string, { code: string, cure: (name: string, platform: string) => string }>}
 */
const REASONS = {
  down: {
    code: 'LINK_DOWN',
    cure: (name, platform) =>
      platform === 'linux'
        ? `Switch it on, in the network settings or by: ip link set ${name} up`
        : 'Switch it on in the network settings.'
  },
  'no carrier': { code: 'NO_CARRIER', cure: () => 'Plug the cable in, or join the Wi-Fi.' },
  'no address yet': {
    code: 'NO_ADDRESS',
    cure: () => 'Wait for the network to give it an address (DHCP), or give it one.'
  },
  [POINT_TO_POINT]: {
    code: 'POINT_TO_POINT',
    cure: (name) =>
      `Leave the VPN, or name the others in seeds. If this one carries multicast, name it: interfaces: '${name}'.`
  },
  'not capable of multicast': {
    code: 'NO_MULTICAST',
    cure: (name) =>
      `Name the others in seeds. To try it all the same, name it: interfaces: '${name}'.`
  }
}

const WINDOWS_FIREWALL =
  'Allow this program (node.exe, or your app) in Windows Defender Firewall for the profile of this network; a Public network that is yours can be made a Private one.'

/** What lets datagrams in that a firewall drops without a word. */
const LET_IN = /** @type {Record<string, (port: number) => string>} */ ({
  linux: (port) =>
    `Let UDP port ${port} in. By ufw: ufw allow ${port}/udp. By firewalld: firewall-cmd --add-port=${port}/udp. By nftables: a rule "udp dport ${port} accept" in the chain that drops.`,
  darwin: () =>
    'Allow incoming connections for this program in System Settings, Network, Firewall, Options.',
  win32: () => WINDOWS_FIREWALL
})

/**
 * @param {Facts} facts
 * @returns {Finding[]} what prevents something first, in the order of the interfaces
 */
function findings(facts) {
  return [
    ...portHeld(facts),
    ...ofWarnings(facts),
    ...failing(facts),
    ...notHeard(facts),
    ...unusable(facts),
    ...filteredOut(facts),
    ...vpn(facts),
    ...nobody(facts)
  ]
}

/**
 * @param {Finding['severity']} severity
 * @param {string} code
 * @param {{ on?: string, family?: 'IPv4' | 'IPv6', message: string, cure: string }} rest
 * @returns {Finding}
 */
const finding = (severity, code, { on, family, message, cure }) => ({
  severity,
  code,
  interface: on ?? null,
  family: family ?? null,
  message,
  cure
})

/** @param {Facts} facts */
function portHeld({ refused, holder, port }) {
  if (refused === undefined) return []
  const { code, message, hint = '' } = refused
  if (code !== 'EADDRINUSE') return [finding('error', code, { message, cure: hint })]
  const who = holder ?? 'Another program'
  return [
    finding('error', code, {
      message: `${who} has UDP port ${port} and does not share it`,
      cure: hint
    })
  ]
}

/**
 * Those of no interface: what is said of one is in its state.
 *
 * @param {Facts} facts
 */
function ofWarnings({ warnings }) {
  const codes = new Map(
    warnings.filter((one) => one.interface === undefined).map((one) => [one.code, one])
  )
  return [...codes.values()].map(({ code, message, hint = '' }) =>
    finding(code === 'NO_INTERFACE' ? 'error' : 'warning', code, { message, cure: hint })
  )
}

/**
 * What the system refuses.
 *
 * @param {Facts} facts
 */
function failing(facts) {
  return each(facts, ({ name }, family, { state, error, reason, hint }) => {
    if (state !== 'failing' || error === null) return []
    const cure = routeFor(facts, name, family, error.code) ?? hint ?? ''
    return [finding('error', error.code, { on: name, family, message: String(reason), cure })]
  })
}

/**
 * Linux sends multicast over IPv6 by a route that it makes for each interface, and over IPv4 without one.
 *
 * @param {Facts} facts
 * @param {string} name
 * @param {'IPv4' | 'IPv6'} family
 * @param {string} code
 */
function routeFor({ platform }, name, family, code) {
  if (platform !== 'linux' || family !== 'IPv6' || code !== 'ENETUNREACH') return undefined
  return `There is no route for multicast; make it again: ip -6 route add multicast ff00::/8 dev ${name} table local`
}

/**
 * What the system took and did not give back.
 *
 * @param {Facts} facts
 */
function notHeard(facts) {
  const letIn = LET_IN[facts.platform] ?? LET_IN.linux
  return each(facts, ({ name }, family, { state, echo }) =>
    echo === false && state !== 'failing'
      ? [
          finding('error', 'NOT_HEARD', {
            on: name,
            family,
            message: `What is sent to the group on ${name} does not come back: a firewall on this computer drops it without a word`,
            cure: letIn(facts.port)
          })
        ]
      : []
  )
}

/**
 * Why there is no network, where there is none.
 *
 * @param {Facts} facts
 */
function unusable(facts) {
  const others = facts.interfaces.filter((one) => !isLoopback(one))
  if (facts.interfaces.some((one) => isUsed(one) && (!isLoopback(one) || isNamed(facts)))) return []
  const found = each({ ...facts, interfaces: others }, ({ name }, _, { reason, hint }) => {
    if (reason === null) return []
    const known = REASONS[reason]
    const message = `${name} is not used: ${reason}`
    const cure = known?.cure(name, facts.platform) ?? hint ?? 'Change the option interfaces.'
    return [finding('error', known?.code ?? 'NOT_USED', { on: name, message, cure })]
  })
  // Mostly both families say the same.
  const once = new Map(found.map((one) => [`${one.interface} ${one.code}`, one]))
  if (once.size > 0) return [...once.values()]
  return [
    finding('error', 'NO_NETWORK', {
      message: 'This computer has no network, but for its loopback interface',
      cure: 'Connect it to one; it is used as soon as it is there.'
    })
  ]
}

/** @param {DiagnosedInterface} one */
const isUsed = ({ IPv4, IPv6 }) =>
  [IPv4, IPv6].some(({ state }) => state === 'joined' || state === 'failing')

/**
 * Whether the option `interfaces` names some, and does not only exclude. Then loopback is what was meant, if it is in use.
 *
 * @param {{ patterns: string[] }} facts
 */
const isNamed = ({ patterns }) => patterns.some((pattern) => !pattern.startsWith('!'))

/** @param {Facts} facts */
function filteredOut({ filtered }) {
  return filtered.map(({ interface: on, answers }) =>
    finding('warning', 'RP_FILTER', {
      on,
      family: 'IPv4',
      message: answers
        ? `What comes in by ${on} is dropped, because answers would go by ${answers} (rp_filter)`
        : `What comes in by ${on} is dropped, because there is no route for answers (rp_filter)`,
      cure: answers
        ? `Two ways into one network: use one of them, or sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${on}.rp_filter=2`
        : `Give ${on} a route to its network, or sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${on}.rp_filter=0`
    })
  )
}

/**
 * A VPN that takes everything, and may forbid the rest.
 *
 * @param {Facts} facts
 */
function vpn({ interfaces, defaultRoute }) {
  const goesBy = FAMILIES.flatMap((family) => {
    const one = interfaces.find(({ name }) => name === defaultRoute[family])
    return one?.[family].reason === POINT_TO_POINT ? [one.name] : []
  })
  return [...new Set(goesBy)].map((on) =>
    finding('note', 'VPN', {
      on,
      message: `The default route goes by ${on}, as of a VPN, which may keep this computer from its own network`,
      cure: 'If nobody is heard, allow the local network in the settings of the VPN (split tunnelling), or leave it.'
    })
  )
}

/**
 * Where this runs, which may be why.
 *
 * @param {Facts} facts
 */
function surroundings({ platform, release, container }) {
  const found = []
  if (container) {
    found.push(
      finding('note', 'CONTAINER', {
        message: `This runs in a container (${container}): unless it has the network of the host, multicast goes no further than to the containers beside it`,
        cure: 'To find others outside, give it the network of the host (docker run --network host, on Linux; hostNetwork: true), or name them in seeds.'
      })
    )
  }
  if (platform === 'linux' && /microsoft/i.test(release)) {
    found.push(
      finding('note', 'WSL', {
        message:
          'This runs in WSL, whose network is one of its own: multicast does not go from there to that of Windows',
        cure: 'Set networkingMode=mirrored in .wslconfig, run it in Windows, or name the others in seeds.'
      })
    )
  }
  return found
}

/**
 * What may be, where everything works that can be tried on one computer, and yet nobody is heard.
 *
 * @param {Facts} facts
 */
function nobody(facts) {
  const { platform, refused, groups, interfaces, heard, patterns } = facts
  const works = interfaces.some((one) => !isLoopback(one) && (one.IPv4.echo || one.IPv6.echo))
  if (refused || !works || heard.some(({ isThisComputer }) => !isThisComputer)) return []
  const cures = [
    'Run lan-peers doctor on another computer in the same network at the same time, or your program: they are heard.',
    'Wi-Fi for guests, and some others, keep computers apart (client isolation).',
    ...(groups.every(isOfLink)
      ? []
      : [
          'Switches that filter multicast (IGMP snooping) pass on groups other than 224.0.0.x and ff02:: only where something asks for memberships (a querier).'
        ]),
    ...(platform === 'darwin'
      ? [
          'macOS 15 and later: allow the local network for this program (or the terminal it runs in) in System Settings, Privacy & Security, Local Network.'
        ]
      : []),
    ...(platform === 'win32' ? [WINDOWS_FIREWALL] : []),
    ...(patterns.length > 0 ? ['Or the others are on an interface that is left out.'] : []),
    'Where a network carries no multicast there are seeds and broadcast.'
  ]
  return [
    ...surroundings(facts),
    finding('note', 'NOBODY', { message: 'No other computer was heard', cure: cures.join(' ') })
  ]
}

/**
 * Whether every switch passes it on to everybody (RFC 4541 2.1.2, RFC 4291 2.7).
 *
 * @param {string} group
 */
const isOfLink = (group) => (isIPv4(group) ? group.startsWith('224.0.0.') : /^ff.2:/.test(group))

/**
 * Goes through the families that are spoken, on each interface.
 *
 * @param {Facts} facts
 * @param {(one: DiagnosedInterface, family: 'IPv4' | 'IPv6', use: DiagnosedInterface['IPv4']) => Finding[]} find
 */
const each = ({ interfaces, groups }, find) =>
  interfaces.flatMap((one) =>
    FAMILIES.filter((family) =>
      groups.some((group) => isIPv4(group) === (family === 'IPv4'))
    ).flatMap((family) => find(one, family, one[family]))
  )

module.exports = { findings, isNamed }
