'use strict'

// The programs of docs/migrating.md, as they stand there, but for those that need other packages.

const assert = require('node:assert/strict')
const { mkdirSync, readFileSync, symlinkSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const { Page } = require('../scripts/docs/markdown.js')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { temporary } = require('./preload.js')

const ROOT = join(__dirname, '..')
const FILE = join(ROOT, 'docs', 'migrating.md')
const { blocks } = new Page(FILE, readFileSync(FILE, 'utf8'))

/**
 * Writes the program of the page in which all of this stands; there is one.
 *
 * @param {import('node:test').TestContext} t
 * @param {...string} parts
 */
function program(t, ...parts) {
  const found = blocks.filter(({ code }) => parts.every((part) => code.includes(part)))
  assert.equal(found.length, 1, `one program with ${parts.join(', ')}`)
  const [{ code }] = found
  const folder = temporary(t)
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules', 'lan-peers'))
  const file = join(folder, code.startsWith('import ') ? 'program.mjs' : 'program.cjs')
  writeFileSync(file, code)
  return file
}

const node = process.execPath

test(
  'the program with dgram, and the two that take its place, hear each other',
  { skip: needs('lab') },
  async (t) => {
    const { a, b, c } = await hosts(t, 3)
    const before = a.start(node, program(t, "from 'node:cluster'"))
    const heard = b.start(node, program(t, "import { cast, listen } from 'lan-peers'"))
    const seen = c.start(node, program(t, "import { discover } from 'lan-peers'", "lan.on('down'"))
    await before.line(new RegExp(`^server got: \\{"username":"ada"\\} from ${b.address}:`))
    await before.line(new RegExp(`^server got: \\{"lan-peers":.*"ada"\\} from ${c.address}:`))
    await heard.line(new RegExp(`^server got: \\{"username":"ada"\\} from ${a.address}:`))
    await seen.line(new RegExp(`^\\+ ada ${a.address}$`))
    await seen.line(new RegExp(`^\\+ ada ${b.address}$`))
  }
)

for (const [what, port, ...parts] of [
  ['node-discover', '', "require('lan-peers')", "process.argv[2] ?? 'ada' }, {"],
  ['bonjour-service', ':3000', "require('lan-peers')", 'port: 3000']
]) {
  test(
    `those in place of ${what} see each other come and go`,
    { skip: needs('lab') },
    async (t) => {
      const { a, b } = await hosts(t, 2)
      const file = program(t, ...parts)
      const ada = a.start(node, file, 'ada')
      const grace = b.start(node, file, 'grace')
      await ada.line(new RegExp(`^\\+ grace ${b.address}${port}$`))
      await grace.line(new RegExp(`^\\+ ada ${a.address}${port}$`))

      const found = b.start(node, program(t, "import { once } from 'node:events'"))
      await found.line(/^(ada|grace)$/)
      assert.deepEqual(await found.end(), { code: 0, signal: null })

      grace.child.kill('SIGINT')
      await ada.line(/^- grace \(bye\)$/)
    }
  )
}
