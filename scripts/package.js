'use strict'

// Puts the package together as it is published, into target/package or the folder that is named: the JavaScript of lib/ in
// one file, which loads in two thirds of the time that a dozen take, what few need and the command in others, and what else
// a user needs.
//
//   node scripts/package.js [FOLDER]

const { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { buildSync } = require('esbuild')

const ROOT = join(__dirname, '..')
const FOLDER = process.argv[2] ?? join(ROOT, 'target', 'package')

/** What few need, in files of their own, which index.js loads when it needs them. */
const LATER = ['lib/diagnosis/diagnose.js', 'lib/load-errors.js']

const COPIED = ['index.d.ts', 'README.md', 'CHANGELOG.md', 'LICENSE']

rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })
for (const file of ['index.js', ...LATER, 'bin/lan-peers.js']) {
  const { outputFiles } = buildSync({
    entryPoints: [join(ROOT, file)],
    outfile: join(FOLDER, file),
    write: false,
    bundle: true,
    // What the command is for is there once. The native binaries are other packages, or beside a bundle.
    external: [
      '../index.js',
      ...LATER.map((each) => `./${each}`),
      './lan-peers.*.node',
      'lan-peers-*'
    ],
    platform: 'node',
    target: 'node20',
    // Less to parse, in lines that a stack trace can name.
    minifyWhitespace: true,
    lineLimit: 100
  })
  // esbuild continues long strings on the next line, which Rollup indents, so that the string changes.
  const code = outputFiles[0].text.replaceAll(/(?<!\\)\\\n/g, '')
  mkdirSync(dirname(join(FOLDER, file)), { recursive: true })
  writeFileSync(join(FOLDER, file), code)
}
for (const file of COPIED) copyFileSync(join(ROOT, file), join(FOLDER, file))

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
// Those who install it have neither the tools nor the sources for these.
for (const field of ['scripts', 'devDependencies', 'allowScripts', 'prettier', 'napi', 'files']) {
  delete manifest[field]
}
writeFileSync(join(FOLDER, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
