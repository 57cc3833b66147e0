'use strict'

// A reporter of node:test: at the end how many passed, failed and were skipped, and for each reason how many.

/** @param {AsyncIterable<{ type: string, data: any }>} events */
module.exports = async function* skipped(events) {
  const counts = /** @type {Record<string, number>} */ ({})
  const lines = /** @type {Map<string, number>} */ (new Map())
  for await (const { type, data } of events) {
    // The runner's own counts: it prints them last.
    const [, count, number] =
      (type === 'test:diagnostic' && /^(\w+) (\d+)$/.exec(data.message)) || []
    if (count !== undefined && data.nesting === 0) counts[count] = Number(number)
    if (type === 'test:pass' && data.skip !== undefined) {
      // A suite that is skipped counts once, however many tests it has.
      const what = data.details.type === 'suite' ? 'suites' : 'tests'
      const line = `${what} skipped: ${data.skip === true ? 'no reason given' : data.skip}`
      lines.set(line, (lines.get(line) ?? 0) + 1)
    }
  }
  yield `\n${counts.pass} passed, ${counts.fail} failed, ${counts.skipped} skipped\n`
  for (const [line, number] of lines) yield `${number} ${line}\n`
}
