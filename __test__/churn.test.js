'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { copyWithHooks } = require('./copies.js')
const { DEADLINE, run } = require('./process.js')

/** Set by scripts/nightly. */
const LONG = process.env.LAN_PEERS_LONG === 'yes'

/** How often what there is is looked at, and after how many rounds each time. It takes 15 s; the long one ten minutes. */
const [SAMPLES, ROUNDS] = LONG ? [150, 1000] : [14, 400]

/** A small young generation, for what V8 makes of it when there is much to do is no leak. */
const CHURN = '--expose-gc --max-semi-space-size=1 fixtures/churn.js'

const MIB = 1024 * 1024

/** Memberships of the groups that come and go. */
const NONE = [0, 0, 0]

for (const [kind, times] of Object.entries({ listener: 10_000, caster: 10_000, discovery: 500 })) {
  test(`${times} times a ${kind} is opened and closed, and not a byte, descriptor or membership is left`, async (t) => {
    const program = run(t, CHURN, copyWithHooks(t), 'reopen', kind, times)
    assert.deepEqual(await program.end(10 * DEADLINE), { code: 0, signal: null })
    const { before, after } = await program.json(() => true)
    assert.deepEqual(after.kernel, before.kernel)
    assert.equal(after.kernel.threads, 1)
    assert.deepEqual(after.kernel.memberships, NONE)
    // What grows is not one of each: a table that has become larger.
    assert.ok(after.allocated - before.allocated < 10_000, `${after.allocated - before.allocated}`)
    const grown = after.rss - before.rss
    assert.ok(grown < 4 * MIB, `${grown} bytes more`)
  })
}

test('a listener that nobody holds goes on hearing, and what is closed is collected', async (t) => {
  const program = run(t, CHURN, copyWithHooks(t), 'collect')
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const { unheld, closed } = await program.json(() => true)
  assert.equal(unheld, 'hears')
  for (const [what, count] of Object.entries(closed)) assert.ok(count >= 100, `${count} ${what}`)
})

test(`${SAMPLES * ROUNDS} rounds of coming and going under traffic, with flat memory`, async (t) => {
  const program = run(t, CHURN, copyWithHooks(t), 'churn', SAMPLES, ROUNDS)
  assert.deepEqual(await program.end(30 * DEADLINE), { code: 0, signal: null })
  const { samples, heard } = await program.json((value) => value.samples)
  assert.ok(heard >= SAMPLES * ROUNDS, `${heard} messages`)
  // The first quarter is for what is kept once.
  const settled = samples.slice(samples.length / 4)
  const [first, last] = [settled[0], settled.at(-1)]
  // The middle of five: for a moment more messages may wait than usual, and take their room, or fewer.
  const middle = (/** @type {any[]} */ some, /** @type {string} */ what) =>
    some.map((sample) => sample[what]).sort((a, b) => a - b)[2]
  t.diagnostic(JSON.stringify({ heard, first, last }))
  assert.deepEqual(last.kernel, first.kernel)
  assert.deepEqual(last.kernel.memberships, NONE)
  for (const [what, most] of Object.entries({
    allocated: 4096,
    heap: MIB,
    buffers: MIB,
    rss: 8 * MIB
  })) {
    const grown = middle(settled.slice(-5), what) - middle(settled.slice(0, 5), what)
    assert.ok(grown <= most, `${what} has grown by ${grown} bytes`)
  }
})
