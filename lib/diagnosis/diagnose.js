'use strict'

// The trial itself: what is sent, what comes back, and the report of both.

const { randomBytes } = require('node:crypto')
const { isIPv4 } = require('node:net')
const { setTimeout: sleep } = require('node:timers/promises')
const { findings, isNamed } = require('./findings.js')
const { Heard } = require('./heard.js')
const host = require('./host.js')

/**
 * @typedef {Pick<typeof import('../../index'), 'listen' | 'cast'>} Api
 * @typedef {import('../errors.js').CodedError} CodedError
 * @typedef {import('../../index').Interface} Interface
 * @typedef {import('../../index').InterfaceUse<'joined' | 'skipped' | 'waiting' | 'failing'>} Use
 */

/**
 * Between two datagrams to oneself, and to who diagnoses elsewhere, in milliseconds. Others may hear them: few will do.
 */
const PROBE_INTERVAL = 500
const GREETING_INTERVAL = 1000

/**
 * What they begin with. It is JSON, for the programs there are parse what comes, and no object, for that would be a peer.
 */
const PROBE = '"lan-peers probe '
const GREETING = '"lan-peers doctor '

/**
 * Tries out what this computer's network lets through, by what everybody else uses. See `diagnose` in index.d.ts.
 *
 * @param {Api} api
 * @param {ReturnType<typeof import('../options.js').diagnoseOptions>} options
 * @returns {Promise<import('../../index').Report>}
 */
async function diagnose(api, { signal, duration, ...settings }) {
  signal?.throwIfAborted()
  const trial = new Trial(api, settings)
  try {
    await sleep(duration, undefined, { signal })
    return await trial.report(duration)
  } finally {
    await trial.close()
  }
}

/** A listener and a caster of the same groups, and what becomes of their datagrams. */
class Trial {
  #settings
  #token = `${randomBytes(9).toString('base64url')}"`
  #heard = new Heard()
  /** Which interfaces have heard what was sent on them, as `name family`. */
  #echoes = new Set()
  /** @type {CodedError[]} */
  #warnings = []
  /** @type {CodedError | undefined} what the system said to the port */
  #refused
  #listener
  #caster
  /** @type {{ close(): Promise<void> }[]} */
  #open = []

  /**
   * @param {Api} api
   * @param {{ groups: string[], port: number, interfaces: string[] }} settings
   */
  constructor({ listen, cast }, settings) {
    this.#settings = settings
    const { groups: group, port, interfaces } = settings
    try {
      this.#listener = listen({ group, port, interfaces })
    } catch (error) {
      this.#refused = /** @type {CodedError} */ (error)
      // Whether the rest works can be told with any port.
      this.#listener = listen({ group, port: 0, interfaces })
    }
    this.#open.push(this.#listener)
    this.#listener.on('message', (message, from) => this.#hear(message, from))
    const to = { group, port: this.#listener.address().port, interfaces, ttl: 0 }
    const greeted = { group, port, interfaces }
    try {
      this.#caster = cast(PROBE + this.#token, PROBE_INTERVAL, to)
      this.#open.push(this.#caster)
      // So that those who diagnose on two computers hear each other, where no program of theirs runs.
      const greeter = cast(GREETING + this.#token, GREETING_INTERVAL, greeted)
      this.#open.push(greeter)
      // What it meets the caster meets.
      greeter.on('warning', () => {})
    } catch (error) {
      void this.close()
      throw error
    }
    for (const handle of [this.#listener, this.#caster]) {
      handle.on('warning', (warning) => this.#warnings.push(warning))
    }
  }

  /**
   * @param {Buffer} message
   * @param {import('../../index').From} from
   */
  #hear(message, from) {
    const text = message.toString()
    if (text === PROBE + this.#token) this.#echoes.add(`${from.interface} ${from.family}`)
    if (text.startsWith(PROBE) || text === GREETING + this.#token) return
    this.#heard.add(message, from, text.startsWith(GREETING))
  }

  /**
   * @param {number} duration for how long it was listened, in milliseconds
   * @returns {Promise<import('../../index').Report>}
   */
  async report(duration) {
    const { groups, port, interfaces: patterns } = this.#settings
    const sending = new Map(this.#caster.interfaces().map((one) => [one.index, one]))
    const interfaces = this.#listener.interfaces().map((one) => ({
      ...one,
      IPv4: this.#use('IPv4', one, sending.get(one.index)),
      IPv6: this.#use('IPv6', one, sending.get(one.index))
    }))
    const heard = this.#heard.list(interfaces)
    const facts = {
      platform: process.platform,
      port,
      groups,
      patterns,
      refused: this.#refused,
      warnings: this.#warnings,
      interfaces,
      heard,
      ...(await host.facts(interfaces, port))
    }
    const found = findings(facts)
    return {
      ok: this.#refused === undefined && works(interfaces, patterns),
      versions: host.versions(),
      groups,
      port,
      patterns,
      duration,
      interfaces,
      findings: found,
      heard
    }
  }

  /**
   * What is done with an interface, by the one and the other, and whether it hears itself.
   *
   * @param {'IPv4' | 'IPv6'} family
   * @param {Interface} listening
   * @param {Interface | undefined} sending
   */
  #use(family, { name, [family]: listening }, sending) {
    const sent = sending?.[family]
    /** @type {Use} */
    const use = listening.state !== 'failing' && sent?.state === 'failing' ? sent : listening
    const groups = this.#settings.groups.filter((group) => isIPv4(group) === (family === 'IPv4'))
    const echo = this.#echoes.has(`${name} ${family}`)
    return {
      ...use,
      memberships: listening.state === 'joined' ? groups : [],
      // What is sent nowhere comes from nowhere.
      echo: echo || sent?.state === 'joined' ? echo : null
    }
  }

  async close() {
    await Promise.all(this.#open.map((handle) => handle.close()))
  }
}

/**
 * Whether something can be heard: on loopback only where that was asked for.
 *
 * @param {import('../../index').DiagnosedInterface[]} interfaces
 * @param {string[]} patterns
 */
function works(interfaces, patterns) {
  const named = isNamed({ patterns })
  return interfaces.some(
    (one) => (named || !host.isLoopback(one)) && (one.IPv4.echo || one.IPv6.echo)
  )
}

module.exports = { diagnose }
