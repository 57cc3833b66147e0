'use strict'

// Runs hello.js twice, and ends when each has heard the other. This is `npm start`.
//
//   node examples/two-processes.js [--forever] [--interfaces PATTERN]
//
// They keep to the loopback interface unless told otherwise.

const { spawn } = require('node:child_process')
const { join } = require('node:path')
const { createInterface } = require('node:readline')
const { parseArgs } = require('node:util')

const { values } = parseArgs({
  options: {
    forever: { type: 'boolean', default: false },
    interfaces: { type: 'string', default: '127.0.0.1' }
  }
})

/**
 * Resolves when `username` has heard `other`.
 *
 * @param {string} username
 * @param {string} other
 */
function start(username, other) {
  const args = [join(__dirname, 'hello.js'), username, String(values.interfaces)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill())
  child.on('exit', (code) => process.exit(code ?? 1))
  return new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      console.log(line)
      if (line.startsWith(`server got: {"username":"${other}"}`)) resolve(undefined)
    })
  })
}

const found = Promise.all([start('ada', 'grace'), start('grace', 'ada')])

if (!values.forever) {
  found.then(() => {
    console.log('They have found each other.')
    process.exit(0)
  })
  setTimeout(() => {
    console.error(`They have not found each other on ${values.interfaces} within 9 s.`)
    process.exit(1)
  }, 9000)
}
