'use strict'

// Shows what `others` tells, see ../preload.js. What others call themselves comes from the network: it gets into the page as
// textContent, and in no other way.

/** Milliseconds for which a row is seen to fade; page.css has the same. */
const FADE = 3000

const GONE = { bye: 'left', timeout: 'not heard any more', restart: 'starts again', close: 'gone' }

const element = (id) => document.getElementById(id)

/** The row of each peer, by its id. */
const rows = new Map()

function showPeer({ id, name, address, since }) {
  let row = rows.get(id)
  if (row === undefined || row.className === 'gone') {
    row?.remove()
    row = document.createElement('tr')
    for (let i = 0; i < 3; i++) row.append(document.createElement('td'))
    rows.set(id, row)
    element('peers').append(row)
  }
  const texts = [name, address, new Date(since).toLocaleTimeString()]
  for (const [i, text] of texts.entries()) row.cells[i].textContent = text
}

function showGone(id, reason) {
  const row = rows.get(id)
  if (row === undefined || row.className === 'gone') return
  row.className = 'gone'
  row.cells[2].textContent = GONE[reason]
  setTimeout(() => {
    row.remove()
    // Unless it has come again, and has another.
    if (rows.get(id) === row) rows.delete(id)
    showWhetherAny()
  }, FADE)
}

function showWhetherAny() {
  element('nobody').hidden = rows.size > 0
}

function showName(name) {
  element('own').textContent = name
}

function showWarning({ message, hint }) {
  const item = document.createElement('li')
  item.textContent = `${message}. ${hint}`
  element('warnings').append(item)
}

/** What is done with each type of news: see `News` in ../others.js. */
const SHOW = {
  all({ name, peers, warnings }) {
    showName(name)
    const there = new Set(peers.map(({ id }) => id))
    for (const id of rows.keys()) if (!there.has(id)) showGone(id, 'close')
    for (const peer of peers) showPeer(peer)
    element('warnings').textContent = ''
    for (const warning of warnings) showWarning(warning)
  },
  name: ({ name }) => showName(name),
  peer: ({ peer }) => showPeer(peer),
  gone: ({ id, reason }) => showGone(id, reason),
  warning: ({ warning }) => showWarning(warning)
}

others.subscribe((news) => {
  SHOW[news.type](news)
  showWhetherAny()
})

element('rename').addEventListener('submit', async (event) => {
  event.preventDefault()
  try {
    await others.rename(element('name').value)
    element('name').value = ''
    element('refused').textContent = ''
  } catch {
    element('refused').textContent = 'A name has 1 to 40 characters.'
  }
})
