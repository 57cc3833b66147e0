'use strict'

// The peers as a table that stays where it is on a terminal, and changes.

const { fit, printable } = require('./text.js')

/** @typedef {import('../../index').Peer} Peer */

/** How long one who has gone is still shown, in milliseconds. */
const FADES = 5000

/** What comes and goes together is drawn at once. */
const PAUSE = 100

const HEAD = {
  who: 'WHO',
  address: 'ADDRESS',
  interface: 'INTERFACE',
  since: 'SINCE',
  data: 'DATA'
}
/** @typedef {typeof HEAD} Row */

/**
 * Columns, of which the last has what is left; between each two there are two blanks. An address of IPv6 takes more than one of
 * IPv4, where there is one.
 */
const WIDTHS = { who: 16, address: 15, interface: 9, since: 8 }
const WIDTH_OF_IPV6 = 24

const DIM = '\x1b[2m'
const BOLD = '\x1b[1m'
const PLAIN = '\x1b[0m'

/**
 * What is shown of a peer.
 *
 * @param {Peer} peer
 * @returns {Row}
 */
function row({ id, data, address, addresses, since }) {
  const key = ['username', 'name'].find((one) => typeof data[one] === 'string' && data[one] !== '')
  const { [key ?? '']: name, ...rest } = data
  return {
    who: printable(key ? name : id),
    address: printable(address),
    interface: printable(addresses[0].interface),
    since: new Date(since).toTimeString().slice(0, 8),
    // What is not said in the first column.
    data: printable(JSON.stringify(rest))
  }
}

/**
 * @param {Row} row
 * @param {number} width
 * @param {typeof WIDTHS} widths
 */
const line = (row, width, widths) => {
  const columns = Object.entries(widths).map(([name, width]) =>
    fit(row[/** @type {keyof Row} */ (name)], width)
  )
  const used = columns.join('  ').length + 2
  return fit([...columns, fit(row.data, Math.max(1, width - used))].join('  '), width).trimEnd()
}

/**
 * The table, as lines that fit a terminal of this size.
 *
 * @param {{ peer: Peer, gone?: string }[]} entries who has gone, why
 * @param {{ columns: number, rows: number, colours: boolean }} terminal
 */
function lines(entries, { columns, rows, colours }) {
  const paint = (/** @type {string} */ colour, /** @type {string} */ text) =>
    colours ? `${colour}${text}${PLAIN}` : text
  const room = Math.max(1, rows - 3)
  const shown = entries.slice(0, room)
  const hasIPv6 = shown.some(({ peer }) => peer.address.includes(':'))
  const widths = hasIPv6 ? { ...WIDTHS, address: WIDTH_OF_IPV6 } : WIDTHS
  const body = shown.map(({ peer, gone }) => {
    if (!gone) return line(row(peer), columns, widths)
    return paint(DIM, line({ ...row(peer), data: `gone: ${gone}` }, columns, widths))
  })
  const there = entries.filter(({ gone }) => !gone).length
  const more = entries.length > room ? `, ${entries.length - room} of them not shown` : ''
  const foot = `${there} ${there === 1 ? 'peer' : 'peers'}${more}. Ctrl-C ends it.`
  return [paint(BOLD, line(HEAD, columns, widths)), ...body, fit(foot, columns).trimEnd()]
}

/** The table on a terminal. */
class LiveTable {
  /** @type {Map<string, { peer: Peer, gone?: string }>} */
  #entries = new Map()
  #drawn = 0
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  #stream

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream) {
    this.#stream = stream
    stream.on('resize', () => this.#soon())
    this.#draw()
  }

  /** @param {Peer} peer one that is there */
  set(peer) {
    this.#entries.set(peer.id, { peer })
    this.#soon()
  }

  /**
   * @param {Peer} peer one that is there no longer
   * @param {string} reason
   */
  remove(peer, reason) {
    const gone = { peer, gone: reason }
    this.#entries.set(peer.id, gone)
    setTimeout(() => {
      // Unless it is back.
      if (this.#entries.get(peer.id) === gone) this.#entries.delete(peer.id)
      this.#soon()
    }, FADES).unref()
    this.#soon()
  }

  /** Leaves it as it is. */
  end() {
    clearTimeout(this.#timer)
    this.#draw()
  }

  #soon() {
    this.#timer ??= setTimeout(() => this.#draw(), PAUSE)
  }

  #draw() {
    this.#timer = undefined
    const { columns = 80, rows = 24 } = this.#stream
    const colours = !process.env.NO_COLOR && this.#stream.hasColors()
    const text = lines([...this.#entries.values()], { columns, rows, colours })
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    // Each line anew, and nothing of what was below.
    this.#stream.write(`${up}${text.map((one) => `\x1b[2K${one}\n`).join('')}\x1b[J`)
    this.#drawn = text.length
  }
}

module.exports = { LiveTable, lines }
