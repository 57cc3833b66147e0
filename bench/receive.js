'use strict'

// What receiving costs the main thread and the process, beside dgram, on the same traffic: 100-byte datagrams
// to a group on the loopback interface, from a process of its own that keeps the rate. The two take turns.
// Prints medians, their spread and the ratio. `--json` prints everything that was measured.

const { execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const os = require('node:os')
const { join } = require('node:path')
const { createInterface } = require('node:readline')

const RATE = 100_000
const COUNT = 300_000
const RUNS = 5
const GROUP = '239.3.0.1'

/**
 * @typedef {object} Result
 * @property {number} mainThread microseconds of the event loop's activity for each datagram
 * @property {number} cpu microseconds of all threads for each datagram
 * @property {number} lost
 *
 * @typedef {(heard: (message: any) => void, bound: (port: number) => void) => void} Contender
 */

/** @type {Record<string, Contender>} */
const CONTENDERS = {
  'lan-peers, utf8'(heard, bound) {
    const { listen } = require('..')
    bound(listen({ ...OURS, encoding: 'utf8' }, heard).address().port)
  },
  'lan-peers, buffer'(heard, bound) {
    const { listen } = require('..')
    bound(listen(OURS, heard).address().port)
  },
  'dgram, String(message)'(heard, bound) {
    dgram((message) => heard(String(message)), bound)
  },
  'dgram, buffer'(heard, bound) {
    dgram(heard, bound)
  }
}

const OURS = { port: 0, group: GROUP, interfaces: '127.0.0.1' }

/** @type {Contender} */
function dgram(heard, bound) {
  const socket = require('node:dgram').createSocket({
    type: 'udp4',
    reuseAddr: true,
    recvBufferSize: 4 * 1024 * 1024
  })
  socket.on('message', heard)
  socket.bind(0, () => {
    socket.addMembership(GROUP, '127.0.0.1')
    bound(socket.address().port)
  })
}

/**
 * Hears the traffic with one contender and prints what it cost, from the first datagram to the last.
 *
 * @param {string} name
 */
function receive(name) {
  const { performance } = require('node:perf_hooks')
  let count = 0
  let last = 0
  let length = 0
  /** @type {{ loop: import('node:perf_hooks').EventLoopUtilization, cpu: NodeJS.CpuUsage }} */
  let start
  CONTENDERS[name](
    (message) => {
      if (count++ === 0)
        start = { loop: performance.eventLoopUtilization(), cpu: process.cpuUsage() }
      length += message.length
      last = Date.now()
    },
    (port) => console.log(JSON.stringify({ port }))
  )
  const timer = setInterval(() => {
    if (count < COUNT && (count === 0 || Date.now() - last < 1000)) return
    clearInterval(timer)
    const { active } = performance.eventLoopUtilization(start.loop)
    const { user, system } = process.cpuUsage(start.cpu)
    if (length !== count * 100) throw new Error(`${length} bytes in ${count} datagrams`)
    const each = { mainThread: (active * 1000) / count, cpu: (user + system) / count }
    console.log(JSON.stringify({ ...each, lost: COUNT - count }))
    process.exit()
  }, 100)
}

/**
 * One run: a process that receives, and the sender.
 *
 * @param {string} name
 * @param {string} sender
 * @returns {Promise<Result>}
 */
async function run(name, sender) {
  const child = spawn(process.execPath, [__filename, name], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const lines = createInterface({ input: child.stdout })
  const [said] = await once(lines, 'line')
  const { port } = JSON.parse(said)
  spawn(sender, ['127.0.0.1', GROUP, port, 100, RATE, COUNT].map(String), { stdio: 'ignore' })
  const [result] = await once(lines, 'line')
  return JSON.parse(result)
}

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]

async function main() {
  const root = join(__dirname, '..')
  const target = join(root, 'target', 'traffic')
  execFileSync('cargo', ['build', '--release', '--locked', '--quiet', '--target-dir', target], {
    cwd: join(__dirname, 'traffic'),
    stdio: 'inherit'
  })
  const sender = join(target, 'release', 'traffic')
  const results = /** @type {Record<string, Result[]>} */ ({})
  for (let i = 0; i < RUNS; i++) {
    for (const name of Object.keys(CONTENDERS)) {
      ;(results[name] ??= []).push(await run(name, sender))
    }
  }
  const machine = `${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}`
  const what = { date: new Date().toISOString().slice(0, 10), machine, node: process.version }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ ...what, rate: RATE, count: COUNT, results }, null, 2))
    return
  }
  console.log(`${what.date}, ${what.machine}, Node ${what.node}`)
  console.log(
    `${COUNT} datagrams of 100 bytes at ${RATE}/s; medians of ${RUNS} runs (least to most)\n`
  )
  const us = (/** @type {number} */ value) => value.toFixed(2)
  for (const [ours, theirs] of [
    ['lan-peers, utf8', 'dgram, String(message)'],
    ['lan-peers, buffer', 'dgram, buffer']
  ]) {
    for (const figure of /** @type {const} */ (['mainThread', 'cpu'])) {
      const cell = (/** @type {string} */ name) => {
        const values = results[name].map((result) => result[figure])
        const spread = `${us(Math.min(...values))} to ${us(Math.max(...values))}`
        return { value: median(values), text: `${name} ${us(median(values))} us (${spread})` }
      }
      const [a, b] = [cell(ours), cell(theirs)]
      const of = figure === 'cpu' ? 'all threads' : 'main thread'
      console.log(`${of}: ${a.text}; ${b.text}; ratio 1/${(b.value / a.value).toFixed(1)}`)
    }
  }
  for (const [name, all] of Object.entries(results)) {
    console.log(`lost of ${COUNT}: ${name} ${all.map((result) => result.lost).join(', ')}`)
  }
}

const [name] = process.argv.slice(2)
if (name in CONTENDERS) receive(name)
else main()
