'use strict'

// Five hosts on two networks that discover each other, while chance does to them what happens to computers; and what must hold of
// them all the time.
//
//   scripts/soak [SECONDS [SEED]]   a minute, and a seed of its own, which it prints: with it the same happens again
//
// In rounds: one to three things happen, some at once, and pass. Within seconds after that all must know each other. Nobody may have
// been told that somebody went who could be heard all the time; nothing may have been thrown, or warned of without a reason. Memory
// must not grow, which takes more than three minutes to see; in the end descriptors and memberships must be what they were. Ends
// with 1 if something did not hold.

const assert = require('node:assert/strict')
const { readdirSync } = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { ALONE, hosts } = require('../__test__/hosts.js')
const { trafficProgram } = require('../__test__/loopback.js')

const SECONDS = Number(process.argv[2] ?? 60)
const SEED = Number(process.argv[3] ?? Date.now() % 1e9)

/** Three and a half of these are a lifetime. */
const INTERVAL = 1000

/** Within this after a round all know each other, in milliseconds. */
const RECOVERY = 10_000

/** What a process may take at any time; and by how much it may grow from its third minute on, when it is no longer young. */
const MEMORY = 160 << 20
const GROWTH = 16 << 20
const YOUNG = 180_000

const NAMES = ['a', 'b', 'c', 'd', 'e']
const NETWORKS = [0, 1]

/** Drops a fifth of what comes. */
const LOSS = `chain in {
  type filter hook input priority 0;
  iifname != lo numgen random mod 5 == 0 drop
}`

/**
 * @typedef {import('../__test__/hosts.js').Host} Host
 * @typedef {import('../__test__/process.js').Process} Process
 *
 * @typedef {object} Happening
 * @property {string} kind
 * @property {string} name of the host that it happens to
 * @property {number} network of its two, for what happens to one
 * @property {number} ms how long it is to last
 * @property {number} [lasted] how long it did: this computer may be busy
 */

/** Chance that is the same for the same seed: mulberry32. */
function chance() {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}
let seed = SEED
const below = (/** @type {number} */ end) => Math.floor(chance() * end)
/** @type {<T>(all: readonly T[]) => T} */
const one = (all) => all[below(all.length)]

/** What a test context is to those who need one here. */
const ends = /** @type {(() => unknown)[]} */ ([])
const t = /** @type {any} */ ({ after: (/** @type {() => unknown} */ end) => ends.push(end) })

/** @type {Record<string, Host>} */
let lab
/** Where the program that floods is. */
let hostile = ''
/** @type {Record<string, Process>} */
const programs = {}

const run = (/** @type {string} */ name) =>
  lab[name].run('fixtures/discover.js', { name }, { id: name, interval: INTERVAL }, NAMES)

const pid = (/** @type {string} */ name) => Number(programs[name].child.pid)

/**
 * What may happen to a host.
 *
 * @type {Record<string, (happening: Happening) => Promise<unknown>>}
 */
const KINDS = {
  async 'link down'({ name, network, ms }) {
    lab[name].link(`eth${network}`, 'down')
    await sleep(ms)
    lab[name].link(`eth${network}`, 'up')
    // Linux forgets them when a link goes down.
    const { linkLocal, addresses6 } = lab[name]
    for (const address of [linkLocal, addresses6[network]]) {
      lab[name].ip(`address replace ${address}/64 dev eth${network} nodad`)
    }
  },
  async 'no carrier'({ name, network, ms }) {
    lab[name].cable(`eth${network}`, 'out')
    await sleep(ms)
    lab[name].cable(`eth${network}`, 'in')
  },
  async 'no address'({ name, network, ms }) {
    const address = `${lab[name].addresses[network]}/24 dev eth${network}`
    lab[name].ip(`address del ${address}`)
    await sleep(ms)
    lab[name].ip(`address add ${address}`)
  },
  async 'no interface'({ name, network, ms }) {
    lab[name].remove(`eth${network}`)
    await sleep(ms)
    lab[name].add(`eth${network}`)
  },
  async killed({ name, ms }) {
    await programs[name].kill()
    await sleep(ms)
    programs[name] = run(name)
  },
  async stopped({ name, ms }) {
    process.kill(pid(name), 'SIGSTOP')
    await sleep(ms)
    process.kill(pid(name), 'SIGCONT')
  },
  async blocked({ name, ms }) {
    programs[name].write(JSON.stringify({ block: ms }))
    await sleep(ms)
  },
  async alone({ name, ms }) {
    lab[name].wall(ALONE)
    await sleep(ms)
    lab[name].wall()
  },
  async loss({ name, ms }) {
    lab[name].wall(LOSS)
    await sleep(ms)
    lab[name].wall()
  },
  async flooding({ name, ms }) {
    const flood = one(['tiny', 'goodbyes', 'fragments'])
    const rate = 3000
    const count = Math.round((rate * ms) / 1000)
    const args = [lab[name].address, '224.0.0.1', 9778, flood, rate, count, below(1e6)].map(String)
    await lab[name].start(hostile, ...args).end(ms + 20_000)
  }
}

/** What one host cannot have of another's, while this happens to it. */
const ON_ONE_NETWORK = ['link down', 'no carrier', 'no address', 'no interface']

/** For less than this nobody is missed: it was heard a little more than an interval ago at most. */
const UNNOTICED = 2 * INTERVAL

/** Whether `name` may be told that `other` has gone, in a round in which all this happens. */
function mayMiss(
  /** @type {Happening[]} */ round,
  /** @type {string} */ name,
  /** @type {string} */ other
) {
  // What was sent last before it may have been lost.
  const unnoticed = round.some(({ kind }) => kind === 'loss') ? 0 : UNNOTICED
  const noticed = round.filter(
    ({ kind, lasted }) => kind === 'killed' || Number(lasted) > unnoticed
  )
  const happens = (/** @type {string} */ to, /** @type {string[]} */ kinds) =>
    noticed.some((happening) => happening.name === to && kinds.includes(happening.kind))
  if (happens(other, ['killed', 'stopped', 'alone']) || happens(name, ['alone'])) return true
  const cut = noticed.filter(
    (happening) => ON_ONE_NETWORK.includes(happening.kind) && [name, other].includes(happening.name)
  )
  return NETWORKS.every((network) => cut.some((happening) => happening.network === network))
}

/**
 * One round; no host has two things happen to it that are undone by the same.
 *
 * @returns {Happening[]}
 */
function drawRound() {
  const names = [...NAMES]
  return Array.from({ length: 1 + below(3) }, () => {
    const [name] = names.splice(below(names.length), 1)
    const ms = 200 + below(6000)
    return { kind: one(Object.keys(KINDS)), name, network: one(NETWORKS), ms }
  })
}

/** What a program says when it is asked. */
async function ask(/** @type {string} */ name, /** @type {string} */ command) {
  const program = programs[name]
  const from = program.lines.length
  program.write(JSON.stringify({ [command]: true }))
  return program.json((said) => said.told ?? said.memory, from)
}

/** Waits until all know each other; gives how long that took, in milliseconds. */
async function allKnowEachOther() {
  const begin = performance.now()
  for (;;) {
    const missing = []
    for (const name of NAMES) {
      const { peers } = await ask(name, 'tell')
      const known = peers.map((/** @type {any} */ peer) => peer.id)
      missing.push(
        ...NAMES.filter((other) => other !== name && !known.includes(other)).map(
          (other) => `${other} by ${name}`
        )
      )
    }
    const took = performance.now() - begin
    if (missing.length === 0) return took
    assert.ok(took < RECOVERY, `not known after ${RECOVERY} ms: ${missing.join(', ')}`)
    await sleep(50)
  }
}

/** Sockets that are opened when something is first to be sent where nothing else is, one a family. */
const LATER = 2

/** What must be the same in the end. */
function held(/** @type {string} */ name) {
  const igmp = lab[name].exec('cat', '/proc/net/igmp').match(/^\s+010000E0 +\d+/gm) ?? []
  return { descriptors: readdirSync(`/proc/${pid(name)}/fd`).length, memberships: igmp.join() }
}

async function main() {
  console.log(`seed ${SEED}, ${SECONDS} s`)
  hostile = trafficProgram('hostile')
  lab = await hosts(t, Object.fromEntries(NAMES.map((name) => [name, NETWORKS])))
  for (const name of NAMES) programs[name] = run(name)
  await allKnowEachOther()
  // Past their start, with all sockets open.
  await sleep(3000)
  const before = Object.fromEntries(NAMES.map((name) => [name, held(name)]))
  const born = Object.fromEntries(
    NAMES.map((name) => [name, { at: performance.now(), pid: pid(name) }])
  )
  const young = /** @type {Record<string, number>} */ ({})
  const counts = /** @type {Record<string, number>} */ ({})
  const end = performance.now() + SECONDS * 1000
  let [rounds, downs, slowest, told] = [0, 0, 0, performance.now()]
  while (performance.now() < end) {
    const round = drawRound()
    const text = round
      .map(({ kind, name, network, ms }) => `${kind} ${name}${network} ${ms}`)
      .join('; ')
    const lines = Object.fromEntries(NAMES.map((name) => [name, programs[name].lines.length]))
    const running = { ...programs }
    try {
      await Promise.all(
        round.map(async (happening) => {
          const begin = performance.now()
          await KINDS[happening.kind](happening)
          happening.lasted = performance.now() - begin
        })
      )
      slowest = Math.max(slowest, await allKnowEachOther())
      // What a lifetime brings to light.
      await sleep(500)
      for (const name of NAMES) {
        const program = programs[name]
        assert.equal(program.child.exitCode, null, `${name} has ended`)
        const said = program.values().slice(program === running[name] ? lines[name] : 0)
        assert.ok(
          !said.includes(undefined),
          `${name} says ${program.lines.filter((line) => !line.startsWith('{'))}`
        )
        for (const { down, reason, warning, message } of said) {
          if (down) downs++
          assert.ok(
            !down || mayMiss(round, name, down),
            `${name} was told that ${down} has gone: ${reason}`
          )
          const expected =
            warning === 'EPERM' && round.some((one) => one.name === name && one.kind === 'alone')
          assert.ok(!warning || expected, `${name} is warned: ${warning} ${message}`)
        }
      }
    } catch (error) {
      throw new Error(`round ${rounds} (${text})`, { cause: error })
    }
    for (const { kind } of round) counts[kind] = (counts[kind] ?? 0) + 1
    for (const name of NAMES) {
      if (born[name].pid !== pid(name)) {
        born[name] = { at: performance.now(), pid: pid(name) }
        delete young[name]
        continue
      }
      const { memory } = await ask(name, 'measure')
      assert.ok(memory < MEMORY, `${name} has ${memory} bytes`)
      if (performance.now() > born[name].at + YOUNG) {
        young[name] ??= memory
        assert.ok(
          memory < young[name] + GROWTH,
          `${name} has grown from ${young[name]} to ${memory} bytes`
        )
      }
    }
    rounds++
    if (performance.now() > told + 60_000) {
      told = performance.now()
      console.log(
        `${rounds} rounds, ${downs} went and came back, all known again after ${Math.round(slowest)} ms at most`
      )
    }
  }
  // What is no longer used is closed after a while.
  const settled = performance.now() + RECOVERY
  for (const name of NAMES) {
    const { descriptors, memberships } = before[name]
    const isSame = () => {
      const now = held(name)
      const more = now.descriptors - descriptors
      return more >= 0 && more <= LATER && now.memberships === memberships
    }
    while (!isSame() && performance.now() < settled) await sleep(100)
    assert.ok(
      isSame(),
      `${name} held ${JSON.stringify(before[name])}, and holds ${JSON.stringify(held(name))}`
    )
  }
  const what = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`)
  console.log(`ok: ${rounds} rounds (${what.sort().join(', ')})`)
  console.log(
    `${downs} went and came back, all known again after ${Math.round(slowest)} ms at most`
  )
}

main()
  .catch((error) => {
    console.error(error)
    console.error(`to see it again: scripts/soak ${SECONDS} ${SEED}`)
    process.exitCode = 1
  })
  .finally(async () => {
    for (const end of ends.reverse()) await end()
  })
