'use strict'

// Checks every page in Markdown that git does not ignore, and the comments of index.d.ts: links, code, commands, tables of options.
// Prints a line for each thing that is wrong, and ends with 1 if there is one.
//
//   node scripts/check-docs.js [--urls] [PAGE]...   these pages alone; --urls prints the web addresses that they link to
//
// - A link leads to a file that git does not ignore, and to a heading of it. Web addresses are only parsed: there is no network.
// - A fenced block names its language. What can be done to check it is in LANGUAGES.
// - `js` is parsed, and its types are checked with those of this checkout. A block sees the names that earlier blocks of
//   its page declare.
// - Commands, in `sh` and in code in the text, are of this repository: scripts, files, flags of lan-peers.
// - A table whose first column is `option` has options of index.d.ts, with their defaults.
//
// A comment `<!-- given: name, 'module', npm run dist -->` says what is the reader's own: names, from there on, and modules
// that may be anything, and commands that are not looked for.

const { spawnSync } = require('node:child_process')
const { existsSync, readFileSync } = require('node:fs')
const { dirname, join, relative, resolve } = require('node:path')
const { parseArgs } = require('node:util')
const prettier = require('prettier')
const { checkCode } = require('./docs/code.js')
const { Commands } = require('./docs/commands.js')
const { Page } = require('./docs/markdown.js')
const { checkOptions } = require('./docs/options.js')

const ROOT = join(__dirname, '..')

/**
 * @typedef {import('./docs/markdown.js').Block} Block
 *
 * @typedef {object} Problem
 * @property {string} file
 * @property {number} line from 1
 * @property {string} message
 */

/**
 * What is done with a block, by its language; `null` if nothing can be.
 *
 * @type {Record<string, null | ((block: Block) => string | undefined | Promise<string | undefined>)>}
 */
const LANGUAGES = {
  // By checkCode, the whole page at once.
  js: null,
  ts: null,
  json: ({ code }) => reasonOf(() => JSON.parse(code)),
  sh({ code }) {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: code, encoding: 'utf8' })
    return status === 0 ? undefined : stderr.trim()
  },
  yaml: prettierParses('yaml'),
  html: prettierParses('html'),
  css: prettierParses('css'),
  ini({ code }) {
    const line = code.split('\n').find((each) => !/^\s*([#;].*|\[.+\]|[^=\s][^=]*=.*)?$/.test(each))
    return line === undefined ? undefined : `neither a section nor a setting: ${line}`
  },
  dockerfile: null,
  powershell: null,
  toml: null,
  xml: null,
  diff: null,
  text: null
}

/** @param {() => void} parse */
function reasonOf(parse) {
  try {
    parse()
  } catch (error) {
    return firstLine(error)
  }
}

/** @param {unknown} error */
const firstLine = (error) => (error instanceof Error ? error.message : String(error)).split('\n')[0]

/** @param {string} parser */
function prettierParses(parser) {
  return (/** @type {Block} */ { code }) =>
    prettier.format(code, { parser }).then(() => undefined, firstLine)
}

/** All files that git tracks, or does not ignore, by their path from the root. */
function filesOfGit() {
  const { status, stdout, stderr } = spawnSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: ROOT,
      encoding: 'utf8'
    }
  )
  if (status !== 0) throw new Error(`git does not tell its files: ${stderr}`)
  return stdout.split('\0').filter((file) => file && existsSync(join(ROOT, file)))
}

/**
 * Checks pages.
 *
 * @param {Page[]} pages
 * @param {string[]} files of git
 */
async function check(pages, files) {
  /** @type {Problem[]} */
  const problems = []
  const declaration = new Page(
    join(ROOT, 'index.d.ts'),
    readFileSync(join(ROOT, 'index.d.ts'), 'utf8')
  )
  const known = new Map([...pages, declaration].map((page) => [page.file, page]))
  const commands = new Commands(ROOT)
  const ofGit = new Set(files)
  for (const page of pages) {
    /** @param {number} line @param {string | undefined} message */
    const tell = (line, message) => {
      if (message !== undefined) problems.push({ file: page.file, line, message })
    }
    for (const { line, target } of page.links) tell(line, wrongLink(page, target, known, ofGit))
    for (const block of page.blocks) {
      tell(block.line, await wrongBlock(block))
      if (block.language === 'sh') {
        for (const { line, message } of commands.ofScript(block.code, page.given)) {
          tell(block.line + line, message)
        }
      }
    }
    for (const { line, code } of page.spans) {
      tell(line, commands.ofSpan(code, page.given))
    }
  }
  const { program, problems: ofCode } = checkCode(pages, declaration, ROOT)
  problems.push(...ofCode, ...checkOptions(pages, ROOT, program))
  return problems.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
}

/**
 * @param {Block} block
 */
function wrongBlock(block) {
  if (block.language === '') return 'a block without a language; what a program prints is `text`'
  if (!Object.hasOwn(LANGUAGES, block.language)) {
    return `the language ${block.language} is none of ${Object.keys(LANGUAGES).join(', ')}`
  }
  if (block.end === undefined) return 'a block that does not end'
  return LANGUAGES[block.language]?.(block)
}

/**
 * What is wrong with a link.
 *
 * @param {Page} page that it is on
 * @param {string} target
 * @param {Map<string, Page>} known pages that have been read, by their path
 * @param {Set<string>} files of git
 */
function wrongLink(page, target, known, files) {
  if (/^[a-z][a-z+.-]*:/i.test(target)) {
    if (!URL.canParse(target)) return `no web address: ${target}`
    const { protocol } = new URL(target)
    return ['http:', 'https:', 'mailto:'].includes(protocol) ? undefined : `no link: ${target}`
  }
  const [path, anchor] = target.split('#')
  const file = path === '' ? page.file : resolve(dirname(page.file), decodeURI(path))
  if (!existsSync(file)) return `a link to what is not there: ${target}`
  const inside = relative(ROOT, file)
  if (!inside.startsWith('..') && !isOfGit(inside, files) && file !== page.file) {
    return `a link to what git ignores: ${target}`
  }
  if (anchor === undefined) return
  if (!file.endsWith('.md')) return
  if (!known.has(file)) known.set(file, new Page(file, readFileSync(file, 'utf8')))
  if (!known.get(file)?.anchors.has(anchor))
    return `a link to a heading that is not there: ${target}`
}

/**
 * @param {string} path from the root
 * @param {Set<string>} files
 */
const isOfGit = (path, files) =>
  files.has(path) || [...files].some((file) => file.startsWith(path === '' ? '' : `${path}/`))

async function main() {
  const { values, positionals } = parseArgs({
    options: { urls: { type: 'boolean', default: false } },
    allowPositionals: true
  })
  const files = filesOfGit()
  const named = positionals.length > 0 ? positionals : files.filter((file) => file.endsWith('.md'))
  const pages = named.map((name) => {
    const file = positionals.length > 0 ? resolve(name) : join(ROOT, name)
    return new Page(file, readFileSync(file, 'utf8'))
  })
  if (values.urls) {
    for (const { links } of pages) {
      for (const { target } of links) if (URL.canParse(target)) console.log(target)
    }
  }
  const problems = await check(pages, files)
  for (const { file, line, message } of problems) {
    console.log(`${relative(process.cwd(), file)}:${line}: ${message}`)
  }
  if (problems.length > 0) process.exitCode = 1
}

void main()
