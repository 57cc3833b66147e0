'use strict'

// Writes npm/: the package of each platform that lib/platform.js names, of the version that package.json has. Its binary is
// put in there when it is built.
//
//   node scripts/platform-packages.js [--check]   only says whether they are as it would write them

const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { TARGETS } = require('../lib/platform.js')
const { engines, license, version } = require('../package.json')

const NPM = join(__dirname, '..', 'npm')

/** @type {Record<string, string>} */
const SYSTEMS = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' }

/**
 * What is in the package of a platform, by the names of its files.
 *
 * @param {string} platform as a key of TARGETS
 * @param {string} name
 */
function files(platform, name) {
  const [os, cpu, libc] = platform.split(' ')
  const words = `${SYSTEMS[os]} on ${cpu}${libc ? ` with ${libc}` : ''}`
  const main = `lan-peers.${name}.node`
  const manifest = {
    name: `lan-peers-${name}`,
    version,
    description: `The native binary of lan-peers for ${words}`,
    license,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main,
    files: [main],
    engines
  }
  return {
    'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
    'README.md': `# lan-peers-${name}

The native binary of [lan-peers](https://www.npmjs.com/package/lan-peers) for ${words}. It is
installed with lan-peers, where it fits; there is nothing in it to use by itself.
`
  }
}

const isCheck = process.argv.includes('--check')
for (const [platform, name] of Object.entries(TARGETS)) {
  for (const [file, text] of Object.entries(files(platform, name))) {
    const path = join(NPM, name, file)
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    if (isCheck) {
      console.error(`npm/${name}/${file} is not what node scripts/platform-packages.js writes`)
      process.exitCode = 1
    } else {
      mkdirSync(join(NPM, name), { recursive: true })
      writeFileSync(path, text)
    }
  }
}
