'use strict'

const assert = require('node:assert/strict')
const { join } = require('node:path')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')

const root = join(__dirname, '..')

test(
  'npm start: two processes find each other with no network but loopback, and it ends',
  {
    skip: needs('lab')
  },
  async (t) => {
    const { alone } = await hosts(t, { alone: [] })
    const start = Date.now()
    const program = alone.start('npm', '--prefix', root, 'start')
    assert.equal((await program.end()).code, 0)
    assert.ok(Date.now() - start < 10_000)
    await program.line(/^grace: \+ ada 127\.0\.0\.1$/)
    await program.line(/^ada: \+ grace 127\.0\.0\.1$/)
    await program.line(/^They have found each other\.$/)
    await program.line(/^ada: - grace \(bye\)$/)
  }
)

test(
  'npm start keeps to loopback unless it is told to go out',
  { skip: needs('lab') },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const outside = b.run('fixtures/listen.js')
    await outside.json((said) => said.listening)
    const inside = a.start('npm', '--prefix', root, 'start')
    assert.equal((await inside.end()).code, 0)
    assert.equal(outside.values().filter((said) => said?.message).length, 0)

    const out = a.start('npm', '--prefix', root, 'start', '--', '--forever', '--interfaces', 'eth0')
    await outside.json((said) => said.message && JSON.parse(said.message).username === 'grace')
    await out.line(/^grace: \+ ada 10\.77\.0\.1$/)
    assert.equal(out.child.exitCode, null)
  }
)
