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
 * @property {boolean} [detail] the README does without it
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
 * A row of what is done with an announcement of 100 bytes of data.
 *
 * @param {string} field
 * @param {string} what
 * @param {string} [other]
 * @returns {Row}
 */
function sealing(field, what, other) {
  const text = `an announcement ${what}`
  const measured = { experiment: 'sealing', field }
  return other ? beside(15, text, 'us', { ...measured, other }) : alone(15, text, 'us', measured)
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

/** For how many seconds so many peers are observed. */
const SECONDS = /** @type {Record<number, number>} */ ({ 100: 10, 1_000: 30, 10_000: 10 })

/**
 * What it costs to know peers that announce themselves once a second.
 *
 * @param {'mainThread' | 'steady' | 'cpu'} field
 * @param {number} peers
 * @param {string} other
 * @param {Goal} [goal]
 */
function observing(field, peers, other, goal) {
  const seconds = SECONDS[peers]
  const of = {
    mainThread: 'main thread',
    steady: 'main thread, each second once all have come',
    cpu: 'all threads'
  }
  const text = `knowing ${thousands(peers)} peers for ${seconds} s: ${of[field]}`
  const plan = { peers, seconds }
  return beside(9, text, 'ms', { experiment: 'observing', plan, field, other }, goal)
}

/** Others whom a group is set beside: what they would need is reckoned. */
const BEACONS = 'beacons every 2 s'
const MDNS = 'mDNS'

/** Seconds within which a newcomer is to know 99 %, by the number of peers and the part that is lost. */
const KNOWS = /** @type {Record<number, Record<number, number>>} */ ({
  10: { 0: 0.15 },
  1_000: { 0: 1.2, 0.1: 4 },
  10_000: { 0: 8, 0.1: 15 }
})

const within = (/** @type {number} */ seconds) => atMost(seconds, `${seconds} s or less`)

/**
 * How a group of so many does, on a simulated network and clock: that many who know each other send what they send, and one
 * who comes to them is simulated whole. It looks for ten hours.
 *
 * @param {number} peers
 * @param {number} loss the part that is lost on the way to each
 * @returns {Row[]}
 */
function group(peers, loss) {
  const plan = { peers, loss }
  const among = loss === 0 ? '' : `, ${loss * 100} % lost`
  /**
   * @param {string} text
   * @param {string} field
   * @param {string} unit
   * @param {string[]} others
   * @param {Goal} [goal]
   */
  const lines = (text, field, unit, others, goal) =>
    others.map((other, i) => ({
      ...beside(
        13,
        `${thousands(peers)} peers${among}: ${text}`,
        unit,
        { experiment: 'scale', plan, field, other },
        i === 0 ? goal : undefined
      ),
      detail: peers !== 1_000
    }))
  const knows = KNOWS[peers]?.[loss]
  // What 3.5 intervals are, where all make 50 announcements a second; and a tenth of a second to look.
  const lifetime = 3.5 * Math.max(2, peers / 50) + 0.1
  const none = { text: 'none', reached: (/** @type {Summary} */ ours) => ours.most === 0 }
  // What is lost was sent all the same.
  const traffic = [
    lines(
      'datagrams to the group a second',
      'groupASecond',
      '',
      [BEACONS, MDNS],
      atMost(55, '55 or less')
    ),
    lines('datagrams to the group for a newcomer', 'asked', '', [MDNS])
  ]
  return [
    ...(loss === 0 ? traffic : []),
    lines(
      'newcomer knows 99 % after',
      'knows',
      's',
      [BEACONS, MDNS],
      knows ? within(knows) : undefined
    ),
    lines(
      'newcomer is known to 99 % after',
      'isKnown',
      's',
      [BEACONS],
      loss === 0 ? within(0.1) : undefined
    ),
    lines('crash noticed after', 'crash', 's', [BEACONS, MDNS], within(lifetime)),
    lines(
      'goodbye noticed after',
      'goodbye',
      'ms',
      [BEACONS],
      loss === 0 ? atMost(100, '100 ms or less') : undefined
    ),
    lines('living peers thought gone, an hour', 'falseAlarms', '', [BEACONS], none)
  ].flat()
}

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
  observing('mainThread', 100, 'dgram'),
  observing('mainThread', 100, 'node-discover'),
  observing('mainThread', 100, 'bonjour-service'),
  observing('mainThread', 1_000, 'dgram', ratio(1 / 50, '1/50 or less')),
  observing('mainThread', 1_000, 'node-discover', ratio(1 / 50, '1/50 or less')),
  observing('mainThread', 1_000, 'bonjour-service', ratio(1 / 50, '1/50 or less')),
  observing('steady', 1_000, 'dgram', ratio(1 / 50, '1/50 or less')),
  observing('steady', 1_000, 'node-discover', ratio(1 / 50, '1/50 or less')),
  observing('steady', 1_000, 'bonjour-service', ratio(1 / 50, '1/50 or less')),
  observing('mainThread', 10_000, 'dgram'),
  observing('mainThread', 10_000, 'node-discover'),
  observing('mainThread', 10_000, 'bonjour-service'),
  observing('cpu', 100, 'dgram'),
  observing('cpu', 1_000, 'dgram'),
  observing('cpu', 1_000, 'node-discover'),
  observing('cpu', 1_000, 'bonjour-service'),
  observing('cpu', 10_000, 'dgram'),
  observing('cpu', 10_000, 'node-discover'),
  beside(
    10,
    'a table of 10,000 peers: memory each, beside what they announce',
    'bytes',
    { experiment: 'remembering', plan: { peers: 10_000 }, field: 'memory', other: 'node-discover' },
    atMost(1536, '1,536 bytes or less')
  ),
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
  ...[10, 100, 1_000, 10_000].flatMap((peers) => [0, 0.1].flatMap((loss) => group(peers, loss))),
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
  ),
  sealing('make', 'made, without a key'),
  sealing('seal', 'sealed', 'node:crypto'),
  sealing('read', 'read, without a key'),
  sealing('open', 'opened', 'node:crypto'),
  sealing('refuse', 'refused, as it was changed')
]

module.exports = { ROWS }
