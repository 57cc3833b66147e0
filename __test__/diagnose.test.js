'use strict'

// What `diagnose`, and `lan-peers doctor`, say of each fault that the lab can make, and of some that it cannot.

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { describe, test } = require('node:test')
const { diagnose } = require('..')
const { findings } = require('../lib/diagnosis/findings.js')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')
const { LOOPBACK } = require('./loopback.js')

const skip = needs('lab')
const COMMAND = join(__dirname, '..', 'bin', 'lan-peers.js')

/**
 * The doctor's report on a host of the lab, as programs get it, and what it ended with.
 *
 * @param {import('./hosts.js').Host} host
 * @param {...string} flags
 * @returns {Promise<import('..').Report & { code: number }>}
 */
async function doctor(host, ...flags) {
  const args = [COMMAND, 'doctor', '--json', '--duration', '1500', ...flags]
  const program = host.start(process.execPath, ...args)
  const report = await program.json((said) => 'ok' in said)
  const { code } = await program.end()
  assert.equal(program.lines.length, 1)
  return { ...report, code }
}

/**
 * What is in the way, as `severity code interface family`. Whether the lab itself is in a container does not matter.
 *
 * @param {import('..').Report} report
 */
const found = ({ findings }) =>
  findings
    .filter(({ code }) => code !== 'CONTAINER')
    .map(({ severity, code, interface: name, family }) =>
      [severity, code, name, family].filter(Boolean).join(' ')
    )

/**
 * @param {import('..').Report} report
 * @param {string} code
 */
const cureOf = ({ findings }, code) =>
  String(findings.find((finding) => finding.code === code)?.cure)

/**
 * What came back, by interface.
 *
 * @param {import('..').Report} report
 */
const echoes = ({ interfaces }) =>
  Object.fromEntries(interfaces.map(({ name, IPv4, IPv6 }) => [name, [IPv4.echo, IPv6.echo]]))

/**
 * A fault: what makes it, and what is said of it.
 *
 * @typedef {object} Fault
 * @property {(host: import('./hosts.js').Host, t: import('node:test').TestContext) => unknown} make
 * @property {string} [tool] what it needs beside the lab
 * @property {string[]} [flags]
 * @property {boolean} ok whether something works all the same
 * @property {string[]} found
 * @property {[code: string, cure: RegExp]} cure
 * @property {[IPv4: boolean | null, IPv6: boolean | null]} echo of eth0
 */

/** Lets nothing in but answers and what comes by loopback, as a desktop does. */
const DESKTOP = `chain in {
  type filter hook input priority 0; policy drop
  ct state established,related accept
  iif lo accept
}`

/** @type {Record<string, Fault>} */
const FAULTS = {
  'a firewall that refuses': {
    tool: 'nft',
    make: (host) =>
      host.wall('chain out {\n type filter hook output priority 0\n udp dport 9778 reject\n}'),
    ok: false,
    found: ['error EPERM eth0 IPv4', 'error EPERM eth0 IPv6'],
    cure: ['EPERM', /firewall .* allow outgoing UDP/],
    echo: [null, null]
  },
  'a firewall that drops what comes in': {
    tool: 'nft',
    make: (host) => host.wall(DESKTOP),
    ok: false,
    found: ['error NOT_HEARD eth0 IPv4', 'error NOT_HEARD eth0 IPv6'],
    cure: ['NOT_HEARD', /ufw allow 9778\/udp/],
    echo: [false, false]
  },
  'a firewall that drops one family': {
    tool: 'nft',
    make: (host) =>
      host.wall('chain in {\n type filter hook input priority 0\n ip daddr 224.0.0.1 drop\n}'),
    ok: true,
    found: ['error NOT_HEARD eth0 IPv4', 'note NOBODY'],
    cure: ['NOT_HEARD', /Let UDP port 9778 in/],
    echo: [false, true]
  },
  'no route for multicast': {
    make: (host) => host.ip('-6 route del ff00::/8 dev eth0 table local'),
    ok: true,
    found: ['error ENETUNREACH eth0 IPv6', 'note NOBODY'],
    cure: ['ENETUNREACH', /ip -6 route add multicast ff00::\/8 dev eth0/],
    echo: [true, null]
  },
  'no route at all, which is nothing to us': {
    make: (host) => host.ip('route del default'),
    ok: true,
    found: ['note NOBODY'],
    cure: ['NOBODY', /client isolation/],
    echo: [true, true]
  },
  'an interface that is switched off': {
    make: (host) => host.link('eth0', 'down'),
    ok: false,
    found: ['error LINK_DOWN eth0'],
    cure: ['LINK_DOWN', /ip link set eth0 up/],
    echo: [null, null]
  },
  'a cable that is not plugged in': {
    make: (host) => host.cable('eth0', 'out'),
    ok: false,
    found: ['error NO_CARRIER eth0'],
    cure: ['NO_CARRIER', /cable/],
    echo: [null, null]
  },
  'an interface without an address': {
    make: (host) => host.ip('address flush dev eth0'),
    ok: false,
    found: ['error NO_ADDRESS eth0'],
    cure: ['NO_ADDRESS', /DHCP/],
    echo: [null, null]
  },
  'an interface that carries no multicast': {
    make: (host) => host.ip('link set eth0 multicast off'),
    ok: false,
    found: ['error NO_MULTICAST eth0'],
    cure: ['NO_MULTICAST', /seeds/],
    echo: [null, null]
  },
  'a port that another program does not share': {
    make: async (host, t) => {
      const program = host.run('fixtures/unshared.js', '9778')
      t.diagnostic(await program.line(/bound/).then(String))
    },
    ok: false,
    found: ['error EADDRINUSE'],
    cure: ['EADDRINUSE', /reuseAddr/],
    echo: [true, true]
  },
  'memberships exhausted': {
    make: (host) => host.exec('sh', '-c', 'echo 0 > /proc/sys/net/ipv4/igmp_max_memberships'),
    ok: true,
    found: ['error ENOBUFS lo IPv4', 'error ENOBUFS eth0 IPv4', 'note NOBODY'],
    cure: ['ENOBUFS', /igmp_max_memberships/],
    echo: [null, true]
  },
  'interfaces left out': {
    make: () => {},
    flags: ['--interfaces', '!eth*'],
    ok: false,
    found: ['error NOT_USED eth0'],
    cure: ['NOT_USED', /interfaces/],
    echo: [null, null]
  },
  'a name that no interface has': {
    make: () => {},
    flags: ['--interfaces', 'eth7'],
    ok: false,
    found: ['error NO_INTERFACE', 'error NOT_USED eth0'],
    cure: ['NO_INTERFACE', /options\.interfaces/],
    echo: [null, null]
  }
}

// Most of what these do is wait.
describe('the doctor', { concurrency: 4, skip }, () => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    const { make, tool = 'lab', flags = [], ok, found: expected, cure, echo } = fault
    test(name, { skip: needs(tool) }, async (t) => {
      const { a } = await hosts(t, 1)
      await make(a, t)
      const report = await doctor(a, ...flags)
      assert.deepEqual(found(report), expected)
      assert.match(cureOf(report, cure[0]), cure[1])
      assert.deepEqual(echoes(report).eth0, echo)
      assert.deepEqual([report.ok, report.code], [ok, ok ? 0 : 1])
    })
  }

  test('the program that holds the port is named', async (t) => {
    const { a } = await hosts(t, 1)
    const program = a.run('fixtures/unshared.js', '9778')
    await program.line(/bound/)
    const report = await doctor(a)
    const [{ message }] = report.findings
    assert.match(message, /^\S+ \(pid \d+\) has UDP port 9778 and does not share it$/)
    assert.ok(message.includes(`(pid ${program.child.pid})`), message)
  })

  test('nothing but a point-to-point interface', { skip: needs('tunnel') }, async (t) => {
    const { a } = await hosts(t, { a: [] })
    a.addTunnel()
    const report = await doctor(a)
    assert.deepEqual(found(report), ['error POINT_TO_POINT tun0'])
    assert.match(cureOf(report, 'POINT_TO_POINT'), /VPN.*seeds.*interfaces: 'tun0'/)
    assert.equal(report.code, 1)
  })

  test('a VPN that has the default route', { skip: needs('tunnel') }, async (t) => {
    const { a } = await hosts(t, 1)
    a.addTunnel()
    a.ip('route replace default dev tun0')
    const report = await doctor(a)
    assert.deepEqual(found(report), ['note VPN tun0', 'note NOBODY'])
    assert.match(cureOf(report, 'VPN'), /split tunnelling/)
    assert.equal(report.code, 0)
  })

  test('no network', async (t) => {
    const { a } = await hosts(t, { a: [] })
    const report = await doctor(a)
    assert.deepEqual(found(report), ['error NO_NETWORK'])
    assert.equal(report.code, 1)
    // Unless loopback is what was meant.
    const named = await doctor(a, '--interfaces', 'lo')
    assert.deepEqual([found(named), echoes(named).lo[0], named.code], [[], true, 0])
  })

  test('two interfaces in one network, and rp_filter', async (t) => {
    const { a, b } = await hosts(t, { a: [0, 0], b: [0] })
    b.run('fixtures/cast.js', 'hello', '100')
    const heardOn = (/** @type {import('..').Report} */ { heard }) =>
      heard
        .filter(({ address }) => address === b.address)
        .map((one) => one.interface)
        .toSorted()
    const filter = (/** @type {number} */ mode) =>
      a.exec('sh', '-c', `echo ${mode} > /proc/sys/net/ipv4/conf/all/rp_filter`)
    filter(1)
    const strict = await doctor(a)
    assert.deepEqual(found(strict), ['warning RP_FILTER eth1 IPv4'])
    assert.match(cureOf(strict, 'RP_FILTER'), /rp_filter=2/)
    assert.deepEqual(heardOn(strict), ['eth0'])
    filter(2)
    const loose = await doctor(a)
    assert.deepEqual(found(loose), [])
    assert.deepEqual(heardOn(loose), ['eth0', 'eth1'])
    // No way back: then it is dropped whatever the mode.
    a.ip('route del 10.77.0.0/24 dev eth1', 'route del 10.77.0.0/24 dev eth0', 'route del default')
    const astray = await doctor(a)
    assert.deepEqual(found(astray), [
      'warning RP_FILTER eth0 IPv4',
      'warning RP_FILTER eth1 IPv4',
      'note NOBODY'
    ])
    assert.deepEqual(heardOn(astray), [])
  })

  test('who is heard, and how, without what they say', async (t) => {
    const { a, b, c } = await hosts(t, 3)
    b.run('fixtures/discover.js', { secret: 'of b' }, { interval: 200, app: 'chat' })
    c.run('fixtures/discover.js', { secret: 'of c' }, { interval: 200, key: 'a passphrase' })
    c.run('fixtures/cast.js', 'text', '100', { group: '239.1.1.1', to: [a.address] })
    a.run('fixtures/cast.js', { of: 'another program' }, '100')
    const report = await doctor(a, '--duration', '3000')
    assert.deepEqual(found(report), [])
    const { heard } = report
    const of = (/** @type {string} */ address) => heard.filter((one) => one.address === address)
    const [fromB] = of(b.address)
    assert.deepEqual(
      { ...fromB, multicast: 0 },
      {
        address: b.address,
        family: 'IPv4',
        interface: 'eth0',
        isThisComputer: false,
        multicast: 0,
        direct: 0,
        kinds: ['announcement'],
        apps: ['chat']
      }
    )
    assert.ok(fromB.multicast >= 5, `${fromB.multicast}`)
    const [fromC] = of(c.address)
    assert.deepEqual(fromC.kinds, ['other', 'sealed announcement'])
    assert.ok(fromC.direct >= 5 && fromC.multicast >= 5)
    assert.deepEqual(
      of(a.address).map(({ isThisComputer, kinds }) => [isThisComputer, kinds]),
      [[true, ['JSON']]]
    )
    const order = heard.map(({ family, address }) => `${family} ${address}`)
    assert.deepEqual(
      order.slice(0, 3),
      [a, b, c].map(({ address }) => `IPv4 ${address}`)
    )
    assert.ok(!JSON.stringify(report).includes('secret'))
  })

  test('two doctors hear each other', async (t) => {
    const { a, b } = await hosts(t, 2)
    const reports = await Promise.all([a, b].map((host) => doctor(host, '--duration', '3000')))
    for (const [i, other] of [b, a].entries()) {
      const { heard } = reports[i]
      assert.deepEqual(found(reports[i]), [])
      const doctors = heard.filter(({ kinds }) => kinds.includes('diagnosis'))
      assert.ok(doctors.some(({ address }) => address === other.address))
      assert.ok(!heard.some(({ isThisComputer }) => isThisComputer))
    }
  })

  test('what it sends itself leaves no computer, and programs on it that parse what they hear go on', async (t) => {
    const { a, b } = await hosts(t, 2)
    const article = a.run('fixtures/article.js', '{"username":"dgram"}')
    const neighbour = b.run('fixtures/listen.js', { port: 9778 })
    const ours = a.run('fixtures/discover.js', {})
    await neighbour.json((said) => said.message?.includes('dgram'))
    await article.line(/^server got: .*dgram/)
    const { code } = await doctor(a)
    assert.equal(code, 0)
    await article.line(/^server got: "lan-peers probe /)
    assert.equal(article.child.exitCode, null)
    await neighbour.json((said) => said.message?.includes('lan-peers doctor'))
    assert.ok(!neighbour.lines.some((line) => line.includes('probe')))
    assert.ok(!ours.lines.some((line) => /probe|doctor/.test(line)))
  })

  test('for people: versions first, and within 80 columns', { skip: needs('nft') }, async (t) => {
    const { a } = await hosts(t, 1)
    a.wall('chain out {\n type filter hook output priority 0\n udp dport 9778 reject\n}')
    const program = a.start(process.execPath, COMMAND, 'doctor', '--duration', '1000')
    assert.equal((await program.end()).code, 1)
    const { version } = require('../package.json')
    assert.equal(program.lines[0], `lan-peers ${version}, Node.js ${process.versions.node}`)
    assert.equal(program.lines[2], '224.0.0.1, ff02::1; port 9778; interfaces: automatic')
    for (const line of program.lines) assert.ok(line.length <= 80, line)
    const text = program.lines.join('\n')
    assert.match(
      text,
      /eth0 IPv4 10\.77\.0\.\d+\/24: failing; send EPERM 224\.0\.0\.1:9778 on eth0/
    )
    assert.match(text, /error EPERM eth0 IPv4: send EPERM .*\n +Cure: A firewall on this computer/)
    assert.equal(program.lines.at(-1), 'No other computer can be found like this.')
  })
})

test(
  'the report in docs/troubleshooting.md is the real one',
  { skip: needs('lab', 'nft') },
  async (t) => {
    const page = readFileSync(join(__dirname, '../docs/troubleshooting.md'), 'utf8')
    const [, shown] = /** @type {RegExpMatchArray} */ (page.match(/```text\n([^]*?)\n```/))
    const { a } = await hosts(t, 1)
    a.wall(DESKTOP)
    const program = a.start(process.execPath, COMMAND, 'doctor')
    await program.end()
    // But for the versions.
    assert.deepEqual(shown.split('\n').slice(2), program.lines.slice(2))
  }
)

test('a diagnosis can be aborted, and leaves nothing open', async () => {
  const cause = new Error('enough')
  const asked = { ...LOOPBACK, port: 20_778, duration: 60_000 }
  await assert.rejects(diagnose({ ...asked, signal: AbortSignal.abort(cause) }), cause)
  const controller = new AbortController()
  const diagnosis = diagnose({ ...asked, signal: controller.signal })
  controller.abort()
  await assert.rejects(diagnosis, { name: 'AbortError' })
  const { ok } = await diagnose({ ...asked, duration: 1000 })
  assert.equal(ok, true)
})

// What only other systems do.

/** @type {import('..').DiagnosedUse} */
const WELL = {
  state: 'joined',
  reason: null,
  hint: null,
  error: null,
  memberships: ['224.0.0.1'],
  echo: true
}
/** @type {import('..').DiagnosedUse} */
const UNUSED = { ...WELL, state: 'skipped', reason: 'no IPv6 group', memberships: [], echo: null }

/**
 * What is found where a network works, but for what is said of it.
 *
 * @param {Partial<Parameters<typeof findings>[0]>} facts
 * @param {Partial<import('..').DiagnosedUse>} [use]
 */
const judged = (facts, use) =>
  findings({
    platform: 'linux',
    release: '6.1.0',
    port: 9778,
    groups: ['224.0.0.1'],
    patterns: [],
    warnings: [],
    interfaces: [
      {
        name: 'en0',
        index: 2,
        addresses: [{ address: '10.0.0.7', family: 'IPv4', cidr: '10.0.0.7/24' }],
        IPv4: { ...WELL, ...use },
        IPv6: UNUSED
      }
    ],
    heard: [],
    defaultRoute: {},
    filtered: [],
    ...facts
  })

/** @type {[what: string, ReturnType<typeof judged>, code: string, cure: RegExp][]} */
const ELSEWHERE = [
  ['macOS, nobody', judged({ platform: 'darwin' }), 'NOBODY', /Privacy & Security, Local Network/],
  ['Windows, nobody', judged({ platform: 'win32' }), 'NOBODY', /Windows Defender Firewall/],
  ['Windows, silence', judged({ platform: 'win32' }, { echo: false }), 'NOT_HEARD', /Defender/],
  ['macOS, silence', judged({ platform: 'darwin' }, { echo: false }), 'NOT_HEARD', /Firewall, Opt/],
  ['snooping', judged({ groups: ['239.1.2.3'] }), 'NOBODY', /IGMP snooping/],
  ['Docker', judged({ container: 'Docker' }), 'CONTAINER', /--network host/],
  ['WSL', judged({ release: '5.15.0-microsoft-standard-WSL2' }), 'WSL', /mirrored/],
  [
    'macOS that forbids the local network',
    judged(
      { platform: 'darwin' },
      {
        state: 'failing',
        reason: 'send EHOSTUNREACH',
        hint: 'the hint',
        error: Object.assign(new Error(), {
          code: 'EHOSTUNREACH',
          errno: -65,
          syscall: 'send',
          hint: 'the hint'
        })
      }
    ),
    'EHOSTUNREACH',
    /the hint/
  ]
]

for (const [what, found, code, cure] of ELSEWHERE) {
  test(`the cure: ${what}`, () => {
    const [finding] = found.filter((one) => one.code === code)
    assert.match(String(finding?.cure), cure)
  })
}

test('224.0.0.x and ff02:: are not what switches filter', () => {
  for (const group of ['224.0.0.251', 'ff02::1']) {
    const [nobody] = judged({ groups: [group] })
    if (nobody) assert.doesNotMatch(nobody.cure, /snooping/)
  }
})
