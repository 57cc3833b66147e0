'use strict'

// What was measured, as a table in Markdown.

/**
 * @typedef {import('./index.js').Report} Report
 * @typedef {import('./index.js').Figure} Figure
 * @typedef {import('./rows.js').Summary} Summary
 */

/** A number with three digits that count. */
function digits(/** @type {number} */ value) {
  if (value === 0) return '0'
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  const [whole, part] = value.toFixed(Math.min(places, 3)).split('.')
  return (
    Number(whole)
      .toLocaleString('en')
      .replace(/^0$/, value < 0 ? '-0' : '0') + (part ? `.${part}` : '')
  )
}

/**
 * @param {Summary | undefined} figures
 * @param {string} unit
 */
function cell(figures, unit) {
  if (figures === undefined) return ''
  const { median, least, most } = figures
  const value = unit === '' ? digits(median) : `${digits(median)} ${unit}`
  return least === most ? value : `${value} (${digits(least)} to ${digits(most)})`
}

/** @param {Figure} figure */
function ratio({ ours, theirs }) {
  if (!theirs || !(theirs.median > 0) || !(ours.median > 0)) return ''
  const times = ours.median / theirs.median
  return times < 1 ? `1/${(1 / times).toFixed(1)}` : times.toFixed(2)
}

/** @param {Figure} figure */
function verdict({ goal, reached }) {
  if (goal === undefined) return ''
  return `${goal}: ${reached ? 'reached' : '**not reached**'}`
}

/**
 * Of what, when and where.
 *
 * @param {Report} report
 */
function conditions({ date, machine, system, node, rust, version, versions, runs }) {
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}, `)
  return `lan-peers ${version}, ${others.join('')}${date}; ${machine}, ${system}, Node ${node}, Rust ${rust}. Medians of ${runs} runs (least to most).`
}

/** @param {Report} report */
function table(report) {
  const { figures, unmeasured } = report
  const lines = [
    conditions(report),
    '',
    '| # | what | lan-peers | beside | | ratio | to reach |',
    '| - | ---- | --------- | ------ | - | ----- | -------- |',
    ...figures.map((figure) => {
      const { row, what, unit, ours, against = '', theirs } = figure
      const cells = [
        row,
        what,
        cell(ours, unit),
        against,
        cell(theirs, unit),
        ratio(figure),
        verdict(figure)
      ]
      return `| ${cells.join(' | ')} |`
    })
  ]
  if (unmeasured.length > 0) lines.push('')
  for (const { row, what, why } of unmeasured) lines.push(`Not measured: ${row}, ${what}: ${why}.`)
  return lines.join('\n')
}

module.exports = { cell, conditions, ratio, table }
