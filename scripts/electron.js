'use strict'

// What scripts/electron runs, in a network namespace of its own: the command that its arguments are starts Electron with
// electron-9.js, and this is the other on the network. Prints a line for each thing that was seen, and fails with the first that
// was not.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { userInfo } = require('node:os')
const { createInterface } = require('node:readline')
const { discover } = require('..')

/** Milliseconds. All of it takes three seconds. */
const DEADLINE = 20_000

const ROWS = `Array.from(document.querySelectorAll('#peers tr'), (row) => row.cells[0].textContent).join()`
const OWN = `document.querySelector('#own').textContent`

const [command, ...args] = process.argv.slice(2)
const electron = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
const ended = once(electron, 'exit')
const late = setTimeout(() => {
  console.log(`not ok - nothing for ${DEADLINE} ms`)
  electron.kill()
  process.exit(1)
}, DEADLINE)

/** @type {Set<(value: any) => void>} */
const waiting = new Set()
createInterface({ input: electron.stdout }).on('line', (line) => {
  if (!line.startsWith('{')) return console.log(`# ${line}`)
  const value = JSON.parse(line)
  for (const look of waiting) look(value)
})

/** @param {object} value */
const tell = (value) => electron.stdin.write(`${JSON.stringify(value)}\n`)

/**
 * @param {(value: any) => boolean} wanted
 * @returns {Promise<any>}
 */
const says = (wanted) =>
  new Promise((resolve) => {
    const look = (/** @type {any} */ value) => {
      if (!wanted(value)) return
      waiting.delete(look)
      resolve(value)
    }
    waiting.add(look)
  })

/**
 * Asks the page again and again, until it answers that.
 *
 * @param {string} code
 * @param {string} wanted
 */
async function shows(code, wanted) {
  for (;;) {
    const answer = says(({ evaluated }) => evaluated !== undefined)
    tell({ evaluate: code })
    if ((await answer).evaluated === wanted) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const ok = (/** @type {string} */ what) => console.log(`ok - ${what}`)

async function main() {
  const { versions } = await says((said) => said.versions)
  console.log(`# Electron ${versions.electron}, Node ${versions.node}, Chromium ${versions.chrome}`)
  await says(({ message }) => message === 'hello')
  ok('in the main process, a listener hears a cast')

  const lan = discover({ name: 'grace' }, { app: 'lan-peers-electron' })
  /** Who is there as us. */
  const there = async (/** @type {string} */ name) => {
    while (![...lan.peers.values()].some(({ data }) => data.name === name)) {
      await Promise.race([once(lan, 'up'), once(lan, 'update')])
    }
  }
  await there(userInfo().username)
  ok('the app is found')
  await shows(ROWS, 'grace')
  ok('a sandboxed page shows who is there, by the bridge')
  tell({ evaluate: `others.rename('Ada').then(() => 'renamed')` })
  await there('Ada')
  await shows(OWN, 'Ada')
  ok('the page changes the name')
  lan.announce({ name: '<b>grace</b>' })
  await shows(ROWS, '<b>grace</b>')
  ok('markup in a name is shown as text')
  tell({ reload: true })
  await shows(`${OWN} + ' ' + ${ROWS}`, 'Ada <b>grace</b>')
  ok('a page that is reloaded shows the same')
  tell({ quit: true })
  const [, reason] = await once(lan, 'down')
  assert.equal(reason, 'bye')
  ok('app.quit() says goodbye')
  const [code] = await ended
  assert.equal(code, 0)
  ok('Electron has ended by itself, with 0')
  await lan.close()
  clearTimeout(late)
}

main().catch((error) => {
  console.log(`not ok - ${error.stack}`)
  electron.kill()
  process.exit(1)
})
