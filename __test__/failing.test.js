'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { copyWithHooks } = require('./copies.js')
const { run } = require('./process.js')

test('when the engine panics every object is told and closes, the process lives, and the next call works', async (t) => {
  const program = run(t, 'fixtures/failing.js', copyWithHooks(t))
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const said = program.values().filter((value) => value !== undefined)
  const failed = {
    code: 'ENGINE_FAILED',
    message: 'The engine of lan-peers failed: the test asked for it'
  }
  for (const round of [1, 2, 3]) {
    const inRound = said.filter((value) => value.round === round)
    const handles = ['listener', 'caster', 'discovery'].flatMap((what) => [
      `main ${what}`,
      `worker ${what}`
    ])
    for (const who of handles) {
      assert.deepEqual(
        inRound.filter((value) => value.who === who).map(({ event }) => event),
        ['warning', 'close', 'closed'],
        who
      )
    }
    for (const { warning } of inRound.filter(({ event }) => event === 'warning')) {
      assert.deepEqual({ code: warning.code, message: warning.message }, failed)
    }
  }
  assert.deepEqual(
    said.filter(({ peers }) => peers !== undefined).map(({ peers }) => peers),
    [0, 0, 0]
  )
  // Between the failure and its news: calls on the objects that it took along.
  const meanwhile = said.filter((value) => value.meanwhile)
  assert.equal(meanwhile.length, 3)
  for (const { received, interfaces } of meanwhile) {
    assert.ok(received > 0)
    assert.deepEqual(interfaces, [])
  }
  assert.deepEqual(said.at(-1), { threads: 0, sockets: 0, emitted: ['ENGINE_FAILED'] })
})
