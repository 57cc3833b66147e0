'use strict'

// As others.js, but in a process of its own: if that crashes, the app goes on, and it is started again.

const { app, utilityProcess } = require('electron')
const { join } = require('node:path')

/** Milliseconds. What crashes at its start must not keep the processor busy. */
const RESTART_AFTER = 1000

/** Milliseconds that it may take to say goodbye. It takes about 20. */
const QUIT_WITHIN = 1000

/**
 * @param {string} name
 * @param {(news: import('./others.js').News) => void} tell
 * @returns {import('./others.js').Others}
 */
function findOthers(name, tell) {
  /** @type {import('electron').UtilityProcess | undefined} */
  let child
  let quitting = false

  function start() {
    if (quitting) return
    child = utilityProcess.fork(join(__dirname, 'utility.js'), [name], { serviceName: 'lan-peers' })
    child.on('message', tell)
    child.on('exit', (code) => {
      child = undefined
      if (quitting) return app.quit()
      console.error(`The process that finds others ended with ${code}. It is started again.`)
      setTimeout(start, RESTART_AFTER)
    })
  }

  // Electron ends it with the app, without a word: it is to say goodbye first.
  app.on('will-quit', (event) => {
    quitting = true
    if (child === undefined) return
    event.preventDefault()
    child.postMessage(['quit'])
    setTimeout(() => child?.kill(), QUIT_WITHIN)
  })

  start()
  return {
    tellAll: () => child?.postMessage(['tellAll']),
    rename(newName) {
      name = newName
      child?.postMessage(['rename', name])
    }
  }
}

module.exports = { findOthers }
