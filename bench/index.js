'use strict'

// Measures what lan-peers costs, beside others, on the same traffic, in one run.
//
//   npm run bench -- [--json] [--only ROW]... [--runs N]
//
// The contenders take turns, N times (10); each figure is the median, with the least and the most. Costs are CPU time as the
// scheduler counts it, of the main thread or of all threads. All traffic is on the loopback interface. Needs Linux and cargo,
// and for the contenders from npm `npm ci --prefix bench`. Rows that cannot be measured are listed with the reason. --json
// prints all results.

const { execFileSync } = require('node:child_process')
const os = require('node:os')
const { parseArgs } = require('node:util')
const { version } = require('./installed.js')
const { build } = require('./programs.js')
const { ROWS } = require('./rows.js')
const { summary } = require('./statistics.js')
const { table } = require('./table.js')

/**
 * @typedef {import('./rows.js').Measurement} Measurement
 * @typedef {import('./rows.js').Row} Row
 * @typedef {import('./rows.js').Summary} Summary
 * @typedef {import('./experiment.js').Result} Result
 *
 * @typedef {object} Figure a row as it was measured
 * @property {number} row
 * @property {string} what
 * @property {string} unit
 * @property {Summary} ours
 * @property {string} [against]
 * @property {Summary} [theirs]
 * @property {string} [goal]
 * @property {boolean} [reached]
 * @property {boolean} [detail] the README does without it
 *
 * @typedef {object} Report
 * @property {string} date
 * @property {string} machine
 * @property {string} system
 * @property {string} node its version
 * @property {string} rust its version
 * @property {string} version of this package
 * @property {Record<string, string>} versions of the contenders from npm
 * @property {number} runs
 * @property {Figure[]} figures
 * @property {{ row: number, what: string, why: string }[]} unmeasured
 */

/** Measurements are the same if they are of the same things. */
const key = (/** @type {Measurement} */ measurement) => JSON.stringify(measurement)

/** @param {Row} row */
const sides = ({ ours, theirs }) => (theirs ? [ours, theirs] : [ours])

/** @returns {import('./experiment.js').Experiment} */
const load = (/** @type {string} */ name) => require(`./experiments/${name}.js`)

/** Why a row cannot be measured on this machine, if so. */
const unavailable = (/** @type {Row} */ row) =>
  sides(row)
    .map(({ measurement: { experiment, plan } }) => load(experiment).unavailable?.(plan))
    .find((why) => why !== undefined)

/**
 * Why what was measured for a row does not count, if so.
 *
 * @param {Row} row
 * @param {Map<string, Result[]>} results
 */
const invalid = (row, results) =>
  sides(row)
    .flatMap(({ name, measurement }) =>
      (results.get(key(measurement)) ?? []).map(({ invalid }) => invalid && `${name} ${invalid}`)
    )
    .find((why) => why !== undefined)

/**
 * Measures what some rows need, those of one experiment one after another, so that they meet the same machine.
 *
 * @param {Row[]} rows
 * @param {number} runs
 */
async function measure(rows, runs) {
  /** @type {Map<string, Map<string, Measurement>>} */
  const experiments = new Map()
  for (const { measurement } of rows.flatMap(sides)) {
    const { experiment } = measurement
    if (!experiments.has(experiment)) experiments.set(experiment, new Map())
    experiments.get(experiment)?.set(key(measurement), measurement)
  }
  /** @type {Map<string, Result[]>} */
  const results = new Map()
  for (const [name, measurements] of experiments) {
    const experiment = load(name)
    for (const which of measurements.keys()) results.set(which, [])
    for (let run = 1; run <= runs; run++) {
      process.stderr.write(`${name}, run ${run} of ${runs}\n`)
      for (const [which, { plan }] of measurements) {
        results.get(which)?.push(await experiment.measure(plan, run))
      }
    }
  }
  return results
}

/**
 * @param {Row} row
 * @param {Map<string, Result[]>} results
 * @returns {Figure}
 */
function figure({ row, what, unit, ours, theirs, goal, detail }, results) {
  const figures = (/** @type {import('./rows.js').Side} */ { measurement, field }) =>
    summary((results.get(key(measurement)) ?? []).map((result) => result[field]))
  const [a, b] = [figures(ours), theirs && figures(theirs)]
  return {
    row,
    what,
    unit,
    ours: a,
    against: theirs?.name,
    theirs: b,
    goal: goal?.text,
    reached: goal?.reached(a, b ?? a),
    detail
  }
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    runs: { type: 'string', default: '10' }
  }
})

async function main() {
  const only = values.only.map(Number)
  const isWanted = (/** @type {{ row: number }} */ { row }) =>
    only.length === 0 || only.includes(row)
  const wanted = ROWS.filter(isWanted)
  const runs = Number(values.runs)
  if (wanted.length === 0 || !(runs >= 1)) {
    const numbers = [...new Set(ROWS.map(({ row }) => row))].join(', ')
    throw new Error(`--only takes the number of a row, ${numbers}; --runs takes a number from 1`)
  }
  const available = wanted.filter((row) => unavailable(row) === undefined)
  build()
  const results = await measure(available, runs)
  const rows = available.filter((row) => invalid(row, results) === undefined)
  const unmeasured = wanted.flatMap((row) => {
    const why = unavailable(row) ?? invalid(row, results)
    return why === undefined ? [] : { row: row.row, what: row.what, why }
  })
  const versions = rows.flatMap(({ theirs }) => {
    const installed = theirs && version(theirs.name)
    return installed === undefined ? [] : [[theirs?.name, installed]]
  })
  const report = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${os.cpus()[0].model.trim()}, ${os.cpus().length} cores`,
    system: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    rust: execFileSync('rustc', ['--version'], { encoding: 'utf8' }).split(' ')[1],
    version: require('../package.json').version,
    versions: Object.fromEntries(versions),
    runs,
    figures: rows.map((row) => figure(row, results)),
    unmeasured
  }
  if (values.json) {
    console.log(JSON.stringify({ ...report, results: Object.fromEntries(results) }, null, 2))
  } else {
    console.log(table(report))
  }
}

main()
