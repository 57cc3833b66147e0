'use strict'

// Installs lan-peers into empty folders as a user does, from tarballs, without the registry.

const { execFileSync, spawnSync } = require('node:child_process')
const { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { delimiter, dirname, join } = require('node:path')
const { libc, target } = require('../lib/platform.js')
const { pack, packRelease } = require('../scripts/pack-release.js')

const ROOT = join(__dirname, '..')
const NAME = String(target(process.platform, process.arch, libc()))
const BINARY = `lan-peers.${NAME}.node`
const { version: VERSION } = require('../package.json')

/**
 * A folder that is gone when the test ends.
 *
 * @param {import('node:test').TestContext | { after: (done: () => void) => void }} t
 */
function temporary(t) {
  const folder = mkdtempSync(join(tmpdir(), 'lan-peers-install-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * The tarballs of what a release publishes: the package, and that of this platform with the binary of this checkout.
 *
 * @param {string} folder to put them into
 */
function published(folder) {
  const binary = () => join(ROOT, BINARY)
  const { tarballs, folder: whole } = packRelease(folder, { platforms: [NAME], binary })
  return { platform: tarballs[0], package: tarballs[1], folder: whole }
}

/** A project of a user, in an empty folder. */
class Project {
  /**
   * @param {string} folder
   * @param {string} tools a folder of programs that come before all others
   * @param {{ node?: string, npm?: string[] }} [runtime] `node`: a program; `npm`: the words that run npm
   */
  constructor(folder, tools, { node = process.execPath, npm = ['npm'] } = {}) {
    this.folder = folder
    this.node = node
    this.npm = npm
    const path = [tools, dirname(node), process.env.PATH].join(delimiter)
    // What this test itself was begun with by npm is not the user's.
    const own = Object.entries(process.env).filter(([name]) => !/^npm_|^INIT_CWD$/.test(name))
    this.env = { ...Object.fromEntries(own), PATH: path }
    writeFileSync(join(folder, 'package.json'), '{ "name": "app", "version": "1.0.0" }\n')
  }

  /**
   * Runs a command and gives how it ended.
   *
   * @param {string} command
   * @param {...string} args
   */
  run(command, ...args) {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: this.folder,
      env: this.env,
      encoding: 'utf8'
    })
    if (error) throw error
    return { status, stdout, stderr, output: stdout + stderr }
  }

  /**
   * Installs, without asking the registry.
   *
   * @param {...string} args
   */
  install(...args) {
    const [command, ...before] = this.npm
    const quiet = ['--offline', '--no-audit', '--no-fund']
    return this.run(command, ...before, 'install', ...quiet, ...args)
  }

  /**
   * Puts a program there and runs it with Node.
   *
   * @param {string} name
   * @param {string} code
   */
  program(name, code) {
    writeFileSync(join(this.folder, name), code)
    return this.run(this.node, name)
  }

  /** @param {...string} path */
  file(...path) {
    return join(this.folder, ...path)
  }
}

/**
 * A program of this name that leaves a mark and does what a script says.
 *
 * @param {string} tools the folder to put it into
 * @param {string} name
 * @param {string} script
 * @returns {() => string} what it was called with, a line each time
 */
function tool(tools, name, script) {
  const mark = join(tools, `${name}.called`)
  writeFileSync(mark, '')
  writeFileSync(join(tools, name), `#!/bin/sh\necho "$@" >> '${mark}'\n${script}\n`, {
    mode: 0o755
  })
  return () => readFileSync(mark, 'utf8')
}

/**
 * A copy of what git has or would take, as somebody else gets it: nothing is built.
 *
 * @param {Parameters<typeof temporary>[0]} t
 */
function freshCheckout(t) {
  const folder = join(temporary(t), 'lan-peers')
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const files = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0')
  for (const file of files.filter((file) => file && existsSync(join(ROOT, file)))) {
    cpSync(join(ROOT, file), join(folder, file))
  }
  return folder
}

/**
 * A cargo that is quick: it has the library of this checkout ready.
 *
 * @param {string} tools
 */
const quickCargo = (tools) =>
  tool(
    tools,
    'cargo',
    `for word; do
      [ "$before" = --target-dir ] && folder=$word
      before=$word
    done
    mkdir -p "\${folder:=target}/release"
    cp '${join(ROOT, BINARY)}' "$folder/release/liblan_peers.so"
    echo "{\\"filenames\\":[\\"$folder/release/liblan_peers.so\\"]}"`
  )

module.exports = {
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
}
