'use strict'

// The contenders from npm, which package.json in here names, and `npm ci --prefix bench` installs.

const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { dependencies } = require('./package.json')

const path = (/** @type {string} */ name) => join(__dirname, 'node_modules', name, 'package.json')

/**
 * Why a contender cannot be measured, if it is of npm and not installed.
 *
 * @param {string} contender
 */
const missing = (contender) =>
  contender in dependencies && !existsSync(path(contender))
    ? `${contender} is not installed: npm ci --prefix bench`
    : undefined

/**
 * @param {string} contender
 * @returns {string | undefined} its version, if it is of npm and installed
 */
const version = (contender) =>
  contender in dependencies && existsSync(path(contender))
    ? JSON.parse(readFileSync(path(contender), 'utf8')).version
    : undefined

/**
 * What a package of npm gives. Its types are nobody's business here: it may not be installed.
 *
 * @param {string} name
 * @returns {any}
 */
const load = (name) => require(name)

module.exports = { load, missing, version }
