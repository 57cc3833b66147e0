'use strict'

// Electron's V8 keeps all memory of JavaScript in one place, and takes none of others for a Buffer. An addon that offers it
// some fails there, and in Node does not.

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { preload } = require('./preload.js')
const { nodeCommand } = require('./process.js')

test(
  'listen, cast and discover offer V8 no memory of their own',
  { skip: needs('lab') },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const env = preload(t, 'no-external-buffers.c')
    const onA = (/** @type {string} */ script, /** @type {unknown[]} */ ...args) =>
      a.start('env', env, ...nodeCommand(script, args))

    const ada = onA('fixtures/discover.js', { name: 'ada' })
    const grace = b.run('fixtures/discover.js', { name: 'grace' })
    await ada.json(({ up, peer }) => up && peer.data.name === 'grace')
    await grace.json(({ up, peer }) => up && peer.data.name === 'ada')
    ada.write('{"end": "exit"}')
    assert.equal((await grace.json(({ down }) => down)).reason, 'bye')

    const trial = onA('../scripts/trial.js')
    assert.deepEqual(await trial.end(), { code: 0, signal: null })
    await trial.line(/^ok - a listener hears a cast/)

    for (const program of [ada, trial]) {
      await program.end()
      const { lookups, calls } = await program.json((said) => said.lookups !== undefined)
      assert.ok(lookups > 0, 'the addon was given the functions that refuse')
      assert.equal(calls, 0)
    }
  }
)
