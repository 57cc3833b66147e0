'use strict'

const { MALFORMED, parse } = require('../json.js')

/**
 * @typedef {import('../../index').From} From
 * @typedef {import('../../index').Heard} HeardFrom
 */

/** How many addresses are kept: anybody can make some up. */
const MOST = 256

/** Who has sent something, without what it was. */
class Heard {
  /** @type {Map<string, { from: From, multicast: number, direct: number, kinds: Set<HeardFrom['kinds'][number]> }>} */
  #senders = new Map()

  /**
   * @param {Buffer} message
   * @param {From} from
   */
  add(message, from) {
    const key = `${from.address} ${from.interface}`
    let sender = this.#senders.get(key)
    if (sender === undefined) {
      if (this.#senders.size === MOST) return
      sender = { from, multicast: 0, direct: 0, kinds: new Set() }
      this.#senders.set(key, sender)
    }
    if (from.group === null) sender.direct++
    else sender.multicast++
    sender.kinds.add(kind(parse(message)))
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
      .map(({ from: { address, family, interface: name }, multicast, direct, kinds }) => ({
        address,
        family,
        interface: name,
        isThisComputer: own.has(address.split('%')[0]),
        multicast,
        direct,
        kinds: [...kinds].toSorted()
      }))
      .toSorted((a, b) => order(`${a.family} ${a.address}`, `${b.family} ${b.address}`))
  }
}

const order = new Intl.Collator('en', { numeric: true }).compare

/**
 * What a datagram is, as far as that can be told without a key.
 *
 * @param {unknown} value
 * @returns {HeardFrom['kinds'][number]}
 */
function kind(value) {
  if (value === MALFORMED) return 'other'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'JSON'
  const head = /** @type {{ 'lan-peers'?: { box?: unknown } }} */ (value)['lan-peers']
  if (head === undefined) return 'JSON'
  return head?.box === undefined ? 'announcement' : 'sealed announcement'
}

module.exports = { Heard }
