'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { join } = require('node:path')
const { test } = require('node:test')
const { block, cpuTime } = require('../bench/experiment.js')
const observing = require('../bench/experiments/observing.js')
const remembering = require('../bench/experiments/remembering.js')
const scale = require('../bench/experiments/scale.js')
const { missing } = require('../bench/installed.js')
const { build } = require('../bench/programs.js')
const { summary } = require('../bench/statistics.js')
const { needs } = require('./needs.js')

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

test('the bench counts CPU time, not the time that a thread waits', () => {
  const start = cpuTime()
  block(500)
  const waited = cpuTime()
  while (cpuTime().thread - waited.thread < 50_000);
  const worked = cpuTime()
  assert.ok(waited.thread - start.thread < 250_000, 'waiting is not counted')
  assert.ok(worked.process - waited.process > 40_000, 'work is counted for all threads, too')
})

test('the median of an even number of runs is between the two in the middle', () => {
  assert.deepEqual(summary([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 })
  assert.deepEqual(summary([9, 1, 2]), { median: 2, least: 1, most: 9 })
})

test('the bench refuses what is no row', () => {
  const { status, stderr } = bench('--only', '99')
  assert.notEqual(status, 0)
  assert.match(stderr, /--only takes the number of a row, 1, 2, 3/)
})

test('the bench says which rows it could not measure', (t) => {
  // In the order of the bench: ours first.
  const why = ['lan-peers', 'node-discover']
    .map((contender) => remembering.unavailable?.({ contender }))
    .find(Boolean)
  if (why === undefined) return t.skip('node-discover is installed, and would be measured')
  const { stdout } = bench('--runs', '1', '--only', '12', '--only', '10')
  assert.match(stdout, /^\| 12 \| require\(\) \| [\d.]+ ms \| dgram \| [\d.]+ ms \|/m)
  assert.match(stdout, new RegExp(`^Not measured: 10, .*: ${why}\\.$`, 'm'))
})

for (const contender of ['lan-peers', 'dgram', 'node-discover', 'bonjour-service']) {
  const skip = needs('lab') || missing(contender) || false
  test(
    `what an observer costs that has not heard of all does not count: ${contender}`,
    { skip },
    async () => {
      build()
      const observe = (/** @type {number} */ seconds) =>
        observing.measure({ contender, peers: 20, seconds }, 1)
      const { mainThread, cpu, invalid } = await observe(1)
      assert.equal(invalid, undefined)
      assert.ok(mainThread > 0 && cpu > 0)
      // Half of them announce themselves.
      assert.equal((await observe(0.5)).invalid, 'knew 10 of 20 peers')
    }
  )
}

test('what beacons would need is reckoned right', async () => {
  const beacons = (/** @type {number} */ loss) =>
    scale.measure({ contender: 'beacons every 2 s', peers: 100, loss }, 1)
  const { groupASecond, knows, isKnown, falseAlarms } = await beacons(0)
  assert.deepEqual([groupASecond, knows, isKnown, falseAlarms], [50, 1.98, 0, 0])
  const lossy = await beacons(0.1)
  assert.deepEqual([lossy.knows, lossy.isKnown, Math.round(lossy.falseAlarms)], [4, 2, 162])
})
