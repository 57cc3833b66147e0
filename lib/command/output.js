'use strict'

const { ofFlags } = require('./flags.js')
const { printable } = require('./text.js')

/** What a command prints: lines for people, or JSON for programs. */
class Output {
  /** @param {boolean} json */
  constructor(json) {
    this.json = json
  }

  /**
   * @param {object} value for programs
   * @param {...string} lines for people
   */
  print(value, ...lines) {
    console.log(this.json ? JSON.stringify(value) : lines.map(printable).join('\n'))
  }

  /**
   * Tells the warnings of what is open.
   *
   * @param {import('./main.js').Handle} handle
   */
  warnOf(handle) {
    const emitter = /** @type {import('node:events').EventEmitter} */ (handle)
    emitter.on('warning', ({ code, message, hint }) => {
      if (this.json) console.log(JSON.stringify({ type: 'warning', code, message, hint }))
      else console.error(printable(`lan-peers: ${ofFlags(hint ? `${message}. ${hint}` : message)}`))
    })
  }
}

module.exports = { Output }
