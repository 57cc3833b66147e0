'use strict'

const assert = require('node:assert/strict')
const { readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { temporary } = require('./preload.js')

const page = readFileSync(join(__dirname, '..', 'docs', 'protocol.md'), 'utf8')
/** The code blocks of the page in a language. */
const blocks = (/** @type {string} */ language) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, code]) => code)

test(
  'the program by hand takes part as docs/protocol.md says',
  { skip: needs('lab') },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const script = join(temporary(t), 'by-hand.js')
    writeFileSync(script, blocks('js')[0])
    const ours = a.run('fixtures/discover.js', { username: 'ada' }, { interval: 60_000 })
    const { id } = await ours.json((said) => said.id)
    const theirs = b.start(process.execPath, script)
    const { peer } = await ours.json((said) => said.up === 'by hand')
    assert.deepEqual([peer.data, peer.plain], [{ username: 'dgram' }, false])
    await theirs.line(new RegExp(`^\\+ ada ${a.address}$`))

    // It answers who is new, and asks.
    const another = a.run('fixtures/discover.js', { username: 'eve' }, { interval: 60_000 })
    await another.json((said) => said.up === 'by hand')
    await theirs.line(/^\+ eve /)
    another.write(JSON.stringify({ close: true }))
    await theirs.line(/^- eve$/)

    theirs.child.kill('SIGINT')
    assert.equal((await ours.json((said) => said.down === 'by hand')).reason, 'bye')
    assert.deepEqual(await theirs.end(), { code: 0, signal: null })
    assert.ok(id)
  }
)

test('what we announce is as the page shows', { skip: needs('lab') }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const listener = b.run('fixtures/listen.js')
  await listener.json((said) => said.listening)
  const example = JSON.parse(blocks('json')[0])
  const { 'lan-peers': head, ...data } = example
  a.run('fixtures/discover.js', data, { app: head.app })
  const { message } = await listener.json((said) => said.message)
  const heard = JSON.parse(message)
  assert.equal(message, JSON.stringify(heard))
  assert.deepEqual(Object.keys(heard), Object.keys(example))
  assert.deepEqual(Object.keys(heard['lan-peers']), [...Object.keys(head), 'ask'])
  for (const [field, value] of Object.entries(head)) {
    assert.equal(typeof heard['lan-peers'][field], typeof value, field)
  }
  assert.equal(heard['lan-peers'].id.length, head.id.length)
  assert.equal(heard['lan-peers'].every, head.every)
})
