'use strict'

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { readFileSync, readdirSync, readlinkSync } = require('node:fs')
const { createInterface } = require('node:readline')
const { isDeepStrictEqual } = require('node:util')
const { isLinux } = require('./system.js')

/**
 * For how long something is waited for, in milliseconds. Only a test that fails waits so long, so it is long enough for a machine that
 * is busy with much else. With a sanitizer all is slow.
 */
const DEADLINE = 60_000 * Number(process.env.LAN_PEERS_PATIENCE ?? 1)

/**
 * A line as JSON; `undefined` if it is none.
 *
 * @param {string} line
 */
function parsed(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** When a process has ended so long ago, in milliseconds, its number may be another's. */
const LONG_AGO = 10_000

/** A child process whose lines can be waited for. It ends with the test. */
class Process {
  /** Everything it has printed, errors included, line by line. */
  lines = /** @type {string[]} */ ([])
  #watchers = new Set()
  /** When it ended. */
  #end = Infinity
  #name

  /**
   * @param {import('node:test').TestContext} t
   * @param {string} name for messages
   * @param {string[]} command
   * @param {string[]} [enter] the words before it that enter a namespace
   */
  constructor(t, name, command, enter = []) {
    this.#name = name
    // Whatever becomes of the test, the kernel ends its children with it, on Linux. Not before entering a
    // namespace: a change of rights would end that.
    const withTheTest = isLinux ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
    const [first, ...rest] = [...enter, ...withTheTest, ...command]
    // A process group of its own, so that it can be ended with its own children. Windows has no such groups, and would open
    // a console for it.
    const detached = process.platform !== 'win32'
    this.child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'pipe'], detached })
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.#end = performance.now()
      return { code, signal }
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line)
        for (const watch of this.#watchers) watch()
      })
    }
    // A child that has ended no longer reads; what became of it, the test asks for itself.
    this.child.stdin.on('error', () => {})
    t.after(() => this.kill())
  }

  /** @param {string} text a line for its standard input */
  write(text) {
    this.child.stdin.write(`${text}\n`)
  }

  /**
   * Waits for a line, among those it has printed and those to come.
   *
   * @param {RegExp} pattern
   * @returns {Promise<RegExpMatchArray>}
   */
  async line(pattern) {
    let next = 0
    return this.#until(() => {
      // Each line once, however many come.
      while (next < this.lines.length) {
        const match = this.lines[next++].match(pattern)
        if (match) return match
      }
      return undefined
    }, `a line like ${pattern}`)
  }

  /**
   * Waits for a line that is JSON, and what is wanted.
   *
   * @param {(value: any) => boolean} wanted
   * @param {number} [from] the first line that counts
   * @returns {Promise<any>}
   */
  async json(wanted, from = 0) {
    let next = from
    return this.#until(() => {
      // Each line once, however many come.
      while (next < this.lines.length) {
        const value = parsed(this.lines[next++])
        if (value !== undefined && wanted(value)) return value
      }
      return undefined
    }, `JSON for which ${wanted}`)
  }

  /** Each line as JSON; `undefined` for one that is not. */
  values() {
    return this.lines.map(parsed)
  }

  /**
   * Waits until it ends by itself.
   *
   * @param {number} [within] milliseconds
   */
  async end(within = DEADLINE) {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(this.#error('did not end')), within)
    })
    try {
      return await Promise.race([this.ended, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ctrl-C: it goes to all that the terminal runs. */
  interrupt() {
    process.kill(-Number(this.child.pid), 'SIGINT')
  }

  /** Ends it and its children, if they have not ended, and waits for that. */
  async kill() {
    if (performance.now() > this.#end + LONG_AGO) return
    if (process.platform === 'win32') {
      // Windows soon uses the number of an ended process again.
      const hasEnded = this.child.exitCode !== null || this.child.signalCode !== null
      if (!hasEnded) spawnSync('taskkill', ['/pid', String(this.child.pid), '/t', '/f'])
    } else {
      this.#killGroup()
    }
    await this.ended
  }

  #killGroup() {
    try {
      process.kill(-Number(this.child.pid), 'SIGKILL')
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error)
      // macOS says EPERM of a group whose processes have all ended.
      if (code !== 'ESRCH' && !(code === 'EPERM' && process.platform === 'darwin')) throw error
    }
  }

  /**
   * @template T
   * @param {() => T | undefined} look
   * @param {string} what
   * @returns {Promise<T>}
   */
  #until(look, what) {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer)
        this.#watchers.delete(watch)
      }
      const watch = () => {
        const found = look()
        if (found === undefined) return
        done()
        resolve(found)
      }
      const timer = setTimeout(() => {
        done()
        reject(this.#error(`did not print ${what}`))
      }, DEADLINE)
      this.#watchers.add(watch)
      watch()
      this.ended.then(() => {
        done()
        reject(this.#error(`ended without printing ${what}`))
      })
    })
  }

  /** @param {string} what */
  #error(what) {
    const { exitCode, signalCode } = this.child
    const state = exitCode ?? signalCode ?? 'running'
    const tail = this.lines.slice(-15).map((line) => `  ${line.slice(0, 300)}`)
    return new Error(`${this.#name} (${state}) ${what}; its last lines:\n${tail.join('\n')}`)
  }
}

/**
 * Waits, with the event loop running, until something is so, and gives it.
 *
 * @template T
 * @param {() => T | Promise<T>} condition
 * @returns {Promise<Exclude<T, undefined | null | false | 0 | ''>>}
 */
async function until(condition) {
  const deadline = Date.now() + DEADLINE
  for (;;) {
    const found = await condition()
    if (found) return /** @type {any} */ (found)
    if (Date.now() > deadline) throw new Error(`it never was so that ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

// Without /proc the functions that count find nothing, but for wakeUps, which fails. A test that compares counts with each other, or with none, then passes;
// a test that expects a certain count is skipped, by COUNTS.

/**
 * Waits until something is the same at two looks in a row, and gives it.
 *
 * @template T
 * @param {() => T | Promise<T>} look
 * @param {number} [ms] between two looks
 */
async function settled(look, ms = 500) {
  let found = await look()
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    const before = found
    found = await look()
    return isDeepStrictEqual(found, before)
  })
  return found
}

/**
 * The threads of lan-peers in a process, as their numbers.
 *
 * @param {number | 'self'} [pid]
 */
function nativeThreads(pid = 'self') {
  if (!isLinux) return []
  const folder = `/proc/${pid}/task`
  return readdirSync(folder).filter((task) => {
    try {
      return readFileSync(`${folder}/${task}/comm`, 'utf8').trim() === 'lan-peers'
    } catch {
      return false // it has ended meanwhile
    }
  })
}

/**
 * How often a thread has woken.
 *
 * @param {number} pid
 * @param {string} thread its number
 */
function wakeUps(pid, thread) {
  const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1])
}

/** What this process has open: `socket:[123]`, `anon_inode:[eventpoll]` ... */
function openDescriptors() {
  if (!isLinux) return []
  const folder = '/proc/self/fd'
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(`${folder}/${fd}`)]
    } catch {
      return [] // the one that the listing itself used
    }
  })
}

/** How many sockets this process has open. */
const openSockets = () => openDescriptors().filter((what) => what.startsWith('socket:')).length

/**
 * Runs a script of this folder with Node, on this computer. It must keep to the loopback interface.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} script
 * @param {...unknown} args those that are no strings go as JSON
 */
const run = (t, script, ...args) => new Process(t, script, nodeCommand(script, args))

/**
 * @param {string} script in this folder; further words are options of Node before it
 * @param {unknown[]} args
 */
function nodeCommand(script, args) {
  const words = script.split(' ')
  const path = require.resolve(`./${words.pop()}`)
  const texts = args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg)))
  return [process.execPath, ...words, path, ...texts]
}

/**
 * How often an IPv4 group is joined on this computer, as the kernel tells; by all its programs.
 *
 * @param {string} group
 */
function memberships(group) {
  if (!isLinux) return 0
  const hex = group
    .split('.')
    .reverse()
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
  const line = new RegExp(`^\\s+${hex.join('')}\\s+(\\d+)`, 'gim')
  const found = readFileSync('/proc/net/igmp', 'utf8').matchAll(line)
  return [...found].reduce((sum, [, users]) => sum + Number(users), 0)
}

module.exports = {
  DEADLINE,
  Process,
  memberships,
  nativeThreads,
  nodeCommand,
  openDescriptors,
  openSockets,
  run,
  settled,
  until,
  wakeUps
}
