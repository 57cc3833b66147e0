'use strict'

/**
 * @param {number[]} values at least one
 * @param {number} part 0.5 for the median
 */
function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}

/**
 * The value in the middle; of an even number of values the mean of both.
 *
 * @param {number[]} values at least one
 */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/**
 * @param {number[]} values
 * @returns {{ median: number, least: number, most: number }}
 */
const summary = (values) => ({
  median: median(values),
  least: Math.min(...values),
  most: Math.max(...values)
})

module.exports = { quantile, summary }
