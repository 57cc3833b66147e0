'use strict'

// The programs that the bench runs, each a process of its own, which talk in lines of JSON.

const { execFileSync, spawn, spawnSync } = require('node:child_process')
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
 * @param {'traffic' | 'bare' | 'arrivals' | 'peers'} name
 * @param {...unknown} args those after the interface's address
 */
const native = (name, ...args) => new Program(join(TARGET, 'release', name), ['127.0.0.1', ...args])

/**
 * A script with Node.
 *
 * @param {string} path in this folder; further words are options of Node before it
 * @param {...unknown} args those that are no strings go as JSON
 */
const script = (path, ...args) => new Program(process.execPath, words(path, args))

/**
 * The words after `node` of a script's command.
 *
 * @param {string} path
 * @param {unknown[]} args
 */
function words(path, args) {
  const options = path.split(' ')
  const file = join(__dirname, String(options.pop()))
  return [
    ...options,
    file,
    ...args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg)))
  ]
}

/** How a command gets a network of its own: as root, or as one who is root in there alone. */
const ISOLATIONS = [['--net'], ['--user', '--map-root-user', '--net']]

/** On its loopback interface, which is all there is, groups go out and come in as elsewhere. */
const BEGIN = 'ip link set lo up && ip route add 224.0.0.0/4 dev lo && exec "$@"'

/** @type {string[] | undefined} */
let isolation

/** What comes before a command that is to run so, if it can: to try is the only way to know. */
function isolate() {
  const before = ISOLATIONS.map((options) => [...options, 'sh', '-c', BEGIN, 'sh'])
  isolation ??= before.find((args) => spawnSync('unshare', [...args, 'true']).status === 0)
  return isolation
}

/** Why nothing can run so here, if so. */
const unisolated = () =>
  isolate()
    ? undefined
    : 'it needs a network namespace: Linux, iproute2, util-linux, and root or user namespaces'

/**
 * A script with Node in a network of its own, which no datagram leaves, whatever interfaces it chooses.
 *
 * @param {string} path
 * @param {...unknown} args as of {@link script}
 */
function isolated(path, ...args) {
  const before = isolate()
  if (before === undefined) throw new Error(unisolated())
  return new Program('unshare', [...before, process.execPath, ...words(path, args)])
}

module.exports = { ROOT, build, isolated, native, script, unisolated }
