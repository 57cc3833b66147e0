'use strict'

// What pages say is checked by scripts/check-docs, and it finds what it is there to find.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { before, after, describe, it } = require('node:test')

const ROOT = join(__dirname, '..')

/** @param {string[]} pages */
function checkDocs(...pages) {
  const command = join(ROOT, 'scripts/check-docs')
  const { status, stdout, stderr } = spawnSync(command, pages, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000
  })
  return { status, lines: stdout.split('\n').filter(Boolean), stderr }
}

/** @param {string} language @param {string[]} lines */
const block = (language, ...lines) => ['```' + language, ...lines, '```'].join('\n')

/**
 * Pages with one thing wrong each: what they say, on which line it is, and what is told of it.
 *
 * @type {Record<string, [text: string, line: number, told: RegExp]>}
 */
const BROKEN = {
  'a link to a file': ['\nSee [there](gone.md).', 2, /what is not there: gone\.md/],
  'a link to a heading of another page': ['[x](right.md#no)', 1, /heading .* right\.md#no/],
  'a link to a heading of the page': ['# One\n\n[x](#two)', 3, /heading .* #two/],
  'a link by reference': ['[x][y]\n\n[y]: gone.md', 3, /what is not there: gone\.md/],
  'a web address': ['[x](http://[)', 1, /no web address/],
  'a block without a language': [block('', 'x'), 1, /without a language/],
  'a language nobody checks': [block('javascript', 'x'), 1, /javascript is none of js/],
  'syntax of JavaScript': [block('js', '', 'const = 1'), 3, /declaration expected/],
  'a name that lan-peers has not': [
    block('js', "const { find } = require('lan-peers')"),
    2,
    /no exported member 'find'/
  ],
  'a method': [
    block('js', "import { discover } from 'lan-peers'", '', 'discover({}).anounce({})'),
    4,
    /'anounce' does not exist on type 'Discovery'/
  ],
  'a method, of an object of an earlier block': [
    `${block('js', "const lan = require('lan-peers').discover()")}\n\n${block('js', 'lan.find()')}`,
    6,
    /'find' does not exist/
  ],
  'an option': [
    block('js', "require('lan-peers').listen({ grop: '224.0.0.1' }, () => {})"),
    2,
    /'grop' does not exist|No overload/
  ],
  'an event': [
    block('js', "require('lan-peers').discover().on('found', (peer) => peer.id)"),
    2,
    /not assignable/
  ],
  'a name that nobody declares': [block('js', 'console.log(nobody)'), 2, /name 'nobody'/],
  'a module that is not there': [block('js', "require('lan-peer')"), 2, /module 'lan-peer'/],
  'require and await': [
    block('js', "const { discover } = require('lan-peers')", 'await discover().close()'),
    2,
    /together with/
  ],
  'a type': [
    block('ts', "import { type Peer } from 'lan-peers'", 'export const of = (p: Peer) => p.name'),
    3,
    /'name' does not exist/
  ],
  JSON: [block('json', "{ 'a': 1 }"), 1, /JSON/],
  YAML: [block('yaml', 'a: ['), 1, /sequence/],
  'syntax of the shell': [block('sh', 'if true'), 1, /[Ss]yntax error|end of file/],
  'a script of npm': [block('sh', 'npm install && npm run nothing'), 2, /no script nothing/],
  'a script': [block('sh', '', 'scripts/nothing # or not'), 3, /no scripts\/nothing/],
  'an example': [block('sh', 'node examples/nothing.js'), 2, /no examples\/nothing\.js/],
  'a command': [block('sh', 'npx lan-peers find'), 2, /no command find/],
  'a flag': [block('sh', "lan-peers discover --apps 'a b'"), 2, /no flag --apps/],
  'a script in the text': ['Type `npm run nothing`.', 1, /no script nothing/],
  'a file in the text': ['It is in `src/nothing.rs`.', 1, /no src\/nothing\.rs/],
  'an option in a table': [
    '## discover\n\n| option |\n| --- |\n| `self` |',
    5,
    /discover has no option self/
  ],
  'a default in a table': [
    '| option | of | default |\n| --- | --- | --- |\n| `port` | `cast` | `9779` |',
    3,
    /default of port of cast is 9778/
  ]
}

/** A page with all of that, and nothing wrong. */
const RIGHT = `# A \`page\` ([of](https://example.com) some)

[one](#a-page-of-some), [two](#twice-1), [three](broken-0.md), [four]

[four]: right.md#twice

## Twice

## Twice

<!-- given: 'electron', store, npm run dist -->

${block('js', "const { discover } = require('lan-peers')", "const lan = discover({ username: 'ada' }, { app: 'chat' })")}

${block('js', "import { app as application } from 'electron'", "import { listen } from 'lan-peers'", '', 'for await (const { peer } of lan) store(peer.data.username, application)', "listen({ encoding: 'json' }, (message) => message.username)", 'export default { lan }')}

${block('ts', "import { listen, type Listener } from 'lan-peers'", 'export const listener: Listener = listen()', 'store(listener)')}

${block('json', '{ "a": 1 }')}

${block('sh', 'npm test && npm run dist # npm run nothing', "npx lan-peers listen --group 239.1.2.3 --no-direct | cat -; FOO='a b' node bin/lan-peers.js key --help")}

${block('text', 'anything')}

## listen

| option       | default   |
| ------------ | --------- |
| \`port\`       | \`9778\`    |
| \`source\`     | -         |
| \`interfaces\` | automatic |
`

describe('the pages', () => {
  it('of this repository are right', () => {
    const { status, lines, stderr } = checkDocs()
    assert.deepEqual({ status, lines, stderr }, { status: 0, lines: [], stderr: '' })
  })
})

describe('pages with something wrong', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lan-peers-docs-'))
  after(() => rmSync(folder, { recursive: true }))
  const broken = Object.entries(BROKEN)
  const page = (/** @type {number | string} */ name) => join(folder, `${name}.md`)
  /** @type {ReturnType<typeof checkDocs>} */
  let result

  before(() => {
    writeFileSync(page('right'), RIGHT)
    for (const [index, [, [text]]] of broken.entries()) writeFileSync(page(`broken-${index}`), text)
    result = checkDocs(...broken.map((_, index) => page(`broken-${index}`)), page('right'))
  })

  it('end with 1', () => assert.equal(result.status, 1, result.stderr))

  it('are told apart from one that is right', () => {
    assert.deepEqual(
      result.lines.filter((line) => line.includes('right.md:')),
      []
    )
  })

  for (const [index, [name, [, line, told]]] of broken.entries()) {
    it(`are found by line: ${name}`, () => {
      const here = result.lines.filter((each) => each.includes(`broken-${index}.md:`))
      assert.equal(here.length, 1, here.join('\n'))
      assert.match(here[0], told)
      assert.match(here[0], new RegExp(`\\.md:${line}: `))
    })
  }
})
