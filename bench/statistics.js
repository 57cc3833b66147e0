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
 * @param {number[]} values
 * @returns {{ median: number, least: number, most: number }}
 */
const summary = (values) => ({
  median: quantile(values, 0.5),
  least: Math.min(...values),
  most: Math.max(...values)
})

module.exports = { quantile, summary }
