'use strict'

/**
 * @typedef {import('../../index').DiagnosedInterface} DiagnosedInterface
 * @typedef {import('../../index').Finding} Finding
 * @typedef {import('../../index').Heard} Heard
 * @typedef {import('../../index').Report} Report
 */

/** What a report is broken at, in columns: that of a terminal, whatever this one has, for it is pasted elsewhere. */
const WIDTH = 80

const FAMILIES = /** @type {const} */ (['IPv4', 'IPv6'])

/** @type {import('./main.js').Command} */
module.exports = {
  summary: 'Find out why others are not found, or not this computer',
  usage: '',
  flags: ['group', 'port', 'interfaces', 'duration'],
  examples: [
    [
      'lan-peers doctor',
      'what is used, what is in the way, and who else is heard; for bug reports, too'
    ],
    [
      "lan-peers doctor --interfaces 'eth*' --duration 20000",
      'of some interfaces, listening for longer'
    ],
    ["lan-peers doctor --json | jq '.findings[].cure'", 'for programs']
  ],
  async run(api, { options, output }) {
    if (process.stderr.isTTY) console.error('Listening for a few seconds ...')
    const report = await api.diagnose(options)
    output.print(report, ...lines(report))
    process.exitCode = report.ok ? 0 : 1
  }
}

/** @param {Report} report */
const lines = ({ ok, versions, groups, port, patterns, duration, interfaces, findings, heard }) => [
  `lan-peers ${versions['lan-peers']}, Node.js ${versions.node}${versions.electron ? `, Electron ${versions.electron}` : ''}`,
  versions.system,
  `${groups.join(', ')}; port ${port}; interfaces: ${patterns.join(', ') || 'automatic'}`,
  '',
  'Interfaces',
  ...interfaces.flatMap(ofInterface),
  '',
  'In the way',
  ...(findings.length > 0 ? findings.flatMap(ofFinding) : ['  nothing']),
  '',
  `Heard in ${duration / 1000} s`,
  ...(heard.length > 0 ? heard.map(ofHeard) : ['  nobody']),
  '',
  ok ? 'This computer hears what it sends.' : 'No other computer can be found like this.'
]

/** @param {DiagnosedInterface} one */
function ofInterface({ name, addresses, ...uses }) {
  return FAMILIES.flatMap((family) => {
    const { state, reason, memberships, echo } = uses[family]
    const of = addresses.filter((one) => one.family === family).map(({ cidr }) => cidr)
    const what = [
      state === 'joined' ? `joined ${memberships.join(', ')}` : state,
      ...(reason ? [reason] : []),
      ...(echo === null ? [] : [echo ? 'hears itself' : 'does not hear itself'])
    ]
    const where = of.length > 0 ? ` ${of.join(', ')}` : ''
    return wrapped('  ', `${name} ${family}${where}: ${what.join('; ')}`)
  })
}

/** @param {Finding} finding */
const ofFinding = ({ severity, code, interface: name, family, message, cure }) => [
  ...wrapped('  ', `${[severity, code, name, family].filter(Boolean).join(' ')}: ${message}.`),
  ...wrapped('    ', `Cure: ${cure}`)
]

/** @param {Heard} heard */
function ofHeard({ address, interface: name, isThisComputer, multicast, direct, kinds, apps }) {
  const whose = isThisComputer ? ' (this computer)' : ''
  const ways = [
    ...(multicast ? [`${multicast} by multicast`] : []),
    ...(direct ? [`${direct} direct`] : [])
  ]
  const of = apps.length > 0 ? ` of ${apps.map((app) => JSON.stringify(app)).join(', ')}` : ''
  return `  ${address} on ${name}${whose}: ${ways.join(', ')}: ${kinds.join(', ')}${of}`
}

/**
 * Lines of at most WIDTH, as far as the words allow; those after the first begin two columns further in.
 *
 * @param {string} start of the first
 * @param {string} text
 */
function wrapped(start, text) {
  const indent = ' '.repeat(start.length - start.trimStart().length + 2)
  const lines = []
  let line = start
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.length + word.length > WIDTH) {
      lines.push(line.trimEnd())
      line = indent
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}
