'use strict'

// How a group does that grows: simulated for us by bench/scale.rs, reckoned for others.

const { execFileSync } = require('node:child_process')
const { join } = require('node:path')
const { ROOT } = require('../programs.js')

/** It is built as a bench of Rust is, beside what the addon is built from. */
const TARGET = join(ROOT, 'target', 'scale')

/** Whoever knows so many, or is known to so many, is done. */
const ENOUGH = 0.99

/** When the part that has been heard, which time makes larger, is enough: seconds. */
function when(/** @type {(seconds: number) => number} */ heard) {
  let hundredths = 0
  while (heard(hundredths / 100) < ENOUGH - 1e-9) hundredths++
  return hundredths / 100
}

/**
 * Each announces itself every 2 s, at a moment of its own, and is gone after 3.5 times that: when three in a row are lost.
 *
 * @param {number} peers
 * @param {number} loss
 */
function beacons(peers, loss) {
  const [every, lifetime] = [2, 7]
  // The part of whom one or more of their announcements have arrived.
  const ofEach = (/** @type {number} */ count) => 1 - loss ** count
  const heard = (/** @type {number} */ seconds) => {
    const whole = Math.floor(seconds / every)
    const part = seconds / every - whole
    return ofEach(whole) * (1 - part) + ofEach(whole + 1) * part
  }
  return {
    groupASecond: peers / every,
    knows: when(heard),
    // The first is sent at once.
    isKnown: when((seconds) => ofEach(1 + Math.floor(seconds / every))),
    crash: lifetime,
    goodbye: lifetime * 1000,
    falseAlarms: ((peers * 3600) / every) * (1 - loss) * loss ** 3
  }
}

/**
 * One service each, as RFC 6762 has it: records of hosts live for 120 s (10) and are asked for anew at four fifths of that (5.2),
 * once for all (7.3), to the group as the answer is.
 *
 * @param {number} peers
 * @param {number} loss
 */
function mDNS(peers, loss) {
  const lifetime = 120
  // A question and an answer arrive; asked after 0, 1 and 3 s (5.2), answered within 20 to 120 ms (6).
  const isAnswered = (1 - loss) ** 2
  const asked = [0, 1, 3, 7]
  const heard = (/** @type {number} */ seconds) => {
    const parts = asked.map((at) => Math.min(1, Math.max(0, (seconds - at - 0.02) / 0.1)))
    return 1 - parts.reduce((unheard, part) => unheard * (1 - part * isAnswered), 1)
  }
  return {
    groupASecond: (2 * peers) / (0.8 * lifetime),
    // Three probes (8.1), two announcements (8.3), a question, and all answers.
    asked: 3 + 2 + 1 + peers,
    knows: when(heard),
    crash: lifetime
  }
}

/** @type {Record<string, (peers: number, loss: number) => import('../experiment.js').Result>} */
const OTHERS = { 'beacons every 2 s': beacons, mDNS }

/** @type {import('../experiment.js').Experiment} */
module.exports = {
  /**
   * Gives seconds, of the goodbye milliseconds; and numbers of datagrams, and of peers thought gone in an hour. Each run has
   * its own chance.
   */
  async measure({ contender, peers, loss }, run) {
    if (contender in OTHERS) return OTHERS[contender](peers, loss)
    const args = ['bench', '--locked', '--quiet', '--target-dir', TARGET, '--bench', 'scale', '--']
    const text = execFileSync('cargo', [...args, peers, loss, run].map(String), { cwd: ROOT })
    return JSON.parse(String(text))
  }
}
