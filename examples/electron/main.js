'use strict'

// The main process: opens the window, passes on to its page what others.js tells, and to that what the page asks.

const { app, BrowserWindow, ipcMain } = require('electron')
const { userInfo } = require('node:os')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

const PAGE = pathToFileURL(join(__dirname, 'page', 'index.html')).href

/** Only one of the two is loaded: in the main process there is no lan-peers while it is in another. */
const OTHERS = process.argv.includes('--utility') ? './others-in-utility.js' : './others.js'

/**
 * The pages that have subscribed.
 *
 * @type {Set<import('electron').WebContents>}
 */
const pages = new Set()

/**
 * Whether it is our page that asks, and not what somebody may have got into a frame or window of the app.
 *
 * @param {import('electron').IpcMainEvent | import('electron').IpcMainInvokeEvent} event
 */
const isOurs = ({ senderFrame }) => senderFrame?.parent === null && senderFrame.url === PAGE

/**
 * @param {unknown} name
 * @returns {string}
 */
function validName(name) {
  const valid = typeof name === 'string' ? name.trim() : ''
  if (!/^\P{Cc}{1,40}$/u.test(valid)) throw new Error('A name has 1 to 40 characters.')
  return valid
}

function openWindow() {
  const window = new BrowserWindow({
    width: 560,
    height: 640,
    webPreferences: {
      preload: join(__dirname, 'preload.js'),
      // These are the defaults, and stand here because all depends on them.
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false
    }
  })
  // Nothing but our page is ever shown.
  window.webContents.on('will-navigate', (event) => event.preventDefault())
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.loadURL(PAGE)
}

app.whenReady().then(() => {
  /** @type {import('./others.js')} */
  const { findOthers } = require(OTHERS)
  const others = findOthers(userInfo().username, (news) => {
    for (const page of pages) page.send('news', news)
  })

  ipcMain.on('subscribe', (event) => {
    if (!isOurs(event)) return
    const page = event.sender
    // Not there yet, unless it was reloaded.
    if (!pages.has(page)) {
      pages.add(page)
      page.once('destroyed', () => pages.delete(page))
    }
    others.tellAll()
  })

  ipcMain.handle('rename', (event, name) => {
    if (!isOurs(event)) throw new Error('This is not for you.')
    others.rename(validName(name))
  })

  openWindow()
})

// lan-peers says goodbye by itself: Electron calls the listeners of process 'exit' when the app quits.
app.on('window-all-closed', () => app.quit())
