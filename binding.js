'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { TARGETS, libc, named } = require('./lib/platform.js')
const version = require('./lib/version.js')

/**
 * @typedef {import('./binding')} Binding
 *
 * @typedef {{ binding: Binding, error?: undefined } | { binding?: undefined, error: any }} Attempt
 */

/**
 * Loads the binary of each platform: `file` the one that was built in this folder, `package` the one of the
 * platform's package. Each path is a literal, so that bundlers and tracers find the binary, and each `require`
 * has a `try` of its own, so that they accept that most of them are missing.
 *
 * @type {Record<string, { file: () => Attempt, package: () => Attempt }>}
 */
const BINARIES = {
  'linux-x64-gnu': {
    file() {
      try {
        return { binding: require('./lan-peers.linux-x64-gnu.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-linux-x64-gnu') }
      } catch (error) {
        return { error }
      }
    }
  },
  'linux-x64-musl': {
    file() {
      try {
        return { binding: require('./lan-peers.linux-x64-musl.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-linux-x64-musl') }
      } catch (error) {
        return { error }
      }
    }
  },
  'linux-arm64-gnu': {
    file() {
      try {
        return { binding: require('./lan-peers.linux-arm64-gnu.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-linux-arm64-gnu') }
      } catch (error) {
        return { error }
      }
    }
  },
  'linux-arm64-musl': {
    file() {
      try {
        return { binding: require('./lan-peers.linux-arm64-musl.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-linux-arm64-musl') }
      } catch (error) {
        return { error }
      }
    }
  },
  'darwin-arm64': {
    file() {
      try {
        return { binding: require('./lan-peers.darwin-arm64.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-darwin-arm64') }
      } catch (error) {
        return { error }
      }
    }
  },
  'darwin-x64': {
    file() {
      try {
        return { binding: require('./lan-peers.darwin-x64.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-darwin-x64') }
      } catch (error) {
        return { error }
      }
    }
  },
  'win32-arm64-msvc': {
    file() {
      try {
        return { binding: require('./lan-peers.win32-arm64-msvc.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-win32-arm64-msvc') }
      } catch (error) {
        return { error }
      }
    }
  },
  'win32-x64-msvc': {
    file() {
      try {
        return { binding: require('./lan-peers.win32-x64-msvc.node') }
      } catch (error) {
        return { error }
      }
    },
    package() {
      try {
        return { binding: require('lan-peers-win32-x64-msvc') }
      } catch (error) {
        return { error }
      }
    }
  }
}

/** This folder; undefined in a bundle that is an ES module. */
const FOLDER = typeof __dirname === 'string' ? __dirname : undefined

/** As published they are a file of their own, which is loaded only when it is needed. */
const errors = () => require('./lib/load-errors.js')

/**
 * Loads the native binary: one built in this folder, else that of the package for this platform.
 *
 * @returns {Binding}
 */
function load() {
  const platform = named(process.platform, process.arch, libc())
  const name = TARGETS[platform]
  if (name === undefined) throw errors().unsupported(platform)
  const file = `lan-peers.${name}.node`
  const place = { platform, folder: FOLDER, file, package: `lan-peers-${name}` }
  const isBuilt = FOLDER !== undefined && existsSync(join(FOLDER, file))
  /** @type {('file' | 'package')[]} */
  const kinds = ['file', 'package']
  // A `require` that fails takes 0.3 ms, so the likely one comes first. The other one is for bundles, which may keep the
  // binary elsewhere.
  if (!isBuilt) kinds.reverse()
  const failures = []
  for (const kind of kinds) {
    const { binding, error } = BINARIES[name][kind]()
    if (binding?.VERSION === version) return binding
    if (binding) throw errors().otherVersion(place, kind, binding.VERSION)
    if (!errors().isMissing(place, kind, error)) throw errors().unloadable(place, kind, error)
    failures.push(error)
  }
  throw errors().missing(place, failures[0])
}

module.exports = load()
