'use strict'

const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')
const { describe, test } = require('node:test')
const { ALONE, NO_MULTICAST, hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { withNames } = require('./names.js')
const { clocks, preload } = require('./preload.js')
const { nodeCommand, until } = require('./process.js')

/** Set by scripts/nightly. */
const LONG = process.env.LAN_PEERS_LONG === 'yes'

/**
 * @typedef {import('./hosts.js').Host} Host
 * @typedef {import('./process.js').Process} Process
 */

/**
 * Runs a discovery on a host, whose name is its id.
 *
 * @param {Host} host
 * @param {object} [options]
 * @param {object} [data]
 */
const discoverOn = (host, options = {}, data = { name: host.name }) =>
  host.run('fixtures/discover.js', data, { id: host.name, ...options })

const tell = (/** @type {Process} */ program, /** @type {object} */ command) =>
  program.write(JSON.stringify(command))

/** Waits for an event of a peer. */
const event = (
  /** @type {Process} */ program,
  /** @type {'up' | 'update' | 'down'} */ what,
  /** @type {string} */ id,
  from = 0
) => program.json((said) => said[what] === id, from)

/** All that a program has been told of a peer, in short. */
const story = (/** @type {Process} */ program, /** @type {string} */ id) =>
  program.values().flatMap((said) => {
    const what = ['up', 'update', 'down'].find((one) => said?.[one] === id)
    return what ? [said.reason ? `${what}: ${said.reason}` : what] : []
  })

/** That a program has been told of a peer once, and nothing since but changes. */
const stays = (/** @type {Process} */ program, /** @type {string} */ id) =>
  assert.deepEqual(
    story(program, id).filter((what) => what !== 'update'),
    ['up']
  )

/** What it says of itself: peers, stats, interfaces. */
async function ask(/** @type {Process} */ program) {
  const from = program.lines.length
  tell(program, { tell: true })
  return program.json((said) => said.told, from)
}

/** Waits until each knows all others, and gives how long it took since it began. */
async function allMeet(/** @type {Record<string, Process>} */ programs) {
  const times = []
  for (const [name, program] of Object.entries(programs)) {
    for (const other of Object.keys(programs).filter((one) => one !== name)) {
      times.push((await event(program, 'up', other)).at)
    }
  }
  return Math.max(...times)
}

/** Drops what comes by unicast, unless it was asked for, as the firewalls of many systems do; groups pass. */
const NO_UNICAST = `chain in {
  type filter hook input priority 0; policy accept;
  ct state established,related accept
  meta pkttype host iifname != lo drop
}`

describe('discovering', { skip: needs('lab'), concurrency: false }, () => {
  test('three hosts on two networks, over both families, know each other once, by all addresses', async (t) => {
    const lab = await hosts(t, { a: [0, 1], b: [0, 1], c: [0, 1] })
    const programs = Object.fromEntries(
      Object.entries(lab).map(([name, host]) => [name, discoverOn(host)])
    )
    t.diagnostic(`all know each other after ${await allMeet(programs)} ms`)
    const { a, b, c } = lab
    for (const [name, program] of Object.entries(programs)) {
      const others = Object.values(lab).filter((host) => host.name !== name)
      for (const host of others) {
        const wanted = [
          `${a.addresses[0].slice(0, -1)}${host.address.slice(-1)} IPv4 eth0`,
          `${host.addresses[1]} IPv4 eth1`,
          `${host.linkLocal}%eth0 IPv6 eth0`,
          `${host.linkLocal}%eth1 IPv6 eth1`
        ].sort()
        const addresses = (/** @type {any} */ peer) =>
          peer.addresses
            .map((/** @type {any} */ one) => `${one.address} ${one.family} ${one.interface}`)
            .sort()
        await program.json(
          (said) =>
            (said.up ?? said.update) === host.name &&
            JSON.stringify(addresses(said.peer)) === JSON.stringify(wanted)
        )
      }
      const { peers, interfaces } = await ask(program)
      assert.deepEqual(
        peers.map((/** @type {any} */ peer) => peer.id).sort(),
        others.map((one) => one.name)
      )
      for (const peer of peers) {
        assert.deepEqual(peer.data, { name: peer.id })
        assert.equal(peer.address, peer.addresses[0].address)
        assert.equal(peer.plain, false)
        assert.equal(story(program, peer.id)[0], 'up')
        assert.ok(
          story(program, peer.id)
            .slice(1)
            .every((what) => what === 'update')
        )
      }
      const eth = interfaces.filter((/** @type {any} */ one) => one.name.startsWith('eth'))
      assert.deepEqual(
        eth.map((/** @type {any} */ one) => [one.IPv4.state, one.IPv6.state]),
        [
          ['joined', 'joined'],
          ['joined', 'joined']
        ]
      )
    }
    assert.ok(b && c)
  })

  test('a close is noticed at once, a crash after the lifetime, a restart as such', async (t) => {
    const { a, b, c, d } = await hosts(t, 4)
    const programs = { a: discoverOn(a), b: discoverOn(b), c: discoverOn(c), d: discoverOn(d) }
    await allMeet(programs)

    const closing = performance.now()
    tell(programs.b, { close: true })
    assert.equal((await event(programs.a, 'down', 'b')).reason, 'bye')
    t.diagnostic(`a close is noticed after ${Math.round(performance.now() - closing)} ms`)
    assert.deepEqual((await programs.b.json((said) => said.closed)).peers, 0)
    await programs.b.json((said) => said.resolved)
    assert.deepEqual(story(programs.b, 'a').at(-1), 'down: close')
    assert.deepEqual(await programs.b.end(), { code: 0, signal: null })

    // The last announcement was up to 2.2 s before, and may have been just now; then 7 s.
    const killed = performance.now()
    await programs.c.kill()
    assert.equal((await event(programs.a, 'down', 'c')).reason, 'timeout')
    const silent = performance.now() - killed
    t.diagnostic(`a crash is noticed after ${Math.round(silent)} ms`)
    assert.ok(silent > 7000 - 2200 - 50, `${silent} ms`)

    // Its end is not noticed before it is there again.
    await programs.d.kill()
    const from = programs.a.lines.length
    const again = discoverOn(d, {}, { name: 'again' })
    const restart = await event(programs.a, 'down', 'd', from)
    assert.equal(restart.reason, 'restart')
    assert.deepEqual((await event(programs.a, 'up', 'd', from)).peer.data, { name: 'again' })
    await event(again, 'up', 'a')
    assert.deepEqual(
      ['b', 'c'].map((id) => story(programs.a, id).filter((what) => what !== 'update')),
      [
        ['up', 'down: bye'],
        ['up', 'down: timeout']
      ]
    )
  })

  test('what is announced anew is one update, with the peer as it was', async (t) => {
    const { a, b } = await hosts(t, 2)
    const programs = { a: discoverOn(a), b: discoverOn(b) }
    await allMeet(programs)
    await sleep(1000)
    const from = programs.a.lines.length
    tell(programs.b, { announce: { name: 'b', state: 'busy' } })
    const { peer, previous, sameData } = await event(programs.a, 'update', 'b', from)
    assert.deepEqual([peer.data, previous.data], [{ name: 'b', state: 'busy' }, { name: 'b' }])
    assert.equal(sameData, false)
    // It is said twice, and then every 2 s.
    await sleep(3000)
    const later = programs.a
      .values()
      .slice(from)
      .filter((said) => said.update)
    assert.equal(later.length, 1)
  })

  test('a partition parts, and heals', { skip: needs('nft') }, async (t) => {
    const { a, b, c } = await hosts(t, 3)
    const options = { interval: 300 }
    const programs = {
      a: discoverOn(a, options),
      b: discoverOn(b, options),
      c: discoverOn(c, options)
    }
    await allMeet(programs)
    c.wall(ALONE)
    await Promise.all([
      event(programs.a, 'down', 'c'),
      event(programs.b, 'down', 'c'),
      event(programs.c, 'down', 'a'),
      event(programs.c, 'down', 'b')
    ])
    const marks = Object.values(programs).map((program) => program.lines.length)
    c.wall()
    const healing = performance.now()
    await Promise.all([
      event(programs.a, 'up', 'c', marks[0]),
      event(programs.b, 'up', 'c', marks[1]),
      event(programs.c, 'up', 'a', marks[2]),
      event(programs.c, 'up', 'b', marks[2])
    ])
    t.diagnostic(`healed after ${Math.round(performance.now() - healing)} ms`)
    assert.deepEqual(story(programs.a, 'b').includes('down: timeout'), false)
    assert.deepEqual(
      story(programs.c, 'a').filter((what) => what !== 'update'),
      ['up', 'down: timeout', 'up']
    )
  })

  test('an interface that comes is announced on at once', async (t) => {
    const { a, b } = await hosts(t, 2)
    b.link('eth0', 'down')
    const programs = { a: discoverOn(a), b: discoverOn(b) }
    await ask(programs.b)
    b.link('eth0', 'up')
    b.ip(`route replace default dev eth0`)
    const coming = performance.now()
    await Promise.all([event(programs.a, 'up', 'b'), event(programs.b, 'up', 'a')])
    t.diagnostic(`they know each other after ${Math.round(performance.now() - coming)} ms`)
  })

  test('who is blocked is not gone for others, and nobody is for it', async (t) => {
    const { a, b } = await hosts(t, 2)
    const options = LONG ? {} : { interval: 300 }
    const programs = { a: discoverOn(a, options), b: discoverOn(b, options) }
    await allMeet(programs)
    const ms = LONG ? 30_000 : 5000
    tell(programs.b, { block: ms })
    await programs.b.json((said) => said.blocking)
    tell(programs.a, { announce: { name: 'a', changed: 1 } })
    tell(programs.a, { announce: { name: 'a', changed: 2 } })
    await sleep(ms - 1000)
    tell(programs.a, { announce: { name: 'a', changed: 3 } })
    await programs.b.json((said) => said.blocked)
    await programs.b.json((said) => said.update === 'a' && said.peer.data.changed === 3)
    // What was under way, and then only the difference.
    const changes = programs.b.values().filter((said) => said.update && said.peer.data.changed)
    assert.ok(changes.length <= 2, JSON.stringify(changes))
    await sleep(1500)
    stays(programs.a, 'b')
    stays(programs.b, 'a')
  })

  test(
    'who was stopped declares nobody gone when it goes on',
    { skip: needs('nft') },
    async (t) => {
      const { a, b, c } = await hosts(t, 3)
      const options = LONG ? {} : { interval: 200 }
      const programs = {
        a: discoverOn(a, options),
        b: discoverOn(b, options),
        c: discoverOn(c, options)
      }
      await allMeet(programs)
      const child = /** @type {number} */ (programs.a.child.pid)
      process.kill(child, 'SIGSTOP')
      // Nor is anything of that time waiting to be read.
      a.wall(ALONE)
      assert.equal((await event(programs.b, 'down', 'a')).reason, 'timeout')
      await sleep(LONG ? 60_000 : 4000)
      const from = programs.b.lines.length
      a.wall()
      process.kill(child, 'SIGCONT')
      await event(programs.b, 'up', 'a', from)
      await sleep(LONG ? 10_000 : 3000)
      for (const other of ['b', 'c']) stays(programs.a, other)
    }
  )

  test('who has slept asks again', async (t) => {
    const { a } = await hosts(t, 1)
    const clock = clocks(t)
    const program = a.start(
      'env',
      clock.variable,
      preload(t, 'clock.c'),
      ...nodeCommand('fixtures/discover.js', ['{}', { interval: 600_000 }])
    )
    await program.json((said) => said.id)
    // Past its start.
    await sleep(2500)
    const { sent } = (await ask(program)).stats
    await sleep(500)
    assert.equal((await ask(program)).stats.sent, sent)
    clock.putBoottime(3600)
    // It is noticed by who is awake.
    await until(async () => (await ask(program)).stats.sent >= 2 * sent)
  })

  test('a dgram program is a plain peer, and reads what we announce', async (t) => {
    const { a, b } = await hosts(t, 2)
    const article = a.run('fixtures/article.js')
    await article.line(/^Listening on/)
    const ours = b.run('fixtures/discover.js', { username: 'ada' })
    const { peer } = await ours.json((said) => said.up?.startsWith('plain:'))
    assert.equal(peer.id, `plain:${a.address}:${peer.port}`)
    assert.deepEqual([peer.data, peer.plain, peer.app], [{ username: 'dgram' }, true, ''])
    assert.equal(peer.addresses.length, 1)
    const [, heard] = await article.line(/^server got: (.*"ada".*) from /)
    assert.equal(JSON.parse(heard).username, 'ada')
    await article.kill()
    assert.equal((await ours.json((said) => said.down === peer.id)).reason, 'timeout')
  })

  test(
    'behind a firewall that drops what it did not ask for one knows everybody',
    { skip: needs('nft') },
    async (t) => {
      const { a, b, c } = await hosts(t, 3)
      c.wall(NO_UNICAST)
      // What they say by themselves comes too late.
      const options = { interval: 60_000 }
      const others = { a: discoverOn(a, options), b: discoverOn(b, options) }
      await allMeet(others)
      // Past their start, whose announcements would do.
      await sleep(2500)
      const walled = discoverOn(c, options)
      await allMeet({ ...others, c: walled })
      const { peers } = await ask(walled)
      assert.deepEqual(peers.map((/** @type {any} */ one) => one.id).sort(), ['a', 'b'])
    }
  )

  for (const [how, seeds] of /** @type {const} */ ([
    ['an address', ['10.77.0.1', '10.77.0.2']],
    ['a name of both', ['peers.lan']]
  ])) {
    test(`without multicast two find each other by ${how}`, { skip: needs('nft') }, async (t) => {
      const { a, b } = await hosts(t, 2)
      const programs = /** @type {Record<string, Process>} */ ({})
      for (const host of [a, b]) {
        host.wall(NO_MULTICAST)
        const names = await withNames(t, host)
        await names.set('peers.lan 10.77.0.1,10.77.0.2')
        programs[host.name] = names.run('fixtures/discover.js', {}, { id: host.name, seeds })
      }
      t.diagnostic(`they know each other after ${await allMeet(programs)} ms`)
      tell(programs.a, { close: true })
      assert.equal((await event(programs.b, 'down', 'a')).reason, 'bye')
    })
  }

  test(
    'on one network it is enough that one of two names the other',
    { skip: needs('nft') },
    async (t) => {
      const { a, b } = await hosts(t, 2)
      for (const host of [a, b]) host.wall(NO_MULTICAST)
      const options = { interval: 300 }
      const programs = {
        a: discoverOn(a, options),
        b: discoverOn(b, { ...options, seeds: [a.address] })
      }
      await allMeet(programs)
      // What is for everybody is for it, too.
      tell(programs.a, { announce: { changed: true } })
      await programs.b.json((said) => said.update === 'a' && said.peer.data.changed)
      await sleep(2000)
      stays(programs.a, 'b')
      stays(programs.b, 'a')
      tell(programs.a, { close: true })
      assert.equal((await event(programs.b, 'down', 'a')).reason, 'bye')
    }
  )

  test('across a router both have to name each other', async (t) => {
    const { a, b, r } = await hosts(t, { a: [0], b: [1], r: [0, 1] })
    r.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    for (const host of [a, b]) {
      host.ip(`route replace default via ${host === a ? r.addresses[0] : r.addresses[1]}`)
    }
    const alone = discoverOn(a, { seeds: [b.address], interval: 200 })
    const stranger = discoverOn(b)
    await alone.json((said) => said.id)
    const refused = async () => (await ask(stranger)).stats.refused
    await until(async () => (await refused()) >= 3)
    assert.deepEqual((await ask(stranger)).peers, [])
    await stranger.kill()
    const other = discoverOn(b, { seeds: [a.address] })
    await Promise.all([event(alone, 'up', 'b'), event(other, 'up', 'a')])
  })

  test('seeds are looked up again when somebody unknown sends from afar', async (t) => {
    const { a, b, r } = await hosts(t, { a: [0], b: [1], r: [0, 1] })
    r.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    a.ip(`route replace default via ${r.addresses[0]}`)
    b.ip(`route replace default via ${r.addresses[1]}`)
    const names = await withNames(t, a)
    await names.set('peers.lan 10.77.0.9')
    const program = names.run('fixtures/discover.js', {}, { id: 'a', seeds: ['peers.lan'] })
    await names.server.json((said) => said.asked === 'peers.lan')
    await names.set(`peers.lan ${b.address}`)
    // By itself it would be after 30 s.
    const other = discoverOn(b, { seeds: [a.address], interval: 300 })
    await Promise.all([event(program, 'up', 'b'), event(other, 'up', 'a')])
  })

  test('without multicast they find each other by broadcast', { skip: needs('nft') }, async (t) => {
    const { a, b } = await hosts(t, 2)
    for (const host of [a, b]) host.wall(NO_MULTICAST)
    const options = { broadcast: true, group: '224.0.0.1' }
    t.diagnostic(
      `they know each other after ${await allMeet({ a: discoverOn(a, options), b: discoverOn(b, options) })} ms`
    )
  })

  test('several on one computer know each other, and those elsewhere know all of them', async (t) => {
    const { a, b } = await hosts(t, 2)
    const on = (/** @type {Host} */ host, /** @type {string} */ id) =>
      host.run('fixtures/discover.js', {}, { id })
    await allMeet({ a1: on(a, 'a1'), a2: on(a, 'a2'), a3: on(a, 'a3'), b1: on(b, 'b1') })
  })
})

for (const [how, code] of /** @type {const} */ ([
  ['exit', 3],
  ['throw', 1],
  ['unref', 0]
])) {
  test(`the end of a process is a goodbye: ${how}`, { skip: needs('lab') }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const programs = { a: discoverOn(a), b: discoverOn(b) }
    await allMeet(programs)
    const ending = performance.now()
    tell(programs.b, { end: how })
    assert.equal((await event(programs.a, 'down', 'b')).reason, 'bye')
    const { code: ended } = await programs.b.end()
    t.diagnostic(`ended after ${Math.round(performance.now() - ending)} ms`)
    assert.equal(ended, code)
  })
}
