'use strict'

const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { withNames } = require('./names.js')

/** Sends to no group but on loopback. */
const QUIET = { interfaces: '127.0.0.1', group: '239.7.7.7' }
const ONCE = '1000000000'

/** How often a process has heard this message. */
const count = (
  /** @type {import('./process.js').Process} */ process,
  /** @type {string} */ message
) => process.values().filter((said) => said?.message === message).length

test(
  'a name is sent to at all its addresses, and while it hangs nothing else waits',
  { skip: needs('lab') },
  async (t) => {
    const { a, ...others } = await hosts(t, 4)
    const names = await withNames(t, a)
    const listeners = Object.values(others).map((host) => host.run('fixtures/listen.js'))
    for (const listener of listeners) await listener.json((said) => said.listening)
    const here = a.run('fixtures/listen.js', QUIET)
    await here.json((said) => said.listening)

    // It says `hello` once; that is for those, too, whose addresses come later.
    const caster = names.run('fixtures/two-casts.js', 'hello', 'tick', {
      ...QUIET,
      to: ['peers.lan', 'peers.lan:9']
    })
    await names.server.json((said) => said.asked === 'peers.lan')
    const before = count(here, 'tick')
    await sleep(1000)
    // 50 are due, and none would come if the lookup, which fails after 2 s, held up the engine.
    const ticks = count(here, 'tick') - before
    assert.ok(ticks >= 10, `${ticks}`)
    const warning = await caster.json((said) => said.warning)
    assert.equal(warning.warning, 'ENOTFOUND')
    assert.match(warning.message, /^getaddrinfo ENOTFOUND peers\.lan: /)
    assert.equal(warning.hostname, 'peers.lan')

    const addresses = Object.values(others).map((host) => host.address)
    await names.set(`peers.lan ${addresses.join(',')}`)
    for (const listener of listeners) {
      const { from } = await listener.json((said) => said.message === 'hello')
      assert.equal(from.address, a.address)
      assert.equal(from.group, null)
    }
    for (const listener of listeners) assert.equal(count(listener, 'hello'), 1)
    assert.equal(caster.values().filter((said) => said?.warning).length, 1, 'told once')
  }
)

test(
  'names are looked up again every 30 s: one changes, one ends and is sent to as before',
  { skip: needs('lab') },
  async (t) => {
    const { a, b, c } = await hosts(t, 3)
    const names = await withNames(t, a)
    const onB = b.run('fixtures/listen.js')
    const onC = c.run('fixtures/listen.js')
    for (const listener of [onB, onC]) await listener.json((said) => said.listening)
    await names.set(`moves.lan ${b.address}`)
    await names.set(`ends.lan ${b.address}`)
    const moves = names.run('fixtures/cast.js', 'moves', '100', {
      ...QUIET,
      to: ['moves.lan:9778']
    })
    const ends = names.run('fixtures/cast.js', 'ends', '100', { ...QUIET, to: 'ends.lan' })
    await onB.json((said) => said.message === 'moves')
    await onB.json((said) => said.message === 'ends')

    await names.set(`moves.lan ${c.address}`)
    await names.set('ends.lan none')
    await sleep(20_000)
    assert.equal(count(onC, 'moves'), 0, 'an answer is believed for a while')
    await onC.json((said) => said.message === 'moves')
    const warning = await ends.json((said) => said.warning)
    assert.equal(warning.warning, 'ENOTFOUND')
    const [moved, ended] = [count(onB, 'moves'), onB.lines.length]
    await onB.json((said) => said.message === 'ends', ended)
    // One more may have been under way.
    assert.ok(count(onB, 'moves') <= moved + 1)
    assert.equal(moves.values().filter((said) => said?.warning).length, 0)
  }
)

test(
  'a lookup that hangs keeps neither close nor the process waiting',
  { skip: needs('lab') },
  async (t) => {
    const { a } = await hosts(t, { a: [] })
    const names = await withNames(t, a)
    const caster = names.run('fixtures/cast.js', 'hello', ONCE, { ...QUIET, to: 'peers.lan' })
    const { asked } = await names.server.json((said) => said.asked)
    assert.equal(asked, 'peers.lan')
    const start = Date.now()
    caster.write('close')
    await caster.json((said) => said.closed)
    assert.equal((await caster.end()).code, 0)
    assert.ok(Date.now() - start < 1500, 'the resolver gives up after 2 s')
  }
)

test(
  'lookups that hang are not more than so many, whoever asked',
  { skip: needs('lab') },
  async (t) => {
    const { a } = await hosts(t, { a: [] })
    const names = await withNames(t, a)
    const program = names.run('fixtures/many-lookups.js', '150', QUIET)
    const { lookups } = await program.json((said) => said.lookups !== undefined)
    assert.equal(lookups, 64)
    assert.equal((await program.end()).code, 0)
  }
)
