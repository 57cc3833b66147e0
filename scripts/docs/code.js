'use strict'

// The types of what pages show in JavaScript and TypeScript, with those of this checkout.

const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const ts = require('typescript')

/**
 * @typedef {import('./markdown.js').Page} Page
 * @typedef {import('../check-docs.js').Problem} Problem
 */

/** What only a cast could mend in JavaScript: something is `unknown`, such as what comes from the network. */
const UNKNOWN = new Set([2571, 18046])

/** Cannot find name, module. */
const NOT_FOUND = new Set([2304, 2307])

/**
 * Checks the blocks in `js` and `ts` of pages, and the examples of index.d.ts.
 *
 * Of each page's JavaScript one file is made, with each line where it was on the page, and a function for each block that ends
 * with the page: so a block sees the names of those before it, and may declare them anew. A block in TypeScript is a file.
 *
 * @param {Page[]} pages
 * @param {Page} declaration
 * @param {string} root
 * @returns {{ problems: Problem[], program: import('typescript').Program }} the program has index.d.ts, too
 */
function checkCode(pages, declaration, root) {
  /** @type {Problem[]} */
  const problems = []
  /** @type {Map<string, { page: Page, text: string }>} by the path that it seems to have */
  const files = new Map()
  /** @type {Set<string>} */
  const modules = new Set()
  for (const [index, page] of [...pages, declaration].entries()) {
    const isDeclaration = page === declaration
    const blocks = isDeclaration ? examplesOf(page) : page.blocks
    const lines = page.lines.map(() => '')
    let depth = 0
    if (isDeclaration) {
      lines[0] =
        ";(async () => { const { cast, diagnose, discover, interfaces, listen } = require('lan-peers'); "
      depth++
    }
    for (const { line, names } of page.given) {
      const own = names.filter((name) => /^[\w$]+$/.test(name))
      for (const name of names) if (/^'.+'$/.test(name)) modules.add(name.slice(1, -1))
      if (own.length === 0) continue
      lines[line - 1] = `;(async (/** @type {any[]} */ ...[${own.join(', ')}]) => { `
      depth++
    }
    for (const { language, line, code } of blocks) {
      if (language !== 'js' && language !== 'ts') continue
      const wrong = syntaxOf(code, language)
      if (wrong.length > 0) {
        // What follows the first is mostly of its making.
        problems.push({ file: page.file, line: line + 1 + wrong[0].at, message: wrong[0].message })
        continue
      }
      const own = page.given.filter((given) => given.line < line).flatMap(({ names }) => names)
      if (language === 'ts') {
        const given = own.filter((name) => /^[\w$]+$/.test(name))
        const before = given.map((name) => `declare const ${name}: any; `).join('')
        const text = `${'\n'.repeat(line - 1)}${before}\n${code}`
        files.set(join(root, `page-${index}-${line}.mts`), { page, text })
      } else {
        lines[line - 1] += ';(async () => { '
        depth++
        for (const [at, text] of inFunction(code).split('\n').entries()) lines[line + at] = text
      }
    }
    const text = `${lines.join('\n')} ${'})()'.repeat(depth)}\n`
    files.set(join(root, `page-${index}.cjs`), { page, text })
  }
  const given = join(root, 'pages-given.d.cts')
  const ambient = [...modules].map((name) => `declare module '${name}'\n`).join('')
  const program = compile(new Map([...files].map(([file, { text }]) => [file, text])), root, {
    [given]: ambient
  })
  for (const [file, { page }] of files) {
    const source = program.getSourceFile(file)
    if (source === undefined) throw new Error(`tsc does not know ${file}`)
    /** @param {number} at @param {string} message */
    const tell = (at, message) => {
      const line = source.getLineAndCharacterOfPosition(at).line + 1
      problems.push({ file: page.file, line, message })
    }
    const found = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source)
    ]
    for (const { code, start = 0, messageText } of found) {
      if (file.endsWith('.cjs') && UNKNOWN.has(code)) continue
      const hint = NOT_FOUND.has(code) ? " If it is the reader's, a comment says `given`." : ''
      tell(start, ts.flattenDiagnosticMessageText(messageText, ' ') + hint)
    }
  }
  return { problems, program }
}

/**
 * The examples in the comments of a declaration.
 *
 * @param {Page} page
 */
function examplesOf({ lines }) {
  /** @type {{ language: string, line: number, code: string }[]} */
  const examples = []
  let isOpen = false
  for (const [index, line] of lines.entries()) {
    const said = line.match(/^\s*\* ?(.*)$/)?.[1]
    if (said === undefined || said === '/' || said.startsWith('@')) isOpen = false
    if (said === '@example') {
      isOpen = true
      examples.push({ language: 'js', line: index + 1, code: '' })
    } else if (isOpen) {
      const example = examples[examples.length - 1]
      example.code += `${said}\n`
    }
  }
  return examples
}

/**
 * What cannot be parsed of a block, or not be run as it is.
 *
 * @param {string} code
 * @param {'js' | 'ts'} language
 */
function syntaxOf(code, language) {
  const fileName = language === 'js' ? 'block.mjs' : 'block.mts'
  const { diagnostics = [] } = ts.transpileModule(code, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: { allowJs: true, target: ts.ScriptTarget.ES2022 }
  })
  const wrong = diagnostics.map(({ start = 0, messageText }) => ({
    at: code.slice(0, start).split('\n').length - 1,
    message: ts.flattenDiagnosticMessageText(messageText, ' ')
  }))
  if (wrong.length > 0 || language === 'ts') return wrong
  let requires = false
  let isModule = false
  forEachIn(parse(code), (node) => {
    if (ts.isCallExpression(node) && node.expression.getText() === 'require') requires = true
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) isModule = true
    const waits = ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)
    if (waits && !ts.findAncestor(node, ts.isFunctionLike)) isModule = true
  })
  if (requires && isModule) {
    wrong.push({
      at: 0,
      message: 'require() together with import, export or await outside of functions'
    })
  }
  return wrong
}

/** @param {string} code */
const parse = (code) => ts.createSourceFile('block.mjs', code, ts.ScriptTarget.ES2022, true)

/**
 * @param {import('typescript').Node} node
 * @param {(node: import('typescript').Node) => void} visit
 */
function forEachIn(node, visit) {
  visit(node)
  ts.forEachChild(node, (child) => forEachIn(child, visit))
}

/**
 * A block as it can stand in an asynchronous function, where no imports and exports may be; on as many lines.
 *
 * @param {string} code
 */
function inFunction(code) {
  let text = code
  for (const node of parse(code).statements.toReversed()) {
    const start = node.getStart()
    const end = ts.isImportDeclaration(node) ? node.end : start
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings
      const names = bindings && ts.isNamedImports(bindings) ? bindings.elements : []
      const parts = names.map(({ propertyName, name }) =>
        propertyName ? `${propertyName.getText()}: ${name.getText()}` : name.getText()
      )
      const whole = bindings && ts.isNamespaceImport(bindings) ? bindings.name.getText() : undefined
      const what = whole ?? `{ ${parts.join(', ')} }`
      const from = node.moduleSpecifier.getText()
      // What is exported by default is what import() says; require() gives it otherwise.
      const main = node.importClause?.name?.getText()
      const replaced =
        (main ? `const { default: ${main} } = await import(${from}); ` : '') +
        (bindings || !main ? `const ${what} = require(${from})` : '')
      const breaks = code.slice(start, end).split('\n').length - 1
      text = text.slice(0, start) + replaced + '\n'.repeat(breaks) + text.slice(end)
    } else if (/^export\b/.test(code.slice(start))) {
      const rest = text.slice(start)
      text =
        text.slice(0, start) + rest.replace(/^export default\b/, 'void').replace(/^export\b/, '')
    }
  }
  return text
}

/**
 * @param {Map<string, string>} files
 * @param {string} root
 * @param {Record<string, string>} ambient
 */
function compile(files, root, ambient) {
  const texts = new Map([...files, ...Object.entries(ambient)])
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (file) =>
    readFileSync(file, 'utf8')
  )
  const { options } = ts.convertCompilerOptionsFromJson(config.config.compilerOptions, root)
  Object.assign(options, {
    // Pages show JavaScript as people write it, without JSDoc.
    noImplicitAny: false,
    useUnknownInCatchVariables: false,
    noUnusedLocals: false,
    allowUnreachableCode: true,
    skipLibCheck: true,
    moduleDetection: ts.ModuleDetectionKind.Force
  })
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.getSourceFile = (file, version, ...rest) => {
    const text = texts.get(file)
    return text === undefined
      ? getSourceFile(file, version, ...rest)
      : ts.createSourceFile(file, text, version, true)
  }
  host.fileExists = (file) => texts.has(file) || fileExists(file)
  host.readFile = (file) => texts.get(file) ?? readFile(file)
  host.getCurrentDirectory = () => root
  return ts.createProgram([...texts.keys()], options, host)
}

module.exports = { checkCode }
