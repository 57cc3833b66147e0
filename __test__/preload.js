'use strict'

const { execFileSync } = require('node:child_process')
const { closeSync, mkdtempSync, openSync, rmSync, writeSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

/**
 * A folder that is gone after the test.
 *
 * @param {import('node:test').TestContext} t
 */
function temporary(t) {
  const folder = mkdtempSync(join(tmpdir(), 'lan-peers-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/**
 * Compiles libraries of the fixtures, and gives the variable of the environment that puts them before a program.
 *
 * @param {import('node:test').TestContext} t
 * @param {...string} sources
 */
function preload(t, ...sources) {
  const libraries = sources.map((source) => {
    const library = join(temporary(t), 'preload.so')
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(__dirname, 'fixtures', source)])
    return library
  })
  return `LD_PRELOAD=${libraries.join(':')}`
}

/**
 * Clocks that can be set. What uses them needs the variable of the environment, and fixtures/clock.c.
 *
 * @param {import('node:test').TestContext} t
 */
function clocks(t) {
  const path = join(temporary(t), 'clock')
  const file = openSync(path, 'w')
  t.after(() => closeSync(file))
  writeSync(file, Buffer.alloc(24))
  const put = (/** @type {number} */ at) => (/** @type {number} */ seconds) => {
    const number = Buffer.alloc(8)
    number.writeBigInt64LE(BigInt(seconds))
    writeSync(file, number, 0, 8, at)
  }
  // As fixtures/clock.c reads them. The first two are looked at whenever a program is awake.
  return {
    variable: `LAN_PEERS_CLOCK=${path}`,
    putMonotonic: put(0),
    putBoottime: put(8),
    putWall: put(16)
  }
}

module.exports = { clocks, preload, temporary }
