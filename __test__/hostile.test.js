'use strict'

// A hostile host on the network of two that know each other, and of one that comes meanwhile.

const assert = require('node:assert/strict')
const { describe, test } = require('node:test')
const { PORT } = require('./discoveries.js')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { trafficProgram } = require('./loopback.js')
const { withNames } = require('./names.js')
const { DEADLINE, settled, until } = require('./process.js')

/** Set by scripts/nightly: floods take ten times as long. */
const LONG = process.env.LAN_PEERS_LONG === 'yes'

const SECONDS = LONG ? 20 : 2

/** What docs/security.md says: by so many bytes a program with one discovery grows at most, whatever comes. */
const CEILING = 512 << 20

/**
 * @typedef {import('./hosts.js').Host} Host
 * @typedef {import('./process.js').Process} Process
 */

/**
 * @typedef {object} Flood
 * @property {string} title
 * @property {string} flood what `hostile` sends
 * @property {number} rate datagrams a second
 * @property {boolean} [sealed]
 * @property {boolean} [full] the table is full at its end, so that newcomers are refused
 * @property {(stats: import('..').DiscoveryStats) => boolean} [reaches] its bound: it is sent until it has, for on a busy machine much
 *   of it overflows the kernel's buffer
 * @property {(found: { stats: import('..').DiscoveryStats, peers: Map<string, import('..').Peer>, others: number, seconds: number }) => void} shows that
 *   its bound was reached, and kept: by what there is, and how often something was told of hostile peers in so many seconds
 */

/** What is printed of others would hold up the event loop that is measured. */
const HONEST = ['a', 'b', 'c']

/** @type {Flood[]} */
const FLOODS = [
  {
    title: 'new ids from one address take an eighth of the table',
    flood: 'ids',
    rate: 40_000,
    reaches: ({ refused, rateLimited }) => refused > 0 && rateLimited > 0,
    shows({ stats }) {
      assert.ok(stats.peers >= 1250 && stats.peers <= 1252, `${stats.peers} peers`)
    }
  },
  {
    title: 'new ids from new addresses fill it, and take nobody out',
    flood: 'sources',
    rate: 40_000,
    full: true,
    reaches: ({ refused, rateLimited }) => refused > 0 && rateLimited > 0,
    shows({ stats }) {
      assert.equal(stats.peers, 10_000)
    }
  },
  {
    title: 'new ids from new addresses are nothing to those with a key',
    flood: 'sources',
    rate: 40_000,
    sealed: true,
    reaches: ({ unauthenticated, rateLimited }) => unauthenticated > 0 && rateLimited > 0,
    shows({ stats }) {
      assert.equal(stats.peers, 2)
    }
  },
  {
    title: 'of a peer sixteen addresses are kept',
    flood: 'addresses',
    rate: 40_000,
    reaches: ({ rateLimited }) => rateLimited > 0,
    shows({ peers }) {
      assert.ok(Number(peers.get('hostile')?.addresses.length) <= 16)
    }
  },
  {
    title: 'as much data as there is takes no more memory than there is for all',
    flood: 'huge',
    rate: 1000,
    full: true,
    reaches: ({ refused }) => refused > 0,
    shows({ stats, peers }) {
      const data = [...peers.values()].map((peer) => JSON.stringify(peer.data).length)
      assert.ok(data.reduce((sum, length) => sum + length, 0) <= 16 << 20)
      assert.ok(stats.peers <= 3 + (16 << 20) / 65_000, `${stats.peers} peers`)
    }
  },
  {
    title: 'data that is ever another leaves the event loop its time',
    flood: 'changes',
    rate: 1000,
    reaches: ({ peers }) => peers >= 102,
    shows({ stats, others, seconds }) {
      assert.equal(stats.peers, 102)
      // 2 MiB a second of what is 65 kB each, and two more, of the batch that is under way.
      const most = 2 + (seconds * 2 * 2 ** 20) / 65_000
      assert.ok(others > 0 && others < most, `${others} in ${seconds} s`)
    }
  },
  {
    title: 'goodbyes leave nobody and little behind',
    flood: 'goodbyes',
    rate: 16_000,
    reaches: ({ announcements }) => announcements > 2 * 10_000,
    shows({ stats }) {
      // And those whose goodbye was not heard.
      const most = 4 + stats.lost + stats.rateLimited
      assert.ok(stats.peers <= most, `${stats.peers} peers, not ${most}`)
    }
  },
  {
    title: 'tiny ones are malformed',
    flood: 'tiny',
    rate: 40_000,
    reaches: ({ malformed, rateLimited }) => malformed > 0 && rateLimited > 0,
    shows({ stats }) {
      assert.equal(stats.peers, 2)
    }
  },
  {
    title: 'fragments without a rest reach nobody',
    flood: 'fragments',
    rate: 40_000,
    shows({ stats }) {
      assert.equal(stats.peers, 2)
      assert.equal(stats.malformed + stats.rateLimited + stats.refused, 0)
    }
  },
  {
    title: 'what others sealed, repeated, cut and changed, is theirs or nothing',
    flood: 'mix',
    rate: 20_000,
    sealed: true,
    reaches: ({ unauthenticated, malformed, rateLimited }) =>
      unauthenticated > 0 && malformed > 0 && rateLimited > 0,
    shows({ stats, peers }) {
      assert.equal(stats.peers, 2)
      for (const peer of peers.values()) assert.deepEqual(peer.data, { name: peer.id })
    }
  }
]

/**
 * Has a host send a flood, and waits for its end. Gives how many went out a second.
 *
 * @param {Host} host
 * @param {string} flood
 * @param {number} rate
 * @param {{ to?: string, seed?: number }} [options] a group, or a host; and what another time has another of
 */
async function send(host, flood, rate, { to = '224.0.0.1', seed = 1 } = {}) {
  const count = rate * SECONDS
  const args = [host.address, to, PORT, flood, rate, count, seed].map(String)
  const sender = host.start(trafficProgram('hostile'), ...args)
  const { code } = await sender.end(SECONDS * 1000 + DEADLINE)
  assert.equal(code, 0, sender.lines.join('\n'))
  return count / Number(sender.lines.at(-1))
}

/**
 * Runs a discovery whose id is the name of its host.
 *
 * @param {Host} host
 * @param {object} [options]
 */
const discoverOn = (host, options) =>
  host.run('fixtures/discover.js', { name: host.name }, { id: host.name, ...options }, HONEST)

/** Gives a program a command that it answers. */
async function ask(/** @type {Process} */ program, /** @type {'tell' | 'measure'} */ command) {
  const from = program.lines.length
  program.write(JSON.stringify({ [command]: true }))
  return program.json((said) => said.memory ?? said.told, from)
}

/** That a program knows an honest other, and always has: all that it was told is that, and its addresses. */
function knows(/** @type {Process} */ program, /** @type {string} */ id) {
  const told = program.values().filter((said) => [said?.up, said?.update, said?.down].includes(id))
  const [first, ...later] = told
  assert.ok(first?.up && later.every((said) => said.update && said.sameData), JSON.stringify(told))
  assert.deepEqual(told.at(-1).peer.data, { name: id })
}

describe('floods', { skip: needs('lab'), concurrency: false }, () => {
  for (const { title, flood, rate, sealed, full, reaches = () => true, shows } of FLOODS) {
    test(title, async (t) => {
      const lab = await hosts(t, 4)
      const options = sealed ? { key: 'hunter2' } : {}
      const [a, b] = [discoverOn(lab.a, options), discoverOn(lab.b, options)]
      await a.json((said) => said.up === 'b')
      await b.json((said) => said.up === 'a')
      const before = await ask(a, 'measure')
      const sending = send(lab.d, flood, rate)
      const c = discoverOn(lab.c, options)
      const sent = await sending
      let after = await ask(a, 'measure')
      if (!full) {
        await a.json((said) => said.up === 'c')
        await c.json((said) => said.up === 'a')
      }
      let told = await ask(a, 'tell')
      for (let seed = 2; !reaches(told.stats); seed++) {
        assert.ok(seed <= 10, 'its bound was never reached')
        await send(lab.d, flood, rate, { seed })
        after = await ask(a, 'measure')
        told = await ask(a, 'tell')
      }
      const { stats, peers } = told
      const growth = after.memory - before.memory
      t.diagnostic(
        `${Math.round(sent)} a second, ${stats.lost} lost to the kernel's buffer; ` +
          `memory +${(growth / 2 ** 20).toFixed(1)} MiB; the main thread used ` +
          `${(100 * after.cpu).toFixed(0)} % of a processor and the event loop was late by ${after.delay.toFixed(0)} ms at most`
      )
      shows({
        stats,
        peers: new Map(peers.map((/** @type {any} */ peer) => [peer.id, peer])),
        others: after.others,
        seconds: (after.at - before.at) / 1000
      })
      assert.ok(growth <= CEILING, `it has grown by ${growth} bytes`)
      knows(a, 'b')
      knows(b, 'a')
    })
  }

  test(
    'questions are answered so often a second, with no more than is announced',
    { skip: needs('tcpdump') },
    async (t) => {
      const lab = await hosts(t, 4)
      const { a: asked, d: hostile } = lab
      // The hundred who ask, or answers to them would never leave.
      const [, last] = hostile.address.match(/\.(\d+)$/) ?? []
      const others = Array.from({ length: 100 }, (_, i) => `10.77.0.${Number(last) + 1 + i}`)
      hostile.ip(...others.map((address) => `address add ${address}/24 dev eth0`))
      const options = { interval: 60_000 }
      const [a, b] = [discoverOn(asked, options), discoverOn(lab.b, options)]
      await a.json((said) => said.up === 'b')
      // In its start it would not answer, but announce itself.
      await settled(async () => (await ask(a, 'tell')).stats.sent, 1200)
      const filter = `udp and src host ${asked.address} and dst net 10.77.0.0/24 and not host ${lab.b.address}`
      const capture = hostile.start(
        'tcpdump',
        '-i',
        'eth0',
        '-Q',
        'in',
        '-nn',
        '-tt',
        '-l',
        '--immediate-mode',
        ...filter.split(' ')
      )
      await capture.line(/listening on/)
      const before = (await ask(a, 'tell')).stats
      const rate = 20_000
      const sent = await send(hostile, 'asks', rate)
      const { stats } = await ask(a, 'tell')
      const answered = () =>
        capture.lines.flatMap((line) => {
          const [, at, length] = line.match(/^([\d.]+) IP .* length (\d+)$/) ?? []
          return at ? [{ at: Number(at), length: Number(length) }] : []
        })
      await until(() => answered().length > 100)
      const answers = await settled(answered)
      const seconds = answers[answers.length - 1].at - answers[0].at
      const bytes = answers.reduce((sum, { length }) => sum + length, 0)
      const question = (stats.bytes - before.bytes) / (stats.received - before.received)
      const ratio = bytes / (rate * SECONDS * question)
      t.diagnostic(
        `${Math.round(sent)} questions a second, ${answers.length} answers in ${seconds} s; ` +
          `${(100 * ratio).toFixed(2)} bytes of answers for 100 bytes of questions`
      )
      // In any second so many are promised, each to be sent within 100 ms: those of one more at each end.
      const most = 200 * (seconds + 2)
      assert.ok(answers.length <= most, `${answers.length} answers, not ${most}`)
      assert.ok(ratio < 0.2, `${ratio}`)
      knows(a, 'b')
      knows(b, 'a')
    }
  )

  test('strangers who send to the host are nobody, and have names looked up seldom', async (t) => {
    const lab = await hosts(t, 2)
    const names = await withNames(t, lab.a)
    await names.set(`peers.lan ${lab.a.address}`)
    const options = { id: 'a', seeds: ['peers.lan'] }
    const a = names.run('fixtures/discover.js', {}, options, HONEST)
    const lookups = () => names.server.values().filter((said) => said?.asked === 'peers.lan').length
    await until(() => lookups() > 0)
    const rate = 20_000
    await send(lab.b, 'sources', rate, { to: lab.a.address })
    // What waited to be read when the last was sent is read.
    const stats = await settled(async () => (await ask(a, 'tell')).stats)
    const seconds = Math.ceil(a.values().at(-1).at / 1000)
    t.diagnostic(
      `${stats.received} came, ${lookups()} questions to the name server in ${seconds} s`
    )
    // One in 65,536 has an address of its network.
    assert.ok(stats.peers < 1 + (4 * rate * SECONDS) / 65_536, `${stats.peers} peers`)
    const nobody = stats.refused + stats.rateLimited
    assert.ok(nobody >= rate * SECONDS - stats.lost - stats.announcements, `${nobody} refused`)
    // For each lookup there is one question a family; each 5 s, and the first.
    assert.ok(lookups() <= 2 * (1 + Math.ceil(seconds / 5)))
  })
})
