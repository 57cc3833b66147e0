'use strict'

// The app in examples/electron, all of it, with a stand-in for Electron: fixtures/electron/electron.js.

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { chromium, needs } = require('./needs.js')

const APP = 'lan-peers-electron'

/** A firewall, see `wall` of a host, that refuses what we send. */
const MUTE = `chain out {
  type filter hook output priority 0;
  oifname eth0 ip protocol udp drop
}`

const skip = needs('lab', 'chromium')

/**
 * The app on a host of the lab.
 *
 * @param {import('./hosts.js').Host} host
 * @param {...string} args
 */
function startApp(host, ...args) {
  const main = require.resolve('./fixtures/electron/app.js')
  const started = host.start(
    'env',
    `LAN_PEERS_CHROMIUM=${chromium()}`,
    process.execPath,
    main,
    ...args
  )
  let from = 0
  return Object.assign(started, {
    /** @param {object} command of fixtures/electron/app.js */
    tell(command) {
      from = started.lines.length
      started.write(JSON.stringify(command))
    },
    /**
     * Waits for what it says, since it was told anything.
     *
     * @param {(said: any) => boolean} wanted
     */
    says: (wanted) => started.json(wanted, from),
    /**
     * Waits until that is to be seen in the window, since it was told anything.
     *
     * @param {(seen: any) => boolean} wanted
     */
    async sees(wanted) {
      return (await started.json(({ seen }) => seen !== undefined && wanted(seen), from)).seen
    }
  })
}

/**
 * Another who is there.
 *
 * @param {import('./hosts.js').Host} host
 * @param {string} name
 */
const startPeer = (host, name) => host.run('fixtures/discover.js', { name }, { app: APP })

/** @param {{ peers: string[][] }} seen */
const names = ({ peers }) => peers.map(([name]) => name).join()

test(
  'the page shows who comes, changes and goes, and changes our own name',
  { skip: needs('lab', 'chromium', 'nft') },
  async (t) => {
    const { a, b, c } = await hosts(t, 3)
    const markup = '<img src=x onerror=document.title=1>'
    const app = startApp(a)
    const user = a.exec('id', '-un').trim()
    await app.sees(({ own, nobody }) => own === user && nobody)
    const preferences = await app.says((said) => said.preferences)
    assert.deepEqual(preferences.preferences, {
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false
    })

    const grace = startPeer(b, 'grace')
    const [[, address, since]] = (await app.sees((seen) => names(seen) === 'grace')).peers
    assert.equal(address, b.address)
    assert.match(since, /\d+:\d\d:\d\d/)
    await grace.json(({ up, peer }) => up && peer.data.name === user)

    startPeer(c, markup)
    const both = await app.sees((seen) => names(seen) === `grace,${markup}`)
    assert.deepEqual([both.nobody, both.elements], [false, 0])

    grace.write('{"announce": {"name": "Grace Hopper"}}')
    await app.sees((seen) => names(seen) === `Grace Hopper,${markup}`)
    grace.write('{"announce": {"name": {"no": "text"}}}')
    await app.sees((seen) => names(seen) === `(no name),${markup}`)
    grace.write('{"announce": {"name": "grace"}}')
    await app.sees((seen) => names(seen) === `grace,${markup}`)

    app.tell({ rename: '  Ada  ' })
    await app.sees(({ own }) => own === 'Ada')
    await grace.json(({ update, peer }) => update && peer.data.name === 'Ada')
    for (const wrong of ['   ', 'x'.repeat(41), 'a\u0007b']) {
      app.tell({ rename: wrong })
      const refused = await app.sees((seen) => seen.refused !== '')
      assert.deepEqual([refused.own, refused.refused], ['Ada', 'A name has 1 to 40 characters.'])
      app.tell({ rename: 'Ada' })
      await app.sees((seen) => seen.refused === '')
    }

    a.wall(MUTE)
    const { warnings } = await app.sees((seen) => seen.warnings.length === 1)
    assert.match(warnings[0], /EPERM.*firewall/)

    grace.write('{"close": true}')
    const left = await app.sees(({ gone }) => gone.length === 1)
    assert.deepEqual([names(left), left.gone[0][0], left.gone[0][2]], [markup, 'grace', 'left'])
    assert.deepEqual(left.fading, ['0'], 'to nothing')
    await screenshot(app)
    await app.sees(({ gone }) => gone.length === 0)

    app.tell({ reload: true })
    const reloaded = await app.sees((seen) => seen.own === 'Ada' && names(seen) === markup)
    assert.deepEqual(reloaded.warnings, warnings)
  }
)

test('only our page may ask', { skip }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const app = startApp(a)
  const grace = startPeer(b, 'grace')
  const url = (await app.says((said) => said.loaded)).loaded
  await app.sees((seen) => names(seen) === 'grace')
  for (const frame of [null, { parent: {}, url }, { parent: null, url: 'file:///other.html' }]) {
    app.tell({ askAs: frame })
    const { refused, told } = await app.says((said) => said.refused !== undefined)
    assert.deepEqual({ refused, told }, { refused: true, told: false })
  }
  app.tell({ askAs: { parent: null, url } })
  const { refused, told } = await app.says((said) => said.refused !== undefined)
  assert.deepEqual({ refused, told }, { refused: false, told: true })
  await grace.json(({ update, peer }) => update && peer.data.name === 'eve')
})

for (const args of [[], ['--utility']]) {
  test(`who quits says goodbye ${args}`, { skip }, async (t) => {
    const { a, b } = await hosts(t, 2)
    const app = startApp(a, ...args)
    const grace = startPeer(b, 'grace')
    await app.sees((seen) => names(seen) === 'grace')
    app.tell({ quit: true })
    const { reason } = await grace.json((said) => said.down)
    assert.equal(reason, 'bye')
    assert.deepEqual(await app.end(), { code: 0, signal: null })
  })
}

test(
  'what crashes in its own process does not end the app, and is started again',
  { skip },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const app = startApp(a, '--utility')
    const grace = startPeer(b, 'grace')
    await app.sees((seen) => names(seen) === 'grace')
    app.tell({ rename: 'Ada' })
    await app.sees(({ own }) => own === 'Ada')
    app.tell({ crash: true })
    await app.sees(({ peers, gone }) => peers.length === 0 && gone.length === 1)
    await app.sees((seen) => names(seen) === 'grace')
    const { up } = await grace.json(({ up, peer }) => up && peer.data.name === 'Ada')
    assert.ok(up)
    app.tell({ reload: true })
    await app.sees((seen) => seen.own === 'Ada' && names(seen) === 'grace')
  }
)

/**
 * For us to look at, where `LAN_PEERS_SCREENSHOT` says.
 *
 * @param {ReturnType<typeof startApp>} app
 */
async function screenshot(app) {
  const path = process.env.LAN_PEERS_SCREENSHOT
  if (path === undefined) return
  // What fades has begun to.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  app.tell({ screenshot: path })
  await app.says((said) => said.screenshot === path)
}
