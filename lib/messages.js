'use strict'

/**
 * @typedef {object} Source what an iterator asks of the one it collects from
 * @property {() => void} [drained] nothing waits in it any more
 * @property {() => Promise<void>} close it was left
 */

/**
 * @template Value
 * @typedef {object} Queue what waits; an array is one
 * @property {(value: Value) => unknown} push
 * @property {() => Value | undefined} shift
 * @property {number} length
 */

/**
 * Collects what is pushed until it is asked for: the async iterator of a listener or a discovery.
 *
 * @template Value
 */
class Messages {
  #source
  #queue
  /** @type {((result: IteratorResult<Value, undefined>) => void)[]} who has asked for what has not come yet */
  #waiting = []
  #ended = false

  /**
   * @param {Source} source
   * @param {Queue<Value>} [queue] for what nobody has asked for yet
   */
  constructor(source, queue = /** @type {Value[]} */ ([])) {
    this.#source = source
    this.#queue = queue
  }

  /** Whether something waits to be asked for. */
  get isHolding() {
    return this.#queue.length > 0
  }

  /**
   * @param {Value} value
   */
  push(value) {
    const waiting = this.#waiting.shift()
    if (waiting) waiting({ value, done: false })
    else this.#queue.push(value)
  }

  /** Ends it; what waits is discarded. */
  end() {
    this.#ended = true
    while (this.isHolding) this.#queue.shift()
    for (const waiting of this.#waiting.splice(0)) waiting({ value: undefined, done: true })
  }

  /** @returns {Promise<IteratorResult<Value, undefined>>} */
  next() {
    if (this.isHolding) {
      const value = /** @type {Value} */ (this.#queue.shift())
      if (!this.isHolding) this.#source.drained?.()
      return Promise.resolve({ value, done: false })
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /**
   * @template Result
   * @param {Result} [value]
   * @returns {Promise<IteratorReturnResult<Result | undefined>>}
   */
  async return(value) {
    await this.#source.close()
    return { value, done: true }
  }

  /**
   * @param {unknown} error
   * @returns {Promise<IteratorResult<Value, undefined>>}
   */
  async throw(error) {
    await this.#source.close()
    throw error
  }

  [Symbol.asyncIterator]() {
    return this
  }

  async [Symbol.asyncDispose]() {
    await this.#source.close()
  }
}

module.exports = { Messages }
