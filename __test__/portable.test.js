'use strict'

// `npm run test:loopback` names the files of tests that run on macOS and Windows, too: none of them needs the lab or /proc, and no
// other could be among them.

const assert = require('node:assert/strict')
const { existsSync, readFileSync, readdirSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { test } = require('node:test')
const { scripts } = require('../package.json')

const listed = /** @type {string[]} */ (scripts['test:loopback'].match(/\S+\.test\.js/g))

/** Why files of tests that do without the lab are not listed. */
const NOT_LISTED = {
  'bench.test.js': 'the bench reads /proc and builds bench/traffic',
  'bundling.test.js': 'its programs are for a Unix shell',
  'churn.test.js': 'counts threads, descriptors and memberships',
  'docs.test.js': 'runs scripts/check-docs, which is for a Unix shell',
  'failing.test.js': 'sees in /proc when the engine has ended',
  'install.test.js': 'its stand-in for cargo is for a Unix shell',
  'portable.test.js': 'says the same on every system'
}

/**
 * A file, and all in this folder that it loads or runs.
 *
 * @param {string} file
 * @param {Map<string, string>} [texts] by file
 */
function withAllItUses(file, texts = new Map()) {
  if (texts.has(file)) return texts
  const text = readFileSync(file, 'utf8')
  texts.set(file, text)
  for (const [, path] of text.matchAll(/require\('(\.\.?\/[^']*\.js)'\)/g)) {
    const loaded = join(dirname(file), path)
    // Code in a string may load what is not here.
    if (loaded.startsWith(__dirname) && existsSync(loaded)) withAllItUses(loaded, texts)
  }
  for (const [, path] of text.matchAll(/'(?:--\S+ )*(fixtures\/[^' ]*\.js)'/g)) {
    withAllItUses(join(__dirname, path), texts)
  }
  return texts
}

for (const file of listed) {
  test(`${file} needs neither the lab nor /proc`, () => {
    const used = withAllItUses(join(__dirname, '..', file))
    assert.ok(!used.has(join(__dirname, 'hosts.js')), [...used.keys()].join())
    // It is the one that does without /proc where there is none.
    used.delete(join(__dirname, 'process.js'))
    for (const [each, text] of used) assert.ok(!text.includes('/proc/'), each)
  })
}

test('each file of tests is listed, or needs the lab, or has another reason not to be', () => {
  const all = readdirSync(__dirname).filter((file) => file.endsWith('.test.js'))
  const rest = all.filter(
    (file) =>
      !listed.includes(`__test__/${file}`) &&
      !/require\('\.\/hosts\.js'\)/.test(readFileSync(join(__dirname, file), 'utf8'))
  )
  assert.deepEqual(rest, Object.keys(NOT_LISTED))
})
