'use strict'

// Runs peers.js twice, and ends when each has found the other, and one has seen the other go. This is `npm start`.
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
 * Starts one of the two, and prints what it says.
 *
 * @param {string} username
 */
function start(username) {
  const args = [join(__dirname, 'peers.js'), username, String(values.interfaces)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill())
  // 130 says that it was asked to.
  child.on('exit', (code) => code === 130 || process.exit(code ?? 1))
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => console.log(`${username}: ${line}`))
  return {
    child,
    /** @param {string} beginning of a line that is waited for */
    says: (beginning) =>
      new Promise((resolve) => {
        lines.on('line', (line) => line.startsWith(beginning) && resolve(undefined))
      })
  }
}

const [ada, grace] = [start('ada'), start('grace')]

if (!values.forever) {
  Promise.all([ada.says('+ grace'), grace.says('+ ada')]).then(async () => {
    console.log('They have found each other.')
    const noticed = ada.says('- grace (bye)')
    grace.child.kill('SIGINT')
    await noticed
    process.exit(0)
  })
  setTimeout(() => {
    console.error(`They have not found each other on ${values.interfaces} within 9 s.`)
    process.exit(1)
  }, 9000)
}
