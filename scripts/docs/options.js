'use strict'

// Whether the tables of options on pages, and the links in the comments of index.d.ts, say what index.d.ts declares.

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const ts = require('typescript')
const { lineOf } = require('./markdown.js')

/**
 * @typedef {import('./markdown.js').Page} Page
 * @typedef {import('../check-docs.js').Problem} Problem
 * @typedef {Map<string, string | undefined>} Options the default of each, as its comment says
 */

/** @type {Record<string, string>} */
const OPTIONS_OF = {
  listen: 'ListenOptions',
  cast: 'CastOptions',
  discover: 'DiscoverOptions',
  diagnose: 'DiagnoseOptions'
}

/**
 * Checks the tables whose first column is `option`: those of the functions that the column `of` names, where `both` is `listen`
 * and `cast`, or else the heading.
 *
 * @param {Page[]} pages
 * @param {string} root
 * @param {import('typescript').Program} program that has index.d.ts
 */
function checkOptions(pages, root, program) {
  const file = join(root, 'index.d.ts')
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source && checker.getSymbolAtLocation(source)
  if (source === undefined || module === undefined) throw new Error(`tsc does not know ${file}`)
  const exported = checker.getExportsOfModule(module)

  /** @type {Problem[]} */
  const problems = wrongComments(source, exported, checker, root)
  for (const page of pages) {
    for (const { heading, columns, rows } of page.tables) {
      if (columns[0] !== 'option') continue
      for (const { line, cells } of rows) {
        const [option] = codeIn(cells[0])
        const of = cells[columns.indexOf('of')] ?? heading
        for (const name of functionsIn(of.replace('both', 'listen, cast'))) {
          const options = optionsOf(exported, checker, name)
          const message = wrongOption(name, option, cells[columns.indexOf('default')], options)
          if (message !== undefined) problems.push({ file: page.file, line, message })
        }
      }
    }
  }
  return problems
}

/** @param {string} text */
const functionsIn = (text) => Object.keys(OPTIONS_OF).filter((name) => text.includes(name))

/** @param {string} text */
const codeIn = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code)

/**
 * @param {import('typescript').Symbol[]} exported
 * @param {import('typescript').TypeChecker} checker
 * @param {string} name of a function
 * @returns {Options}
 */
function optionsOf(exported, checker, name) {
  const symbol = exported.find((each) => each.name === OPTIONS_OF[name])
  if (symbol === undefined) throw new Error(`index.d.ts has no ${OPTIONS_OF[name]}`)
  const properties = checker.getDeclaredTypeOfSymbol(symbol).getProperties()
  return new Map(
    properties.map((property) => {
      const tag = property.getJsDocTags(checker).find((each) => each.name === 'default')
      const said = tag && ts.displayPartsToString(tag.text)
      // `'224.0.0.1'; of `discover` `['224.0.0.1', 'ff02::1']``
      const [, common, other, others] = said?.match(/^(.*); of `(\w+)` `(.*)`$/s) ?? []
      return [property.name, other === undefined ? said : other === name ? others : common]
    })
  )
}

/**
 * @param {string} name of the function
 * @param {string | undefined} option
 * @param {string | undefined} cell that says its default
 * @param {Options} options
 */
function wrongOption(name, option, cell, options) {
  if (option === undefined) return 'an option that is not in backticks'
  if (!options.has(option)) return `${name} has no option ${option}`
  if (cell === undefined) return
  const declared = options.get(option)
  const [code] = codeIn(cell)
  const isSame =
    cell === '-'
      ? declared === undefined
      : code === undefined
        ? declared?.includes(cell)
        : declared !== undefined &&
          declared.startsWith(code) &&
          !/^[\w.]/.test(declared.slice(code.length))
  if (!isSame) return `the default of ${option} of ${name} is ${declared ?? 'none'}, not ${cell}`
}

/**
 * What the comments of a declaration link to that is not there.
 *
 * @param {import('typescript').SourceFile} source
 * @param {import('typescript').Symbol[]} exported
 * @param {import('typescript').TypeChecker} checker
 * @param {string} root
 */
function wrongComments(source, exported, checker, root) {
  /** @type {Problem[]} */
  const problems = []
  for (const { 0: link, 1: target, index } of source.text.matchAll(/\{@link ([\w.]+)\}/g)) {
    const [name, member] = target.split('.')
    const symbol = exported.find((each) => each.name === name)
    const properties = symbol && checker.getDeclaredTypeOfSymbol(symbol).getProperties()
    const isThere = symbol && (!member || properties?.some((each) => each.name === member))
    if (!isThere) tell(index, `a link to what is not there: ${link}`)
  }
  for (const { 0: page, index } of source.text.matchAll(/\bdocs\/[\w-]+\.md\b/g)) {
    if (!existsSync(join(root, page))) tell(index, `there is no ${page}`)
  }
  /** @param {number} at @param {string} message */
  function tell(at, message) {
    problems.push({ file: source.fileName, line: lineOf(source.text, at), message })
  }
  return problems
}

module.exports = { checkOptions }
