'use strict'

// Each example on hosts of the lab, and what its user sees.

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { copyFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync } = require('node:fs')
const { join } = require('node:path')
const { describe, test } = require('node:test')
const { NO_MULTICAST, hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { withNames } = require('./names.js')
const { temporary } = require('./preload.js')
const { nodeCommand } = require('./process.js')

const root = join(__dirname, '..')
const folder = join(root, 'examples')
const read = (/** @type {string} */ name) => readFileSync(join(folder, name), 'utf8')

/**
 * The line of somebody who is there. Who answers first, IPv4 or IPv6, is chance.
 *
 * @param {string} beginning
 * @param {import('./hosts.js').Host} host
 * @param {string} [end]
 */
const at = (beginning, { address, linkLocal }, end = '') => {
  const escaped = (/** @type {string} */ text) => text.replace(/[+?.{}]/g, '\\$&')
  const either = `(?:${escaped(address)}|${linkLocal}%eth0)`
  return new RegExp(`^${escaped(beginning)} ${either}${end}$`)
}

test('README.md names every example, and each says how it is run', () => {
  const readme = read('README.md')
  for (const name of readdirSync(folder).filter((one) => one !== 'README.md')) {
    assert.ok(readme.includes(`](${name}`), `${name} is missing`)
    if (!/\.(m?js|mts|py)$/.test(name)) continue
    const [, command] = read(name).match(/^(?:\/\/|#) {3}(.* examples\/.*)$/m) ?? []
    assert.ok(command?.includes(`examples/${name}`), `${name}: ${command}`)
  }
})

describe('examples', { skip: needs('lab'), concurrency: 2 }, () => {
  test('peers.js: who comes and goes, and what is no name ends nobody', async (t) => {
    const { a, b, c } = await hosts(t, 3)
    const ada = a.run('../examples/peers.js', 'ada')
    c.run('fixtures/cast.js', { username: { toString: 1 } }, '2000')
    await ada.line(/^\+ \{ toString: 1 \} 10\.77\.0\.3$/)
    const bob = b.run('../examples/peers.js', 'bob')
    await ada.line(at('+ bob', b))
    await bob.line(at('+ ada', a))
    bob.interrupt()
    await ada.line(/^- bob \(bye\)$/)
  })

  test('told to keep to loopback they send nothing to others', async (t) => {
    const { a, b } = await hosts(t, 2)
    const group = ['224.0.0.1', 'ff02::1']
    const here = a.run('fixtures/listen.js', { interfaces: '127.0.0.1' })
    const outside = b.run('fixtures/listen.js', { group })
    for (const listener of [here, outside]) await listener.json((said) => said.listening)
    const scripts = readdirSync(folder).filter((name) => /\.m?js$/.test(name))
    const programs = scripts.filter((name) => name !== 'two-processes.js')
    for (const name of programs) a.run(`../examples/${name}`, name, '127.0.0.1')
    for (const name of programs) await here.json((said) => said.message?.includes(`"${name}"`))
    assert.equal(outside.values().filter((said) => said?.message).length, 0)
  })

  test('hello.js: it and the original hear each other', async (t) => {
    const { a, b } = await hosts(t, 2)
    const hello = a.run('../examples/hello.js', 'ada')
    const original = b.run('fixtures/article.js')
    await hello.line(/^Listening on: 0\.0\.0\.0:9778$/)
    await hello.line(/^server got: {"username":"dgram"} from 10\.77\.0\.2:\d+$/)
    await original.line(/^server got: {"username":"ada"} from 10\.77\.0\.1:\d+$/)
    hello.interrupt()
    assert.equal((await hello.end()).signal, 'SIGINT')
  })

  test('dgram.js is a plain peer, and reads who the others are', async (t) => {
    const { a, b } = await hosts(t, 2)
    const plain = a.run('../examples/dgram.js', 'dan', a.address)
    const peer = b.run('../examples/peers.js', 'bob')
    await peer.line(/^\+ dan 10\.77\.0\.1$/)
    await plain.line(/^bob 10\.77\.0\.2$/)
    plain.interrupt()
    await peer.line(/^- dan \(timeout\)$/)
  })

  test(
    'dgram.py is a plain peer, and reads who the others are',
    { skip: needs('python3') },
    async (t) => {
      const { a, b, c } = await hosts(t, 3)
      const python = a.start('python3', join(folder, 'dgram.py'), 'monty', a.address)
      const peer = b.run('../examples/peers.js', 'bob')
      const plain = c.run('../examples/dgram.js', 'dan')
      await peer.line(/^\+ monty 10\.77\.0\.1$/)
      await python.line(/^bob 10\.77\.0\.2$/)
      await python.line(/^dan 10\.77\.0\.3$/)
      await plain.line(/^monty 10\.77\.0\.1$/)
      peer.interrupt()
      await peer.end()
      await plain.line(/^bob /)
      python.interrupt()
      assert.equal((await python.end()).signal, 'SIGINT')
      assert.ok(!python.lines.some((line) => line.startsWith('Traceback')))
      assert.ok(!plain.lines.some((line) => line.startsWith('undefined')))
    }
  )

  test('iterate.mjs: who comes and goes in one loop, and Ctrl-C ends it with a goodbye', async (t) => {
    const { a, b } = await hosts(t, 2)
    const [ada, bob] = [a, b].map((host, i) =>
      host.run('../examples/iterate.mjs', ['ada', 'bob'][i])
    )
    await ada.line(at('up bob', b))
    await bob.line(at('up ada', a))
    ada.interrupt()
    await ada.line(/^goodbye$/)
    assert.equal((await ada.end()).code, 0)
    await bob.line(/^down ada bye$/)
  })

  test('typed.mts: strict, in a project of its own, and run as it says', async (t) => {
    const project = temporary(t)
    copyFileSync(join(folder, 'typed.mts'), join(project, 'typed.mts'))
    mkdirSync(join(project, 'node_modules'))
    symlinkSync(root, join(project, 'node_modules/lan-peers'))
    symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'))
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'node16']
    const tsc = [require.resolve('typescript/bin/tsc'), ...options, '--skipLibCheck', 'typed.mts']
    execFileSync(process.execPath, tsc, { cwd: project, stdio: 'inherit' })

    const command = read('typed.mts').match(/^\/\/ {3}(npx esbuild .* -) \[NAME/m)?.[1]
    assert.ok(command)
    const { a, b, c } = await hosts(t, 3)
    const [ada, bob] = [a, b].map((host, i) =>
      host.start('sh', '-c', `cd '${root}' && ${command} ${['ada', 'bob'][i]}`)
    )
    c.run('fixtures/cast.js', { username: 'cheat', score: 'all of them' }, '2000')
    await ada.line(/^\+ bob has 0\.0 points$/)
    await bob.line(/^\+ ada has 0\.0 points$/)
    await ada.line(/^\? 10\.77\.0\.3 is no player$/)
    bob.interrupt()
    await ada.line(/^- bob \(bye\)$/)
  })

  test('worker.js acts while the main thread computes', async (t) => {
    const { a, b } = await hosts(t, 2)
    const peer = b.run('fixtures/discover.js', { username: 'bob' })
    await peer.json((said) => said.id)
    const program = a.run('../examples/worker.js', 'ada')
    await program.line(/^computing$/)
    const { at: seen } = await peer.json((said) => said.up && said.peer.data.username === 'ada')
    // Who is slow to see it, sees both at once.
    const { at: told } = await peer.json((said) => said.peer?.data.knows === 1)
    assert.ok(told - seen < 2500, `${told - seen} ms; a computation takes 3000`)
    // One may come at the end of a computation; not all of them.
    const late = []
    for (const username of ['bob', 'dan', 'eve']) {
      if (username !== 'bob') b.run('fixtures/discover.js', { username })
      const [, ago] = await program.line(at(`+ ${username}`, b, ' (\\d+) ms ago'))
      late.push(Number(ago))
      await new Promise((passed) => setTimeout(passed, 1000))
    }
    assert.ok(Math.max(...late) > 500, `${late} ms`)
    program.interrupt()
    assert.equal((await peer.json((said) => said.down)).reason, 'bye')
    assert.equal((await program.end()).code, 130)
  })

  test(
    'service.js as compose.yaml runs it: replicas find each other by a name, without multicast',
    { skip: needs('nft') },
    async (t) => {
      const compose = read('compose.yaml')
      const script = compose.match(/^ +command: node (.*)$/m)?.[1]
      const seeds = compose.match(/^ +SEEDS: (.*)$/m)?.[1]
      assert.match(compose, new RegExp(`^services:\\n  ${seeds}:$`, 'm'))

      // As in Kubernetes there is a router between them, and one comes when the others have looked up the name.
      const { a, b, c, r } = await hosts(t, { a: [0], b: [1], c: [1], r: [0, 1] })
      r.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
      const computers = await Promise.all(
        [a, b, c].map((host) => {
          host.wall(NO_MULTICAST)
          host.ip(`route replace default via ${r.addresses[host === a ? 0 : 1]}`)
          return withNames(t, host)
        })
      )
      /** @param {import('./hosts.js').Host[]} these whom the name stands for now */
      const name = (...these) => {
        const line = `${seeds} ${these.map(({ address }) => address)}`
        return Promise.all(computers.map((computer) => computer.set(line)))
      }
      const start = (/** @type {number} */ i) =>
        computers[i].start('env', `SEEDS=${seeds}`, ...nodeCommand(`../${script}`, ['abc'[i]]))
      await name(a, b)
      const [onA, onB] = [start(0), start(1)]
      await onA.line(/^\+ b 10\.77\.1\.2 8080$/)
      await onB.line(/^\+ a 10\.77\.0\.1 8080$/)
      await name(a, b, c)
      const onC = start(2)
      for (const replica of [onA, onB]) await replica.line(/^\+ c 10\.77\.1\.3 8080$/)
      for (const line of [/^\+ a /, /^\+ b /]) await onC.line(line)

      const get = `fetch('http://${b.address}:8080').then((all) => all.text()).then(console.log)`
      const answer = await a.start(process.execPath, '-e', get).json(() => true)
      assert.equal(answer.name, 'b')
      assert.deepEqual(answer.others.sort(), [
        ['a', a.address],
        ['c', c.address]
      ])
      // As `docker stop` does.
      onC.child.kill('SIGTERM')
      await onA.line(/^- c \(bye\)$/)
      assert.equal((await onC.end()).code, 0)
    }
  )
})
