'use strict'

// What is missing for a build, and the command that installs it on this system.

const { spawnSync } = require('node:child_process')
const { readFileSync } = require('node:fs')

/** As `rust-version` in Cargo.toml. */
const RUST = '1.88'

/** How a C linker is installed on Linux, by `ID` and `ID_LIKE` of os-release(5). */
const PACKAGES = /** @type {Record<string, string>} */ ({
  debian: 'apt install gcc libc6-dev',
  fedora: 'dnf install gcc',
  alpine: 'apk add gcc musl-dev',
  arch: 'pacman -S gcc',
  suse: 'zypper install gcc'
})

/**
 * The command that installs Rust.
 *
 * @param {NodeJS.Platform} platform
 */
const rustCommand = (platform) =>
  platform === 'win32'
    ? 'winget install Rustlang.Rustup'
    : "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

/**
 * The command that installs a linker.
 *
 * @param {NodeJS.Platform} platform
 * @param {string} osRelease the text of os-release(5), on Linux
 */
function linkerCommand(platform, osRelease) {
  if (platform === 'darwin') return 'xcode-select --install'
  if (platform === 'win32') {
    return 'winget install Microsoft.VisualStudio.2022.BuildTools --override "--passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"'
  }
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap(([, words]) =>
    words.split(' ')
  )
  const known = ids.find((id) => id in PACKAGES)
  return known === undefined
    ? 'the package manager (the package is mostly called gcc)'
    : PACKAGES[known]
}

/** The text of os-release(5); empty where there is none. */
function osRelease() {
  try {
    return readFileSync('/etc/os-release', 'utf8')
  } catch {
    return ''
  }
}

/**
 * One sentence on what is missing, where something is.
 *
 * @param {string | undefined} rust the version of rustc, if there is one
 * @param {string | undefined} linker that rustc did not find
 * @param {NodeJS.Platform} [platform]
 * @param {string} [system] as of {@link osRelease}
 */
function missing(rust, linker, platform = process.platform, system = osRelease()) {
  const quoted = (/** @type {string} */ command) =>
    command.startsWith('the ') ? command : `\`${command}\``
  if (rust === undefined) {
    return `Rust is missing, which builds the native binary: install it with ${quoted(rustCommand(platform))}`
  }
  const [major, minor] = rust.split('.').map(Number)
  const [wantedMajor, wantedMinor] = RUST.split('.').map(Number)
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    return `Rust ${rust} is too old to build the native binary, which needs ${RUST} or later: install it with ${quoted(rustCommand(platform))}, or run \`rustup update\``
  }
  if (linker === undefined) return undefined
  return `the C linker \`${linker}\` is missing, with which Rust builds the native binary: install it with ${quoted(linkerCommand(platform, system))}`
}

/**
 * The linker that rustc did not find, if its message says so. macOS has a `cc` that only says that the developer tools are missing.
 *
 * @param {string} message
 */
function missingLinker(message) {
  const [, name] = /linker `([^`]*)` not found/.exec(message) ?? []
  return name ?? (/^.*xcrun: error/m.test(message) ? 'cc' : undefined)
}

/** The version of rustc, if there is one. */
function rustVersion() {
  const { stdout } = spawnSync('rustc', ['--version'], { encoding: 'utf8' })
  return /^rustc (\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1]
}

module.exports = { RUST, missing, missingLinker, rustVersion }
