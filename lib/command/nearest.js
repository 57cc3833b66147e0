'use strict'

/** How many letters may be wrong. */
const WRONG = 2

/**
 * How many letters have to be put in, left out or changed to make one word of another (Levenshtein).
 *
 * @param {string} a
 * @param {string} b
 */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}

/**
 * Words about the one that may have been meant; none if none is near.
 *
 * @param {string} word
 * @param {readonly string[]} words
 */
function suggestion(word, words) {
  const near = words
    .map((one) => ({ one, far: distance(word, one) }))
    .filter(({ far }) => far <= WRONG)
    .toSorted((a, b) => a.far - b.far)
  return near.length > 0 ? `; did you mean ${near[0].one}?` : ''
}

module.exports = { suggestion }
