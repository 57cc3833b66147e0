'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { join } = require('node:path')
const { test } = require('node:test')

const bench = (/** @type {string[]} */ ...args) =>
  spawnSync(process.execPath, [join(__dirname, '..', 'bench'), ...args], { encoding: 'utf8' })

test('the bench measures the row that it is asked for', () => {
  const { status, stdout, stderr } = bench('--runs', '2', '--only', '12', '--json')
  assert.equal(status, 0, stderr)
  const { figures, results, unmeasured } = JSON.parse(stdout)
  assert.deepEqual(
    figures.map((/** @type {any} */ { row, what }) => [row, what]),
    [
      [12, 'require()'],
      [12, 'close() of a listener and a cast']
    ]
  )
  for (const { ours, reached } of figures) {
    assert.ok(ours.least > 0 && ours.least <= ours.median && ours.median <= ours.most)
    assert.equal(typeof reached, 'boolean')
  }
  assert.equal(figures[0].against, 'dgram')
  for (const runs of Object.values(results)) assert.equal(runs.length, 2)
  assert.deepEqual(unmeasured, [])
})

test('the bench says which rows it could not measure, and refuses what is none', () => {
  const { stdout } = bench('--runs', '1', '--only', '12', '--only', '9')
  assert.match(stdout, /^\| 12 \| require\(\) \| [\d.]+ ms \| dgram \| [\d.]+ ms \|/m)
  assert.match(stdout, /^Not measured: 9, /m)
  const { status, stderr } = bench('--only', '99')
  assert.notEqual(status, 0)
  assert.match(stderr, /--only takes the number of a row, 1, 2, 3/)
})
