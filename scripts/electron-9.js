'use strict'

// The main script of the app that scripts/electron makes of examples/electron, in Electron 9: gives it the two functions that
// came later, runs it, and does what it reads. Standard input, a line each: `{"evaluate": CODE}`, `{"reload": true}`,
// `{"quit": true}`. Prints JSON.

const { createInterface } = require('node:readline')
// @ts-ignore: Electron is not among the packages here
const { app, ipcMain } = require('electron')
const { cast, listen } = require('lan-peers')

const print = (/** @type {unknown} */ value) => console.log(JSON.stringify(value))

// What lan-peers calls of a later JavaScript; here all text is well formed.
Object.assign(String.prototype, { isWellFormed: () => true })

print({ versions: process.versions })

const here = { interfaces: '127.0.0.1', group: '239.77.0.1' }
const listener = listen({ ...here, port: 0 }, (message, from) => {
  print({ message: String(message), from })
})
cast('hello', 100, { ...here, port: listener.address().port })

for (const method of ['on', 'handle']) {
  const original = ipcMain[method]
  ipcMain[method] = (/** @type {string} */ channel, /** @type {Function} */ answer) =>
    original.call(
      ipcMain,
      channel,
      (/** @type {any} */ event, /** @type {unknown[]} */ ...args) => {
        event.senderFrame = { parent: null, url: event.sender.getURL() }
        return answer(event, ...args)
      }
    )
}

app.on('web-contents-created', (/** @type {unknown} */ _event, /** @type {any} */ contents) => {
  contents.setWindowOpenHandler = () => {}
  /** @type {Record<string, (value: any) => unknown>} */
  const commands = {
    evaluate: async (code) => print({ evaluated: await contents.executeJavaScript(code) }),
    reload: () => contents.reload(),
    quit: () => app.quit()
  }
  createInterface({ input: process.stdin }).on('line', (line) => {
    for (const [command, value] of Object.entries(JSON.parse(line))) commands[command](value)
  })
})

require(`${__dirname}/main.js`)
