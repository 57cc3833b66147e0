'use strict'

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { preload, temporary } = require('./preload.js')

const skip = needs('lab', 'strace')

const CASTS = 61
const ROUNDS = 5
const FIXTURE = join(__dirname, 'fixtures', 'many-casts.js')

/** @param {string} text of a payload of the fixture, of this length where it is one of the 20 */
const isWhole = (text, /** @type {number} */ length) => {
  const match = /^(\d+):([A-Z])\2*$/.exec(text)
  return text === '' || text.length === (Number(match?.[1]) < 40 ? 60 : match && length)
}

/**
 * Has host a cast many payloads, which host b and a itself hear, and gives the calls that sent them.
 *
 * @param {import('node:test').TestContext} t
 * @param {Awaited<ReturnType<typeof hosts>>} lab
 * @param {{ length: number, environment?: string[] }} plan
 */
async function castMany(t, { a, b }, { length, environment = [] }) {
  const listeners = [a, b].map((host) => host.run('fixtures/listen.js'))
  for (const listener of listeners) await listener.json((said) => said.listening)
  const log = join(temporary(t), 'calls')
  const strace = ['strace', '-f', '-qq', '-e', 'trace=sendmsg,sendto', '-o', log]
  const caster = a.start(...strace, 'env', ...environment, process.execPath, FIXTURE, `${length}`)
  for (const listener of listeners) {
    const heard = new Map()
    // It is called with each line once.
    await listener.json(({ message }) => {
      if (message !== undefined) heard.set(message, (heard.get(message) ?? 0) + 1)
      return heard.size >= CASTS && Math.min(...heard.values()) >= ROUNDS
    })
  }
  caster.write('stats')
  const { sent, failed } = await caster.json((said) => 'sent' in said)
  assert.equal(failed, 0)
  for (const listener of listeners) {
    const messages = listener.values().flatMap((said) => said?.message ?? [])
    assert.equal(new Set(messages).size, CASTS)
    assert.ok(messages.every((text) => isWhole(text, length)))
  }
  assert.ok(caster.values().every((said) => said?.warning === undefined))
  await caster.kill()
  // The last call may have been cut off as the process was ended.
  const calls = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => / = -?\d/.test(line))
  const datagrams = calls.filter((line) => /sin6?_port=htons\(9778\)/.test(line))
  assert.ok(sent >= CASTS * ROUNDS)
  return {
    sent,
    together: datagrams.filter((line) => line.includes('sendmsg(')),
    alone: datagrams.filter((line) => line.includes('sendto('))
  }
}

test('casts of one length that are due at one time go out with one call', { skip }, async (t) => {
  const { sent, together, alone } = await castMany(t, await hosts(t, 2), { length: 90 })
  assert.ok(together.every((line) => line.includes('UDP_SEGMENT') || line.includes('0x67')))
  assert.ok(
    together.every((line) => / = \d+$/.test(line)),
    'none fails'
  )
  // By itself goes the first of each, and what does not fall due with others.
  assert.ok(together.length > 0)
  assert.ok(together.length + alone.length < sent)
})

test(
  'casts longer than the interface carries at once go out by themselves',
  { skip },
  async (t) => {
    const lab = await hosts(t, 2)
    lab.a.ip('link set eth0 mtu 1300')
    const { sent, together, alone } = await castMany(t, lab, { length: 1400 })
    // It is tried until it fails, and not again.
    const failed = together.filter((line) => / = -1 E(INVAL|MSGSIZE)/.test(line))
    assert.equal(failed.length, 1)
    assert.ok(together.indexOf(failed[0]) === together.length - 1)
    assert.ok(alone.length > sent / 2)
  }
)

test('a kernel that cannot cut datagrams up is sent each by itself', { skip }, async (t) => {
  const environment = [preload(t, 'no-udp-segment.c')]
  const { together, alone, sent } = await castMany(t, await hosts(t, 2), {
    length: 90,
    environment
  })
  assert.equal(together.length, 0)
  assert.ok(alone.length >= sent)
})
