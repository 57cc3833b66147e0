'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { copyOfPackage } = require('./copies.js')
const { run } = require('./process.js')
const { isLinux } = require('./system.js')

test('two copies in one process hear each other and themselves, each with a thread of its own', async (t) => {
  const program = run(t, 'fixtures/two-copies.js', copyOfPackage(t), copyOfPackage(t))
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const said = program.values().at(-1)
  assert.deepEqual(said, {
    heard: [
      ['one', 'two'],
      ['one', 'two']
    ],
    // Elsewhere they are not counted.
    threads: isLinux ? 2 : 0,
    left: 0,
    sockets: 0
  })
})

test('a module that is loaded anew again and again leaves nothing behind, and nothing is warned of', async (t) => {
  const program = run(t, '--expose-gc fixtures/reloaded.js', copyOfPackage(t))
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const { opened, collected, buffers, exitListeners, heard } = await program.json(() => true)
  assert.deepEqual({ opened, exitListeners, heard }, { opened: 50, exitListeners: 1, heard: true })
  // The last may be held by what has just run.
  assert.ok(collected >= 49, `${collected}`)
  // Each has one of 256 KiB for its batches.
  assert.ok(buffers < 1024 * 1024, `${buffers} bytes of buffers`)
  assert.equal(program.lines.length, 1, program.lines.join('\n'))
})

test('a forked process has none of its parent’s sockets, and the two hear each other', async (t) => {
  const program = run(t, 'fixtures/forking.js')
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const { sockets, inherited, heard } = await program.json(() => true)
  if (isLinux) assert.ok(sockets.length > 0)
  assert.deepEqual(heard, { parent: ['child', 'parent'], child: ['child', 'parent'] })
  assert.deepEqual(inherited, [])
})

test('workers of a cluster share the port, hear each other, and end in their ways', async (t) => {
  const program = run(t, 'fixtures/cluster.js')
  assert.deepEqual(await program.end(), { code: 0, signal: null })
  const { heard, ends } = await program.json(() => true)
  const all = ['closing', 'disconnecting', 'exiting', 'killed', 'primary']
  for (const name of all) assert.deepEqual(heard[name], all, name)
  assert.deepEqual(ends, {
    closing: [0, null],
    disconnecting: [0, null],
    exiting: [5, null],
    killed: [null, 'SIGTERM']
  })
})
