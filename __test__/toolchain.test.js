'use strict'

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')
const { RUST, missing, missingLinker } = require('../scripts/toolchain.js')

test('the command that installs a linker is that of the system', () => {
  for (const [platform, system, command] of /** @type {const} */ ([
    ['linux', 'ID=debian\n', 'apt install gcc libc6-dev'],
    [
      'linux',
      'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n',
      'apt install gcc libc6-dev'
    ],
    ['linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'dnf install gcc'],
    ['linux', 'ID=fedora\n', 'dnf install gcc'],
    ['linux', 'ID=alpine\n', 'apk add gcc musl-dev'],
    ['linux', 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'zypper install gcc'],
    ['linux', '', 'the package manager'],
    ['darwin', '', 'xcode-select --install'],
    ['win32', '', 'winget install Microsoft.VisualStudio.2022.BuildTools']
  ])) {
    const sentence = missing('1.95.0', 'cc', platform, system)
    assert.ok(
      sentence?.includes(`install it with ${command.startsWith('the ') ? '' : '`'}${command}`),
      sentence
    )
    assert.match(
      String(missing(undefined, undefined, platform, system)),
      /install it with `(curl|winget) /
    )
  }
})

test('nothing is missing with Rust of the oldest version that will do, and a linker', () => {
  assert.equal(missing(`${RUST}.0`, undefined), undefined)
  assert.match(String(missing('1.63.0', undefined)), /^Rust 1\.63\.0 is too old/)
  const manifest = readFileSync(join(__dirname, '../Cargo.toml'), 'utf8')
  assert.equal(manifest.match(/^rust-version = "(.*)"$/m)?.[1], RUST)
})

test('the linker that is missing is found in the messages of rustc', () => {
  assert.equal(missingLinker('error: linker `cc` not found\n'), 'cc')
  assert.equal(missingLinker('error: linker `link.exe` not found\n'), 'link.exe')
  assert.equal(missingLinker('  = note: xcrun: error: invalid active developer path\n'), 'cc')
  assert.equal(missingLinker('error: linking with `cc` failed\n'), undefined)
})
