'use strict'

// Taken here, for a test of the host may put its own in their place later, and never call us back.
const { setImmediate, setTimeout } = require('node:timers')
const errors = require('./errors.js')

/**
 * @typedef {import('../binding')} Binding
 * @typedef {import('../binding').Fault} Fault
 * @typedef {import('../binding').Notice} Notice
 * @typedef {import('../binding').Source} Source
 * @typedef {import('./handle.js').Handle} Handle
 *
 * @typedef {object} Batch what the binding has filled in; valid until the one who is given it returns
 * @property {Buffer} buffer all payloads, one after another
 * @property {Uint32Array} table after HEAD numbers, for each message its end in `buffer` and its source
 * @property {number} count of messages
 * @property {number} dropped messages lost to the limit before these
 * @property {(number: number) => Source} source by the number in the table
 */

/**
 * What the environment calls on a handle: the engine has closed it; it has heard something; its interfaces
 * have changed; there is something to tell of its peers.
 */
const kEnded = Symbol('ended')
const kHeard = Symbol('heard')
const kInterfaces = Symbol('interfaces')
const kPeers = Symbol('peers')

/**
 * What the notices that are warnings say.
 *
 * @type {Partial<Record<Notice['kind'], (notice: Notice) => errors.CodedError>>}
 */
const WARNINGS = {
  warning: ({ fault }) => errors.systemError(/** @type {Fault} */ (fault)),
  'no-interface': ({ interfaces }) => errors.noInterface(/** @type {string[]} */ (interfaces)),
  unresolved: ({ hostname, reason }) => errors.unresolved(String(hostname), String(reason)),
  'id-conflict': () => errors.idConflict(),
  'table-full': () => errors.tableFull(),
  unauthenticated: () => errors.unauthenticated(),
  'clock-skew': ({ skew }) => errors.clockSkew(Number(skew)),
  failed: ({ reason }) => errors.engineFailed(String(reason))
}

/** As the binding fills the table: see `take` in binding.d.ts. */
const HEAD = 3
const MORE = 1
const NOTICES = 2
const SOURCES_RESET = 4

/** Instead of an object's id: see `Notice` in binding.d.ts. */
const EVERY_OBJECT = 0

/**
 * All that one JavaScript environment (the main thread, or a worker) has open, and the one bell by which
 * the engine calls it. Objects in here are reachable, so that a listener nobody holds goes on hearing.
 */
class Environment {
  #binding
  /** @type {InstanceType<Binding['Client']> | undefined} */
  #client
  /** @type {Map<number, Handle>} */
  #objects = new Map()
  /** How many open objects keep the process alive. */
  #references = 0
  /** @type {Buffer} */
  #buffer = Buffer.alloc(0)
  #table = new Uint32Array(0)
  /** @type {Source[]} */
  #sources = []
  /** @type {Set<string>} */
  #warned = new Set()
  /**
   * What the bell holds, which Node holds: it is not to be collected while it has something open, and may be then.
   *
   * @type {{ environment: WeakRef<Environment>, open: Environment | undefined }}
   */
  #held = { environment: new WeakRef(this), open: undefined }
  #shutDown = () => this.client.shutDown()
  /**
   * @param {number} number
   */
  #source = (number) => (this.#sources[number] ??= this.client.source(number))

  /**
   * @param {Binding} binding
   */
  constructor(binding) {
    this.#binding = binding
  }

  get binding() {
    return this.#binding
  }

  /** The native client, made at first use: until then nothing is allocated. */
  get client() {
    if (this.#client === undefined) {
      const { BATCH_BYTES, BATCH_MESSAGES, Client } = this.#binding
      this.#buffer = Buffer.allocUnsafeSlow(BATCH_BYTES)
      this.#table = new Uint32Array(HEAD + 2 * BATCH_MESSAGES)
      const held = this.#held
      this.#client = new Client(this.#buffer, this.#table, (count) => {
        const environment = held.environment.deref()
        if (environment) environment.#answer(count)
      })
    }
    return this.#client
  }

  /**
   * Takes in an object that the engine has opened. It keeps the process alive.
   *
   * @param {number} id
   * @param {Handle} handle
   */
  add(id, handle) {
    if (this.#objects.size === 0) {
      this.#held.open = this
      // Node runs no clean-up hook of an addon on process.exit() or an uncaught exception.
      process.on('exit', this.#shutDown)
    }
    this.#objects.set(id, handle)
    this.ref()
  }

  /**
   * @param {number} id of an object that has ended
   */
  #remove(id) {
    this.#objects.delete(id)
    if (this.#objects.size === 0) {
      this.#held.open = undefined
      process.removeListener('exit', this.#shutDown)
    }
  }

  /** One object more keeps the process alive. */
  ref() {
    if (this.#references++ === 0) this.client.ref()
  }

  /** One object less keeps the process alive. */
  unref() {
    if (--this.#references === 0) this.client.unref()
  }

  /**
   * Tells of a fault: as an event where somebody listens, else as a process warning, once per code.
   *
   * @param {Handle} handle
   * @param {errors.CodedError} warning
   */
  warn(handle, warning) {
    if (handle.listenerCount('warning') > 0) {
      emitSafely(handle, 'warning', warning)
    } else if (!this.#warned.has(warning.code)) {
      this.#warned.add(warning.code)
      const text = warning.hint ? `${warning.message}. ${warning.hint}` : warning.message
      try {
        process.emitWarning(text, { type: 'LanPeersWarning', code: warning.code })
      } catch (error) {
        // Somebody has put another in its place.
        throwLater(error)
      }
    }
  }

  /**
   * Answers the bell: hands out at most one batch of messages, then lets the event loop have its turn.
   *
   * @param {number} count of messages that have been taken
   */
  #answer(count) {
    const { client } = this
    let budget = this.#binding.BATCH_MESSAGES
    for (;;) {
      const table = this.#table
      const id = table[0]
      const dropped = table[1]
      const flags = table[2]
      if (flags & SOURCES_RESET) this.#sources.length = 0
      if (flags & NOTICES) for (const notice of client.takeNotices()) this.#notice(notice)
      if (count > 0 || dropped > 0) {
        this.#hand(id, count, dropped)
      }
      if (!(flags & MORE)) return
      // Where all that waited was dropped, the handlers of that were a turn.
      budget -= count || budget
      if (budget <= 0) break
      count = client.take()
    }
    this.#inNextTurn(() => this.#answer(client.take()))
  }

  /**
   * Goes on when the event loop has had its turn.
   *
   * @param {() => void} callback
   */
  #inNextTurn(callback) {
    // The loop does not wait for an immediate that is unref'd, nor wake for it; for a timer it wakes.
    if (this.#references > 0) setImmediate(callback)
    else setTimeout(callback, 1).unref()
  }

  /**
   * Hands a batch to its listener. What cannot be made a message of, for want of memory, must not stop the others.
   *
   * @param {number} id
   * @param {number} count
   * @param {number} dropped
   */
  #hand(id, count, dropped) {
    const batch = { buffer: this.#buffer, table: this.#table, count, dropped, source: this.#source }
    try {
      this.#objects.get(id)?.[kHeard](batch)
    } catch (error) {
      throwLater(error)
    }
  }

  /**
   * @param {Notice} notice
   */
  #notice(notice) {
    const { id, kind } = notice
    if (kind === 'interfaces') {
      const handles = id === EVERY_OBJECT ? [...this.#objects.values()] : [this.#objects.get(id)]
      for (const handle of handles) handle?.[kInterfaces]()
      return
    }
    const handle = this.#objects.get(id)
    if (handle === undefined) return
    if (kind === 'peers') {
      // Nothing more is told until it is asked for: first, so that an exception does not prevent that.
      this.#inNextTurn(() => this.client.tellMorePeers(id))
      handle[kPeers]()
      return
    }
    const warning = WARNINGS[kind]?.(notice)
    const hasEnded = kind === 'closed' || kind === 'failed'
    if (hasEnded) this.#remove(id)
    if (warning) this.warn(handle, warning)
    if (hasEnded) handle[kEnded]()
  }
}

/**
 * Emits an event. An exception of a listener reaches `uncaughtException` as from any emitter, and what
 * comes after this event still gets its turn.
 *
 * @param {import('node:events').EventEmitter} emitter
 * @param {string} event
 * @param {...unknown} values
 */
function emitSafely(emitter, event, ...values) {
  try {
    emitter.emit(event, ...values)
  } catch (error) {
    throwLater(error)
  }
}

/**
 * @param {unknown} error
 */
function throwLater(error) {
  process.nextTick(() => {
    throw error
  })
}

module.exports = { Environment, HEAD, emitSafely, kEnded, kHeard, kInterfaces, kPeers }
