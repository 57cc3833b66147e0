'use strict'

// What the bench measures: the measurements, and the rows that are made of them, each with the figure to reach.

/**
 * @typedef {import('./experiment.js').Plan} Plan
 * @typedef {import('./experiment.js').Result} Result
 *
 * @typedef {object} Measurement something that is measured in each run
 * @property {string} experiment of experiments/
 * @property {Plan} plan
 *
 * @typedef {object} Side one side of a comparison
 * @property {string} name
 * @property {Measurement} measurement
 * @property {string} field of the result
 *
 * @typedef {object} Row
 * @property {number} row as the rows are numbered
 * @property {string} what
 * @property {string} unit
 * @property {Side} ours
 * @property {Side} [theirs]
 * @property {Goal} [goal] without one the row shows how the cost grows
 *
 * @typedef {object} Goal the figure to reach
 * @property {string} text
 * @property {(ours: Summary, theirs: Summary) => boolean} reached
 *
 * @typedef {ReturnType<typeof import('./statistics.js').summary>} Summary
 */

const ENCODINGS = /** @type {const} */ ({ utf8: 'strings', buffer: 'Buffers' })

/** How many a run sends at each rate. */
const COUNTS = /** @type {Record<number, number>} */ ({
  1_000: 3_000,
  20_000: 60_000,
  100_000: 300_000,
  0: 300_000
})

const thousands = (/** @type {number} */ n) => n.toLocaleString('en')

const rateText = (/** @type {number} */ rate) =>
  rate === 0 ? 'as fast as it comes' : `${thousands(rate)}/s`

/**
 * Our median is at most this part of theirs.
 *
 * @param {number} most
 * @param {string} text
 * @returns {Goal}
 */
const ratio = (most, text) => ({
  text,
  reached: (ours, theirs) => ours.median <= theirs.median * most
})

/**
 * Our median is at most this.
 *
 * @param {number} most
 * @param {string} text
 * @returns {Goal}
 */
const atMost = (most, text) => ({ text, reached: (ours) => ours.median <= most })

/**
 * A side that is one of a contender's results in an experiment.
 *
 * @param {string} experiment
 * @param {string} contender
 * @param {Plan} plan
 * @param {string} field
 * @returns {Side}
 */
const side = (experiment, contender, plan, field) => ({
  name: contender,
  measurement: { experiment, plan: { contender, ...plan } },
  field
})

/**
 * A row that sets us beside another in one experiment.
 *
 * @param {number} row
 * @param {string} what
 * @param {string} unit
 * @param {{ experiment: string, plan?: Plan, field: string, other?: string }} measured
 * @param {Goal} [goal]
 * @returns {Row}
 */
function beside(row, what, unit, { experiment, plan = {}, field, other = 'dgram' }, goal) {
  return {
    row,
    what,
    unit,
    ours: side(experiment, 'lan-peers', plan, field),
    theirs: side(experiment, other, plan, field),
    goal
  }
}

/**
 * A row of ours alone.
 *
 * @param {number} row
 * @param {string} what
 * @param {string} unit
 * @param {{ experiment: string, plan?: Plan, field: string }} measured
 * @param {Goal} [goal]
 * @returns {Row}
 */
function alone(row, what, unit, { experiment, plan = {}, field }, goal) {
  return { row, what, unit, ours: side(experiment, 'lan-peers', plan, field), goal }
}

/**
 * What a datagram costs the main thread, or all threads.
 *
 * @param {number} row
 * @param {'mainThread' | 'cpu' | 'lost'} field
 * @param {keyof typeof ENCODINGS} encoding
 * @param {number} rate
 * @param {Goal} [goal]
 * @param {string} [other]
 */
function receiving(row, field, encoding, rate, goal, other) {
  const what = { mainThread: 'main thread', cpu: 'all threads', lost: 'lost' }[field]
  const text = `receiving ${ENCODINGS[encoding]}, ${rateText(rate)}: ${what}`
  const plan = { encoding, rate, count: COUNTS[rate] }
  const unit = field === 'lost' ? '' : 'us'
  return beside(row, text, unit, { experiment: 'receiving', plan, field, other }, goal)
}

/**
 * What casts cost.
 *
 * @param {string} text
 * @param {'cpu' | 'memory' | 'threads'} field
 * @param {string} unit
 * @param {number} casts
 * @param {Goal} [goal]
 */
const casting = (text, field, unit, casts, goal) =>
  beside(
    8,
    `${thousands(casts)} casts every 2 s: ${text}`,
    unit,
    { experiment: 'casting', plan: { casts }, field },
    goal
  )

/** Several rows that are one in the numbering are its lines. */
const ROWS = [
  receiving(1, 'mainThread', 'utf8', 100_000, ratio(1 / 6, '1/6 or less')),
  receiving(2, 'mainThread', 'buffer', 100_000, ratio(1 / 2.5, '1/2.5 or less')),
  receiving(3, 'cpu', 'utf8', 100_000, ratio(1 / 2.4, '1/2.4 or less')),
  receiving(3, 'cpu', 'utf8', 100_000, ratio(1.3, '1.3 or less'), 'bare'),
  receiving(3, 'cpu', 'buffer', 100_000),
  receiving(4, 'mainThread', 'utf8', 1_000, ratio(1, '1 or less')),
  receiving(4, 'mainThread', 'buffer', 1_000),
  receiving(4, 'cpu', 'utf8', 1_000, ratio(1.5, '1.5 or less')),
  receiving(4, 'cpu', 'utf8', 1_000, undefined, 'bare'),
  receiving(4, 'mainThread', 'utf8', 20_000, ratio(1 / 3, '1/3 or less')),
  receiving(4, 'mainThread', 'buffer', 20_000),
  receiving(4, 'cpu', 'utf8', 20_000, ratio(1, 'less')),
  receiving(4, 'cpu', 'utf8', 20_000, undefined, 'bare'),
  receiving(4, 'mainThread', 'utf8', 0),
  receiving(4, 'cpu', 'utf8', 0),
  receiving(4, 'lost', 'utf8', 0),
  beside(
    5,
    'send to callback, one every 50 ms: median',
    'ms',
    { experiment: 'latency', field: 'median' },
    {
      text: '0.1 ms more at most',
      reached: (ours, theirs) => ours.median <= theirs.median + 0.1
    }
  ),
  beside(5, 'send to callback, one every 50 ms: 99 % within', 'ms', {
    experiment: 'latency',
    field: 'p99'
  }),
  beside(
    6,
    'loop blocked for 2 s under 50,000/s: lost of 100,000',
    '',
    { experiment: 'blocked', field: 'lost' },
    { text: 'none', reached: (ours) => ours.most === 0 }
  ),
  beside(
    7,
    'sending every 20 ms, loop blocked 100 of 200 ms: off by, 99 % within',
    'ms',
    { experiment: 'keeping-time', field: 'p99' },
    ratio(1 / 20, '1/20 or less')
  ),
  casting('all threads, of one processor', 'cpu', '%', 100),
  casting('all threads, of one processor', 'cpu', '%', 1_000),
  casting('all threads, of one processor', 'cpu', '%', 10_000, ratio(1 / 3, '1/3 or less')),
  casting('memory each, beside the payload', 'memory', 'bytes', 1_000),
  casting(
    'memory each, beside the payload',
    'memory',
    'bytes',
    10_000,
    atMost(1024, '1,024 bytes or less')
  ),
  casting('threads more', 'threads', '', 10_000, atMost(1, '1')),
  beside(
    11,
    'idle: wake-ups a second',
    '',
    { experiment: 'idle', field: 'wakeUps' },
    atMost(0, 'none')
  ),
  beside(
    11,
    'idle: all threads, of one processor',
    '%',
    { experiment: 'idle', field: 'cpu' },
    atMost(0.05, '0.05 % or less')
  ),
  beside(
    12,
    'require()',
    'ms',
    { experiment: 'starting', field: 'load' },
    atMost(5, '5 ms or less')
  ),
  alone(
    12,
    'close() of a listener and a cast',
    'ms',
    { experiment: 'starting', field: 'close' },
    atMost(5, '5 ms or less')
  ),
  alone(
    14,
    'native binary, as published',
    'kB',
    { experiment: 'size', field: 'binary' },
    atMost(700, '700 kB or less')
  ),
  alone(
    14,
    'packed, with the package of one platform',
    'kB',
    { experiment: 'size', field: 'packed' },
    atMost(350, '350 kB or less')
  )
]

/** What other rows there will be, and why they are not measured. */
const UNMEASURED = [
  { row: 9, what: 'an observer of 1,000 peers', why: 'there is no discover() yet' },
  { row: 10, what: 'memory of a table of 10,000 peers', why: 'there is no discover() yet' },
  { row: 13, what: 'traffic and time of a group', why: 'there is no discover() yet' }
]

module.exports = { ROWS, UNMEASURED }
