'use strict'

// Writes what was measured into the README:
//
//   npm run --silent bench -- --json | node bench/readme.js

const { execFileSync } = require('node:child_process')
const { readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { ROOT } = require('./programs.js')
const { cell, conditions, ratio } = require('./table.js')

/** Around what is written. */
const [BEGIN, END] = ['<!-- written by bench/readme.js -->\n', '<!-- end -->\n']

/** @type {import('./index.js').Report} */
const report = JSON.parse(readFileSync(0, 'utf8'))

const rows = report.figures
  .filter(({ goal, detail }) => goal !== undefined && !detail)
  .map((figure) => {
    const { what, unit, ours, theirs, against } = figure
    const beside = theirs && against !== 'dgram' ? ` (${against})` : ''
    return `| ${what} | ${cell(ours, unit)} | ${cell(theirs, unit)}${beside} | ${ratio(figure)} |`
  })
const written = [
  conditions(report),
  '',
  '| | lan-peers | dgram | ratio |',
  '| - | - | - | - |',
  ...rows
].join('\n')

const path = join(ROOT, 'README.md')
const readme = readFileSync(path, 'utf8')
const [before, rest] = readme.split(BEGIN)
const after = rest?.split(END)[1]
if (after === undefined) throw new Error(`${path} has no ${BEGIN}... ${END}`)
writeFileSync(path, `${before}${BEGIN}\n${written}\n\n${END}${after}`)
execFileSync('npx', ['prettier', '--write', '--log-level', 'warn', path], { stdio: 'inherit' })
