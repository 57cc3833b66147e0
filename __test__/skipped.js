'use strict'

// A reporter of node:test: at the end how many tests passed, failed and were skipped; why, and how to get what they need.

const { remedies } = require('./needs.js')

/** @param {AsyncIterable<{ type: string, data: any }>} events */
module.exports = async function* skipped(events) {
  const counts = /** @type {Record<string, number>} */ ({})
  /** How many for each reason; a suite that is skipped counts once, however many tests it has. */
  const tests = /** @type {Map<string, number>} */ (new Map())
  const suites = /** @type {Map<string, number>} */ (new Map())
  for await (const { type, data } of events) {
    // The runner's own counts: it prints them last.
    const [, count, number] =
      (type === 'test:diagnostic' && /^(\w+) (\d+)$/.exec(data.message)) || []
    if (count !== undefined && data.nesting === 0) counts[count] = Number(number)
    if (type === 'test:pass' && data.skip !== undefined) {
      const reasons = data.details.type === 'suite' ? suites : tests
      const reason = data.skip === true ? 'no reason given' : data.skip
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
  }
  yield `\n${counts.pass} passed, ${counts.fail} failed, ${counts.skipped} skipped\n`
  for (const [reason, number] of tests) yield `  skipped tests: ${number}, ${reason}\n`
  for (const [reason, number] of suites) yield `  skipped suites: ${number}, ${reason}\n`
  for (const remedy of remedies([...tests.keys(), ...suites.keys()])) yield `  ${remedy}\n`
}
