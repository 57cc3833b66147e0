'use strict'

// The programs that the bench runs, each a process of its own, which talk in lines of JSON.

const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const { join } = require('node:path')
const { createInterface } = require('node:readline')

const ROOT = join(__dirname, '..')
const TARGET = join(ROOT, 'target', 'traffic')

/** Nothing that a program is asked for takes longer, in milliseconds. */
const DEADLINE = 120_000

class Program {
  #child
  #name
  #lines
  #ended
  #late

  /**
   * @param {string} command
   * @param {unknown[]} args
   */
  constructor(command, args) {
    this.#name = [command, ...args].join(' ')
    this.#child = spawn(command, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#ended = once(this.#child, 'close')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#late = setTimeout(() => this.#child.kill('SIGKILL'), DEADLINE)
  }

  /** The next line that it prints, as a value. */
  async next() {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`${this.#name} has ended without a word`)
    return JSON.parse(value)
  }

  /** Waits until it has ended, which must be of its own accord and well. */
  async end() {
    const [code, signal] = await this.#ended
    clearTimeout(this.#late)
    if (code !== 0) throw new Error(`${this.#name} has ended with ${code ?? signal}`)
  }

  /** Ends it. */
  async kill() {
    this.#child.kill('SIGKILL')
    await this.#ended
    clearTimeout(this.#late)
  }

  /** What it says last, and its end. */
  async result() {
    const value = await this.next()
    await this.end()
    return value
  }
}

/** Makes the native programs; cargo does nothing when they are fresh. */
function build() {
  const args = ['build', '--release', '--locked', '--quiet', '--target-dir', TARGET]
  execFileSync('cargo', args, { cwd: join(__dirname, 'traffic'), stdio: 'inherit' })
}

/**
 * A native program of bench/traffic on the loopback interface.
 *
 * @param {'traffic' | 'bare' | 'arrivals'} name
 * @param {...unknown} args those after the interface's address
 */
const native = (name, ...args) => new Program(join(TARGET, 'release', name), ['127.0.0.1', ...args])

/**
 * A script with Node.
 *
 * @param {string} path in this folder; further words are options of Node before it
 * @param {...unknown} args those that are no strings go as JSON
 */
function script(path, ...args) {
  const words = path.split(' ')
  const file = join(__dirname, String(words.pop()))
  const texts = args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg)))
  return new Program(process.execPath, [...words, file, ...texts])
}

module.exports = { ROOT, build, native, script }
