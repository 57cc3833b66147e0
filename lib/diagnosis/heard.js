'use strict'

// Who else is heard, and by what, without what they say.

const { MALFORMED, parse } = require('../json.js')

/**
 * @typedef {import('../../index').From} From
 * @typedef {import('../../index').Heard} HeardFrom
 * @typedef {HeardFrom['kinds'][number]} Kind
 */

/** How many addresses are kept: anybody can make some up. */
const MOST = 256

/** How many names of applications are kept of each. */
const MOST_APPS = 16

const DIAGNOSIS = /** @type {const} */ ('diagnosis')

/** Who has sent something, without what it was. */
class Heard {
  /** @type {Map<string, { from: From, multicast: number, direct: number, kinds: Set<Kind>, apps: Set<string> }>} */
  #senders = new Map()

  /**
   * @param {Buffer} message
   * @param {From} from
   * @param {boolean} isDiagnosis whether it is of somebody who diagnoses, too
   */
  add(message, from, isDiagnosis) {
    const key = `${from.address} ${from.interface}`
    let sender = this.#senders.get(key)
    if (sender === undefined) {
      if (this.#senders.size === MOST) return
      sender = { from, multicast: 0, direct: 0, kinds: new Set(), apps: new Set() }
      this.#senders.set(key, sender)
    }
    if (from.group === null) sender.direct++
    else sender.multicast++
    const { kind, app } = isDiagnosis ? { kind: DIAGNOSIS, app: undefined } : read(parse(message))
    sender.kinds.add(kind)
    if (app !== undefined && sender.apps.size < MOST_APPS) sender.apps.add(app)
  }

  /**
   * In the order of their addresses, so that two reports can be compared.
   *
   * @param {import('../../index').DiagnosedInterface[]} interfaces of this computer
   * @returns {HeardFrom[]}
   */
  list(interfaces) {
    const own = new Set(
      interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address))
    )
    return [...this.#senders.values()]
      .map(({ from: { address, family, interface: name }, multicast, direct, kinds, apps }) => ({
        address,
        family,
        interface: name,
        isThisComputer: own.has(address.split('%')[0]),
        multicast,
        direct,
        kinds: [...kinds].toSorted(),
        apps: [...apps].toSorted()
      }))
      .toSorted((a, b) => order(`${a.family} ${a.address}`, `${b.family} ${b.address}`))
  }
}

const order = new Intl.Collator('en', { numeric: true }).compare

/**
 * What a datagram is, as far as that can be told without a key, and of which application.
 *
 * @param {unknown} value
 * @returns {{ kind: Kind, app?: string }}
 */
function read(value) {
  if (value === MALFORMED) return { kind: 'other' }
  const head = /** @type {{ box?: unknown, app?: unknown } | undefined} */ (
    Object(value)['lan-peers']
  )
  if (head === undefined) return { kind: 'JSON' }
  const { box, app } = Object(head)
  if (box !== undefined) return { kind: 'sealed announcement' }
  return { kind: 'announcement', ...(typeof app === 'string' && { app }) }
}

module.exports = { Heard }
