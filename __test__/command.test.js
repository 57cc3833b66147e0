'use strict'

const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const { join } = require('node:path')
const { test } = require('node:test')
const { lines } = require('../lib/command/table.js')
const { fit, printable } = require('../lib/command/text.js')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')

const COMMAND = join(__dirname, '..', 'bin', 'lan-peers.js')

/**
 * Runs the command on a host of the lab.
 *
 * @param {import('./hosts.js').Host} host
 * @param {...string} args
 */
const runOn = (host, ...args) => host.start(process.execPath, COMMAND, ...args)

/** Runs the command here, where it sends nothing. */
const run = (/** @type {string[]} */ ...args) =>
  spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8', timeout: 20_000 })

test('every command says how it is used, with examples', () => {
  const { status, stdout } = run('--help')
  assert.equal(status, 0)
  const commands = [...stdout.matchAll(/^ {2}(\w+) +[A-Z]/gm)].map(([, name]) => name)
  assert.deepEqual(commands, ['listen', 'cast', 'discover', 'doctor', 'key'])
  for (const command of commands) {
    const help = run(command, '--help')
    assert.equal(help.status, 0)
    assert.match(help.stdout, new RegExp(`^Usage: lan-peers ${command}`, 'm'))
    assert.match(help.stdout, /--json/)
    assert.match(help.stdout, new RegExp(`^Examples:\n  lan-peers ${command}`, 'm'))
  }
})

test('it says its version', () => {
  const { version } = require('../package.json')
  for (const flag of ['--version', '-v']) {
    assert.deepEqual([run(flag).status, run(flag).stdout], [0, `${version}\n`])
  }
  assert.equal(run('-h').stdout, run('--help').stdout)
  assert.equal(run('cast', '-h').stdout, run('cast', '--help').stdout)
})

test('what is not understood is told, with the flag, and ends with 2', () => {
  for (const [args, message] of /** @type {[string[], RegExp][]} */ ([
    [['bogus'], /^lan-peers: There is no command bogus\nTry lan-peers --help\n$/],
    [['discver'], /There is no command discver; did you mean discover\?\n/],
    [['discover', '--interface', 'lo'], /no flag --interface; did you mean --interfaces\?\n/],
    [['listen', 'foo'], /Unexpected: foo\n/],
    [['key', 'foo'], /Unexpected: foo\n/],
    [['cast', 'x', 'soon'], /^lan-peers: MILLISECONDS must be of type number/],
    [['discover', '--key', ''], /^lan-peers: --key must not be empty/],
    [['constructor'], /There is no command constructor/],
    [['cast'], /PAYLOAD is missing\nTry lan-peers cast --help/],
    [['cast', 'a', '1', 'b'], /Unexpected: b/],
    [['cast', 'a', '0'], /MILLISECONDS is out of range/],
    [['cast', 'a', '--port', '0'], /^lan-peers: The value of --port is out of range/],
    [['listen', '--bogus'], /There is no flag --bogus\n/],
    [['listen', '--port', 'x'], /^lan-peers: --port must be of type number/],
    [['listen', '--encoding', 'x'], /--encoding must be one of/],
    [['discover', '[]'], /must be an object/],
    [['discover', 'x'], /DATA must be a JSON object, received x/],
    [['discover', '--key', ''], /--key/]
  ])) {
    const { status, stdout, stderr } = run(...args)
    assert.deepEqual([status, stdout], [2, ''], args.join(' '))
    assert.match(stderr, message)
  }
  assert.deepEqual([run().status, run('key').status], [2, 0])
})

test('key prints a key', () => {
  const keys = [run('key').stdout, run('key').stdout]
  for (const key of keys) assert.match(key, /^[\da-f]{64}\n$/)
  assert.notEqual(keys[0], keys[1])
})

test(
  'listen prints what cast sends, for people and for programs',
  { skip: needs('lab') },
  async (t) => {
    const { a, b } = await hosts(t, 2)
    const people = runOn(b, 'listen', '--no-direct')
    const programs = runOn(b, 'listen', '--json', '--encoding', 'json')
    const bytes = runOn(b, 'listen', '--json', '--encoding', 'buffer')
    runOn(a, 'cast', '{"text":"der\u202e"}', '50')
    const [, port] = await people.line(/^10\.77\.0\.1:(\d+) eth0 {"text":"der\\u\{202e\}"}$/)
    const { message, from } = await programs.json((said) => said.type === 'message')
    assert.deepEqual(message, { text: 'der\u202e' })
    assert.deepEqual(
      { ...from, size: 0 },
      {
        address: a.address,
        family: 'IPv4',
        port: Number(port),
        size: 0,
        interface: 'eth0',
        group: '224.0.0.1'
      }
    )
    const { message: base64 } = await bytes.json((said) => said.type === 'message')
    assert.deepEqual(JSON.parse(Buffer.from(base64, 'base64').toString()), message)
  }
)

test('cast - sends each line of its input, and ends with it', { skip: needs('lab') }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const listener = runOn(b, 'listen')
  const first = runOn(a, 'cast', 'ready?', '20')
  await listener.line(/ready\?$/)
  await first.kill()
  const caster = runOn(a, 'cast', '-')
  caster.write('one')
  await listener.line(/ one$/)
  caster.write('two')
  await listener.line(/ two$/)
  caster.child.stdin.end('three\n')
  await listener.line(/ three$/)
  assert.deepEqual(await caster.end(), { code: 0, signal: null })
})

test(
  'what cast - reads is sent on a computer without a network, too',
  { skip: needs('lab') },
  async (t) => {
    const { a } = await hosts(t, { a: [] })
    const listener = runOn(a, 'listen')
    const caster = runOn(a, 'cast', '-')
    caster.child.stdin.end('one\ntwo\n')
    await listener.line(/ one$/)
    await listener.line(/ two$/)
    assert.equal((await caster.end()).code, 0)
  }
)

test('discover tells who is there, and Ctrl-C is a goodbye', { skip: needs('lab') }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const ada = runOn(a, 'discover', '--id', 'ada', '{"username":"ada"}')
  const bob = runOn(b, 'discover', '--json', '--id', 'bob')
  await ada.line(/^\+ bob 10\.77\.0\.2 eth0 {"username":/)
  const { peer } = await bob.json((said) => said.type === 'up')
  assert.deepEqual([peer.id, peer.data], ['ada', { username: 'ada' }])
  bob.child.kill('SIGINT')
  await ada.line(/^- bob 10\.77\.0\.2 eth0 \(bye\)$/)
  assert.deepEqual(await bob.end(), { code: 0, signal: null })
  ada.child.kill('SIGTERM')
  assert.deepEqual(await ada.end(), { code: 0, signal: null })
  assert.ok(!ada.lines.some((line) => line.includes('(close)')))
})

test('keys, by a flag in hexadecimal and by the environment', { skip: needs('lab') }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const key = 'aB'.repeat(32)
  const ada = runOn(a, 'discover', '--id', 'ada', '--key', key)
  const bob = b.start('env', `LAN_PEERS_KEY=${key}`, process.execPath, COMMAND, 'discover')
  const eve = runOn(b, 'discover', '--id', 'eve', '--key', 'a passphrase')
  await bob.line(/^\+ ada /)
  await ada.line(/^\+ /)
  await eve.line(/^lan-peers: .* another key, or without\. /)
  assert.ok(!eve.lines.some((line) => line.startsWith('+')))
})

test(
  'a port that cannot be had is told with the cure, and ends with 1',
  { skip: needs('lab') },
  async (t) => {
    const { a } = await hosts(t, 1)
    const other = a.run('fixtures/unshared.js', '9778')
    await other.line(/^bound$/)
    const { code } = await runOn(a, 'listen').end()
    assert.equal(code, 1)
    const command = runOn(a, 'discover')
    await command.line(/^lan-peers: bind EADDRINUSE/)
    await command.line(/^Another program on this computer uses the port/)
  }
)

test('it ends quietly when nobody reads any more', { skip: needs('lab') }, async (t) => {
  const { a } = await hosts(t, 1)
  runOn(a, 'cast', 'hello', '20')
  const shell = a.start(
    'sh',
    '-c',
    `"${process.execPath}" "${COMMAND}" listen | head -n 1; echo done`
  )
  await shell.line(/ hello$/)
  await shell.line(/^done$/)
  assert.deepEqual(await shell.end(), { code: 0, signal: null })
  assert.equal(shell.lines.length, 2, shell.lines.join('\n'))
})

/** A peer for the table. */
const peer = (/** @type {string} */ id, /** @type {any} */ data, address = '10.0.0.1') =>
  /** @type {any} */ ({ id, data, address, addresses: [{ interface: 'eth0' }], since: 0 })

test('the table fits its terminal, whatever is announced', () => {
  const entries = [
    { peer: peer('a', { username: 'ada', x: 1 }) },
    { peer: peer('b', { name: '名前'.repeat(20) }, 'fe80::1234:5678:9abc:def0%enp0s31f6') },
    { peer: peer('c', { username: '\x1b[2J\n', long: 'x'.repeat(500) }) },
    { peer: peer('d', {}), gone: 'timeout' }
  ]
  const terminal = { columns: 80, rows: 24, colours: false }
  const [head, ada, wide, hostile, gone, foot] = lines(entries, terminal)
  assert.match(head, /^WHO +ADDRESS +INTERFACE +SINCE +DATA$/)
  assert.match(ada, /^ada +10\.0\.0\.1 +eth0 +\d\d:\d\d:\d\d +{"x":1}$/)
  assert.match(wide, /^名前名前名前名…   fe80::1234:5678:9abc:de…  eth0 /)
  assert.match(hostile, /^\\u\{1b\}\[2J\\u\{a\} /)
  assert.match(gone, /^d .* gone: timeout$/)
  assert.equal(foot, '3 peers. Ctrl-C ends it.')
  for (const line of [head, ada, hostile, gone, foot]) assert.ok(line.length <= 80)
  assert.ok(lines(entries, { ...terminal, colours: true })[4].startsWith('\x1b[2m'))
  // Without an IPv6 address there is more room for what they announce.
  const [, alone] = lines(entries.slice(0, 1), terminal)
  assert.match(alone, /^ada {13} {2}10\.0\.0\.1 {7} {2}eth0 {5} {2}\d\d:\d\d:\d\d {2}{"x":1}$/)
  const many = Array.from({ length: 100 }, (_, i) => ({ peer: peer(`${i}`, {}) }))
  const short = lines(many, terminal)
  assert.ok(short.length < 24)
  assert.equal(short.at(-1), '100 peers, 79 of them not shown. Ctrl-C ends it.')
  for (const line of lines(many, { columns: 20, rows: 5, colours: false }))
    assert.ok(line.length <= 20)
})

test('text is cut and filled up to a number of columns', () => {
  for (const [text, width, expected] of /** @type {const} */ ([
    ['abc', 5, 'abc  '],
    ['abcde', 5, 'abcde'],
    ['abcdef', 5, 'abcd…'],
    ['名前', 5, '名前 '],
    ['名前名', 5, '名前…'],
    ['a名前', 4, 'a名…'],
    ['e\u0301e\u0301', 2, 'e\u0301e\u0301'],
    ['👍👍', 3, '👍…'],
    ['', 2, '  ']
  ])) {
    assert.equal(fit(text, width), expected, text)
  }
  assert.equal(printable('a\tb\u009b\u2028é名👍'), 'a\\u{9}b\\u{9b}\\u{2028}é名👍')
})

test('on a terminal the table is drawn in its place', { skip: needs('lab') }, async (t) => {
  const { a, b } = await hosts(t, 2)
  const command = `stty cols 80 rows 24; exec "${process.execPath}" "${COMMAND}" discover --id ada`
  const terminal = a.start('script', '-qfc', command, '/dev/null')
  await terminal.line(/WHO +ADDRESS +INTERFACE/)
  const other = runOn(b, 'discover', '--id', 'bob', '{"username":"bob"}')
  await terminal.line(/bob +10\.77\.0\.2 +eth0 +\d\d:\d\d:\d\d/)
  other.child.kill('SIGINT')
  await terminal.line(/bob .*gone: bye/)
  // The key that is Ctrl-C.
  terminal.child.stdin.write('\u0003')
  assert.equal((await terminal.end()).code, 0)
  const drawn = terminal.lines.filter((line) => /0 peers/.test(line))
  assert.ok(drawn.length > 1)
})

test('the package installs it', () => {
  const { bin } = require('../package.json')
  assert.deepEqual(bin, { 'lan-peers': 'bin/lan-peers.js' })
  assert.match(execFileSync(COMMAND, ['--help'], { encoding: 'utf8' }), /^Finds other computers/)
})
