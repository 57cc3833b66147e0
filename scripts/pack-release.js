'use strict'

// Packs what a release publishes: lan-peers, with the packages of the platforms as optional dependencies, and these, with the binaries
// that are in npm/. Prints each tarball, in the order in which they are to be published.
//
//   node scripts/pack-release.js FOLDER [PLATFORM]...   into FOLDER; all platforms unless told
//
// GITHUB_REPOSITORY (owner/name), which GitHub sets, becomes the repository that npm's provenance has to name.

const { execFileSync } = require('node:child_process')
const { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs')
const { dirname, join, resolve } = require('node:path')
const { TARGETS } = require('../lib/platform.js')
const { version } = require('../package.json')

const ROOT = join(__dirname, '..')
const PLATFORMS = Object.values(TARGETS)

/** The words that run npm. On Windows it is a batch file, which only a shell runs; beside Node is the program that this runs. */
const NPM =
  process.platform === 'win32'
    ? [process.execPath, join(dirname(process.execPath), 'node_modules/npm/bin/npm-cli.js')]
    : ['npm']

/**
 * @param {string} folder
 * @param {{ platforms?: string[], binary?: (platform: string) => string }} [options] `binary`: where one is, if not in npm/
 * @returns {{ tarballs: string[], folder: string }} the tarballs, that of lan-peers last; and the folder that it was made of
 */
function packRelease(folder, { platforms = PLATFORMS, binary } = {}) {
  mkdirSync(folder, { recursive: true })
  const tarballs = platforms.map((name) => {
    const own = join(folder, name)
    const { main } = require(`../npm/${name}/package.json`)
    cpSync(join(ROOT, 'npm', name), own, { recursive: true })
    if (binary) copyFileSync(binary(name), join(own, main))
    copyFileSync(join(ROOT, 'LICENSE'), join(own, 'LICENSE'))
    amend(own, {})
    return pack(own, folder)
  })
  const own = join(folder, 'lan-peers')
  execFileSync(process.execPath, [join(__dirname, 'package.js'), own], { stdio: 'ignore' })
  const names = PLATFORMS.map((name) => [`lan-peers-${name}`, version])
  amend(own, { optionalDependencies: Object.fromEntries(names) })
  return { tarballs: [...tarballs, pack(own, folder)], folder: own }
}

/**
 * Adds to the manifest of a package.
 *
 * @param {string} folder
 * @param {object} fields
 */
function amend(folder, fields) {
  const file = join(folder, 'package.json')
  const { GITHUB_REPOSITORY: name } = process.env
  const repository = name && { type: 'git', url: `git+https://github.com/${name}.git` }
  const manifest = { ...JSON.parse(readFileSync(file, 'utf8')), ...fields }
  writeFileSync(file, `${JSON.stringify({ ...manifest, repository }, null, 2)}\n`)
}

/**
 * Packs a folder as it is, without running its scripts.
 *
 * @param {string} folder
 * @param {string} destination
 * @returns {string} the tarball
 */
function pack(folder, destination) {
  const [npm, ...before] = NPM
  const args = [...before, 'pack', '--json', '--ignore-scripts', '--pack-destination', destination]
  const said = execFileSync(npm, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore']
  })
  return join(destination, JSON.parse(said)[0].filename)
}

module.exports = { pack, packRelease }

if (require.main === module) {
  const [folder, ...platforms] = process.argv.slice(2)
  const { tarballs } = packRelease(resolve(folder), platforms.length > 0 ? { platforms } : {})
  for (const tarball of tarballs) console.log(tarball)
}
