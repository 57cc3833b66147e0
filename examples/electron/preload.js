'use strict'

// All that the page can do beyond a page: `others` in its window. It gets no ipcRenderer, nor the events of it, by
// which it could send what it likes.

const { contextBridge, ipcRenderer } = require('electron')

contextBridge.exposeInMainWorld('others', {
  /**
   * @param {(news: import('./others.js').News) => void} callback is told all there is, then what changes
   */
  subscribe(callback) {
    ipcRenderer.on('news', (_event, news) => callback(news))
    ipcRenderer.send('subscribe')
  },

  /**
   * @param {string} name our own from now on
   * @returns {Promise<void>} is rejected if it is none
   */
  rename: (name) => ipcRenderer.invoke('rename', name)
})
