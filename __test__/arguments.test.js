'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { inspect } = require('node:util')
const { cast, diagnose, discover, interfaces, listen } = require('..')
const binding = require('../binding.js')
const { castOptions, discoverOptions, listenOptions } = require('../lib/options.js')
const { LOOPBACK, castTo, listenHere } = require('./loopback.js')
const { until } = require('./process.js')

/** @typedef {[what: any, error: Function, code: string, message: string]} Case */

const TYPE = /** @type {const} */ ([TypeError, 'ERR_INVALID_ARG_TYPE'])
const VALUE = /** @type {const} */ ([TypeError, 'ERR_INVALID_ARG_VALUE'])
const RANGE = /** @type {const} */ ([RangeError, 'ERR_OUT_OF_RANGE'])

/**
 * No option takes null.
 *
 * @param {string} name
 * @param {string} expected
 * @returns {Case}
 */
const nullIsRefused = (name, expected) => [
  { [name]: null },
  ...TYPE,
  `The "options.${name}" property must be of type ${expected}. Received null`
]

/** @type {Case[]} options that all take */
const OPTIONS = [
  nullIsRefused('group', 'string or an array of strings'),
  nullIsRefused('port', 'number'),
  nullIsRefused('interfaces', 'string or an array of strings'),
  [null, ...TYPE, 'The "options" argument must be of type object. Received null'],
  [5, ...TYPE, 'The "options" argument must be of type object. Received type number (5)'],
  [[], ...TYPE, 'The "options" argument must be of type object. Received an instance of Array'],
  [
    { group: 5 },
    ...TYPE,
    'The "options.group" property must be of type string or an array of strings. Received type number (5)'
  ],
  [
    { group: '10.0.0.1' },
    ...VALUE,
    "The property 'options.group' must be a multicast address, 224.0.0.0 to 239.255.255.255 or ff00::/8. Received '10.0.0.1'"
  ],
  [
    { group: '240.0.0.1' },
    ...VALUE,
    "The property 'options.group' must be a multicast address, 224.0.0.0 to 239.255.255.255 or ff00::/8. Received '240.0.0.1'"
  ],
  [
    { group: 'nonsense' },
    ...VALUE,
    "The property 'options.group' must be a multicast address, 224.0.0.0 to 239.255.255.255 or ff00::/8. Received 'nonsense'"
  ],
  [
    { group: 'fe80::1' },
    ...VALUE,
    "The property 'options.group' must be a multicast address, 224.0.0.0 to 239.255.255.255 or ff00::/8. Received 'fe80::1'"
  ],
  [
    { group: ['224.0.0.1', 'ff02::1%eth0'] },
    ...VALUE,
    "The property 'options.group[1]' must have no '%': its interface is named in options.interfaces. Received 'ff02::1%eth0'"
  ],
  [
    { signal: new AbortController() },
    ...TYPE,
    'The "options.signal" property must be an instance of AbortSignal. Received an instance of AbortController'
  ],
  [
    { group: [] },
    ...VALUE,
    "The property 'options.group' must name at least one group. Received []"
  ],
  [
    { group: ['224.0.0.1', 7] },
    ...TYPE,
    'The "options.group[1]" property must be of type string. Received type number (7)'
  ],
  [
    { group: Array(2) },
    ...TYPE,
    'The "options.group[0]" property must be of type string. Received undefined'
  ],
  [
    { interfaces: Array(2) },
    ...TYPE,
    'The "options.interfaces[0]" property must be of type string. Received undefined'
  ],
  [
    { port: '9778' },
    ...TYPE,
    'The "options.port" property must be of type number. Received type string (\'9778\')'
  ],
  [
    { port: 1.5 },
    ...RANGE,
    'The value of "options.port" is out of range. It must be an integer. Received 1.5'
  ],
  [
    { port: NaN },
    ...RANGE,
    'The value of "options.port" is out of range. It must be an integer. Received NaN'
  ],
  [
    { interfaces: 5 },
    ...TYPE,
    'The "options.interfaces" property must be of type string or an array of strings. Received type number (5)'
  ],
  [
    { interfaces: ['lo', null] },
    ...TYPE,
    'The "options.interfaces[1]" property must be of type string. Received null'
  ],
  ...[
    ['', 'a pattern may not be empty', ''],
    ['10.0.0.0/33', 'an IPv4 CIDR ends in a prefix length from 0 to 32', '10.0.0.0/33'],
    ['eth0/8', "a CIDR needs an address before the '/'", 'eth0/8'],
    ['1.2.3', 'neither an interface name nor an address', '1.2.3'],
    ['fe80::1%lo', "an address has no '%' here; the interface can be named itself", 'fe80::1%lo'],
    ['!!lo', "'!' excludes only in front of a pattern, once", '!!lo']
  ].map(
    ([pattern, why, shown]) =>
      /** @type {Case} */ ([
        { interfaces: pattern },
        ...VALUE,
        "The property 'options.interfaces' must name interfaces by name, address or CIDR, or exclude " +
          `such with "!"; ${why}: '${shown}'. Received ${pattern.includes("'") ? `"${pattern}"` : `'${pattern}'`}`
      ])
  )
]

/** @type {Case[]} */
const LISTEN_OPTIONS = [
  ...OPTIONS,
  nullIsRefused('encoding', 'string'),
  nullIsRefused('direct', 'boolean'),
  nullIsRefused('self', 'boolean'),
  nullIsRefused('source', 'string'),
  ...['224.0.0.1', '0.0.0.0', 'fd00::1', 'name', '127.0.0.1/8'].map(
    (source) =>
      /** @type {Case} */ ([
        { source },
        ...VALUE,
        `The property 'options.source' must be the IPv4 address of a host. Received '${source}'`
      ])
  ),
  [
    { source: '127.0.0.1', group: ['232.1.1.1', 'ff02::1'] },
    ...VALUE,
    "The property 'options.group' must be an IPv4 group, as options.source is. Received [ '232.1.1.1', 'ff02::1' ]"
  ],
  nullIsRefused('highWaterMark', 'number'),
  nullIsRefused('receiveBuffer', 'number'),
  [
    { port: -1 },
    ...RANGE,
    'The value of "options.port" is out of range. It must be >= 0 && <= 65535. Received -1'
  ],
  [
    { port: 65536 },
    ...RANGE,
    'The value of "options.port" is out of range. It must be >= 0 && <= 65535. Received 65536'
  ],
  [
    { encoding: 5 },
    ...TYPE,
    'The "options.encoding" property must be of type string. Received type number (5)'
  ],
  [
    { encoding: 'latin1' },
    ...VALUE,
    "The property 'options.encoding' must be one of: 'buffer', 'utf8', 'json'. Received 'latin1'"
  ],
  [
    { direct: 1 },
    ...TYPE,
    'The "options.direct" property must be of type boolean. Received type number (1)'
  ],
  [
    { self: 'no' },
    ...TYPE,
    'The "options.self" property must be of type boolean. Received type string (\'no\')'
  ],
  [
    { highWaterMark: 0 },
    ...RANGE,
    'The value of "options.highWaterMark" is out of range. It must be >= 1 && <= 9007199254740991. Received 0'
  ],
  [
    { highWaterMark: 5n },
    ...TYPE,
    'The "options.highWaterMark" property must be of type number. Received type bigint (5n)'
  ],
  [
    { receiveBuffer: 2 ** 31 },
    ...RANGE,
    'The value of "options.receiveBuffer" is out of range. It must be >= 1 && <= 2147483647. Received 2147483648'
  ],
  [
    { receiveBuffer: {} },
    ...TYPE,
    'The "options.receiveBuffer" property must be of type number. Received an instance of Object'
  ]
]

/** @type {Case[]} */
const CAST_OPTIONS = [
  ...OPTIONS,
  nullIsRefused('ttl', 'number'),
  nullIsRefused('loopback', 'boolean'),
  nullIsRefused('broadcast', 'boolean'),
  nullIsRefused('to', 'string or an array of strings'),
  [
    { to: ['127.0.0.1', 5] },
    ...TYPE,
    'The "options.to[1]" property must be of type string. Received type number (5)'
  ],
  ...[
    ['', 'neither an address nor a host name'],
    ['224.0.0.1', 'a group is named in options.group'],
    ['127.0.0.1:0', 'a port is from 1 to 65535'],
    ['fe80::1', 'an address of one link, fe80::/10, needs its interface: fe80::1%eth0'],
    ['http://localhost', 'neither a URL nor a network']
  ].map(
    ([to, why]) =>
      /** @type {Case} */ ([
        { to: ['127.0.0.1', to] },
        ...VALUE,
        `The property 'options.to[1]' must be an address or a host name, or such and a port; ${why}. Received '${to}'`
      ])
  ),
  [() => {}, ...TYPE, 'The "options" argument must be of type object. Received function '],
  [
    { port: 0 },
    ...RANGE,
    'The value of "options.port" is out of range. It must be >= 1 && <= 65535. Received 0'
  ],
  [
    { ttl: 256 },
    ...RANGE,
    'The value of "options.ttl" is out of range. It must be >= 0 && <= 255. Received 256'
  ],
  [
    { ttl: true },
    ...TYPE,
    'The "options.ttl" property must be of type number. Received type boolean (true)'
  ],
  [
    { loopback: 0 },
    ...TYPE,
    'The "options.loopback" property must be of type boolean. Received type number (0)'
  ]
]

/** @type {Case[]} */
const DISCOVER_OPTIONS = [
  ...OPTIONS,
  nullIsRefused('app', 'string'),
  nullIsRefused('id', 'string'),
  nullIsRefused('interval', 'number'),
  nullIsRefused('rate', 'number'),
  nullIsRefused('plain', 'boolean'),
  nullIsRefused('maxPeers', 'number'),
  nullIsRefused('broadcast', 'boolean'),
  nullIsRefused('ttl', 'number'),
  nullIsRefused('seeds', 'string or an array of strings'),
  ...['', 'x'.repeat(65), 'plain:1'].map(
    (id) =>
      /** @type {Case} */ ([
        { id },
        ...VALUE,
        "The property 'options.id' must have 1 to 64 characters, and not begin with 'plain:'. " +
          `Received '${id}'`
      ])
  ),
  ...['app', 'id'].map(
    (name) =>
      /** @type {Case} */ ([
        { [name]: 'a\ud800' },
        ...VALUE,
        `The property 'options.${name}' must have no lone surrogates. Received ${inspect('a\ud800')}`
      ])
  ),
  ...Object.entries({
    port: [1, 65535],
    interval: [100, 600_000],
    rate: [1, 1_000_000],
    maxPeers: [1, 1_000_000],
    clockTolerance: [1000, 86_400_000],
    ttl: [0, 255]
  }).flatMap(([name, [least, most]]) =>
    [least - 1, most + 1].map(
      (value) =>
        /** @type {Case} */ ([
          { [name]: value },
          ...RANGE,
          `The value of "options.${name}" is out of range. It must be >= ${least} && <= ${most}. Received ${value}`
        ])
    )
  ),
  [
    { seeds: ['127.0.0.1', '224.0.0.1'] },
    ...VALUE,
    "The property 'options.seeds[1]' must be an address or a host name, or such and a port; " +
      "a group is named in options.group. Received '224.0.0.1'"
  ]
]

const PAYLOAD =
  'The "payload" argument must be a string, a Buffer, TypedArray or DataView, or an object or array to ' +
  'send as JSON.'
const transferred = new Uint8Array(3)
structuredClone(transferred.buffer, { transfer: [transferred.buffer] })
const circular = /** @type {any} */ ({})
circular.self = circular

/** @type {Case[]} */
const PAYLOADS = [
  [undefined, ...TYPE, `${PAYLOAD} Received undefined`],
  [null, ...TYPE, `${PAYLOAD} Received null`],
  [5, ...TYPE, `${PAYLOAD} Received type number (5)`],
  [true, ...TYPE, `${PAYLOAD} Received type boolean (true)`],
  [function named() {}, ...TYPE, `${PAYLOAD} Received function named`],
  [Symbol('s'), ...TYPE, `${PAYLOAD} Received type symbol (Symbol(s))`],
  [new ArrayBuffer(1), ...TYPE, `${PAYLOAD} Received an instance of ArrayBuffer`],
  [Promise.resolve({}), ...TYPE, `${PAYLOAD} Received an instance of Promise`],
  [new Map([[1, 2]]), ...TYPE, `${PAYLOAD} Received an instance of Map`],
  [new Set([1]), ...TYPE, `${PAYLOAD} Received an instance of Set`],
  [
    transferred,
    ...VALUE,
    "The argument 'payload' is a view of memory that was transferred. Received Uint8Array(0) []"
  ],
  [
    circular,
    ...VALUE,
    "The argument 'payload' cannot be sent as JSON: Converting circular structure to JSON. " +
      'Received <ref *1> { self: [Circular *1] }'
  ],
  [
    { n: 1n },
    ...VALUE,
    "The argument 'payload' cannot be sent as JSON: Do not know how to serialize a BigInt. Received { n: 1n }"
  ],
  [
    { toJSON() {} },
    ...VALUE,
    "The argument 'payload' has no JSON. Received { toJSON: [Function: toJSON] }"
  ],
  [
    'x'.repeat(65_508),
    RangeError,
    'ERR_PAYLOAD_TOO_LARGE',
    'The "payload" argument must be at most 65507 bytes. Received 65508 bytes'
  ],
  [
    'ä'.repeat(32_754),
    RangeError,
    'ERR_PAYLOAD_TOO_LARGE',
    'The "payload" argument must be at most 65507 bytes. Received 65508 bytes'
  ]
]

const DATA = 'The "data" argument must be an object to announce as JSON.'
const ANNOUNCEABLE =
  'The argument \'data\' must be an object in JSON, nested at most 64 levels deep, without the key "lan-peers".'
/** An object in an object, and so on. */
const nested = (/** @type {number} */ depth) =>
  JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)

/** @type {Case[]} */
const ANNOUNCED = [
  [null, ...TYPE, `${DATA} Received null`],
  ['text', ...TYPE, `${DATA} Received type string ('text')`],
  [[], ...TYPE, `${DATA} Received an instance of Array`],
  [new Uint8Array(1), ...TYPE, `${DATA} Received an instance of Uint8Array`],
  [new Map(), ...TYPE, `${DATA} Received an instance of Map`],
  [Promise.resolve({}), ...TYPE, `${DATA} Received an instance of Promise`],
  [
    circular,
    ...VALUE,
    "The argument 'data' cannot be sent as JSON: Converting circular structure to JSON. " +
      'Received <ref *1> { self: [Circular *1] }'
  ],
  [new Date(0), ...VALUE, `${ANNOUNCEABLE} Received 1970-01-01T00:00:00.000Z`],
  [{ 'lan-peers': 1 }, ...VALUE, `${ANNOUNCEABLE} Received { 'lan-peers': 1 }`],
  [nested(65), ...VALUE, `${ANNOUNCEABLE} Received { a: { a: { a: [Object] } } }`]
]

/** @type {Case[]} */
const INTERVALS = [
  [null, ...TYPE, 'The "intervalMs" argument must be of type number. Received null'],
  [
    '2000',
    ...TYPE,
    'The "intervalMs" argument must be of type number. Received type string (\'2000\')'
  ],
  [{}, ...TYPE, 'The "intervalMs" argument must be of type number. Received an instance of Object'],
  ...[0, -1, 2 ** 31, Infinity, NaN, 0.5].map(
    (ms) =>
      /** @type {Case} */ ([
        ms,
        ...RANGE,
        'The value of "intervalMs" is out of range. It must be ' +
          `${Number.isInteger(ms) ? '>= 1 && <= 2147483647' : 'an integer'}. Received ${ms}`
      ])
  )
]

/** @type {Case[]} */
const GROUPS = [
  [undefined, ...TYPE, 'The "group" argument must be of type string. Received undefined'],
  [
    ['224.0.0.1'],
    ...TYPE,
    'The "group" argument must be of type string. Received an instance of Array'
  ],
  [
    '192.168.0.1',
    ...VALUE,
    "The argument 'group' must be a multicast address, 224.0.0.0 to 239.255.255.255 or ff00::/8. Received '192.168.0.1'"
  ]
]

/**
 * @param {Case[]} cases
 * @param {(what: any) => unknown} call
 */
function refuses(cases, call) {
  for (const [what, error, code, message] of cases) {
    assert.throws(
      () => call(what),
      (/** @type {any} */ thrown) => {
        assert.deepEqual(
          { constructor: thrown.constructor, code: thrown.code, message: thrown.message },
          { constructor: error, code, message }
        )
        assert.ok(thrown.stack.startsWith(`${thrown.name} [${code}]: `), thrown.stack)
        return true
      }
    )
  }
}

/**
 * The cases that can be tried on the functions themselves: were one of them let through, it would keep to
 * loopback. The others would go out by other interfaces, and are tried on what checks them alone.
 *
 * @param {Case[]} cases
 */
const harmless = (cases) =>
  cases
    .filter(([options]) => Object.getPrototypeOf(options ?? 0) === Object.prototype)
    .filter(([options]) => !('interfaces' in options || 'to' in options || 'seeds' in options))

test('options are checked', () => {
  refuses(LISTEN_OPTIONS, (options) => listenOptions(binding, options))
  refuses(CAST_OPTIONS, (options) => castOptions(binding, options))
  refuses(DISCOVER_OPTIONS, (options) => discoverOptions(binding, options))
})

test('listen refuses wrong options', () =>
  refuses(harmless(LISTEN_OPTIONS), (options) => listen({ ...LOOPBACK, ...options })))

test('interfaces refuses wrong patterns', () =>
  refuses(
    [
      [
        5,
        ...TYPE,
        'The "pattern" argument must be of type string or an array of strings. Received type number (5)'
      ],
      [
        ['eth0', '1.2.3'],
        ...VALUE,
        'The argument \'pattern\' must name interfaces by name, address or CIDR, or exclude such with "!"; ' +
          "neither an interface name nor an address: '1.2.3'. Received [ 'eth0', '1.2.3' ]"
      ]
    ],
    (pattern) => interfaces(pattern)
  ))

test('listen refuses a wrong callback', () => {
  const call = (/** @type {any} */ callback) => listen(LOOPBACK, callback)
  const expected = 'The "callback" argument must be of type function.'
  refuses(
    [
      [null, ...TYPE, `${expected} Received null`],
      ['f', ...TYPE, `${expected} Received type string ('f')`]
    ],
    call
  )
})

test('cast refuses wrong options', () =>
  refuses(harmless(CAST_OPTIONS), (options) => cast('x', 1000, { ...LOOPBACK, ...options })))
test('cast refuses wrong payloads', () =>
  refuses(PAYLOADS, (payload) => cast(payload, 1000, LOOPBACK)))
test('cast refuses wrong intervals', () =>
  refuses(INTERVALS, (interval) => cast('x', interval, LOOPBACK)))

test('an error in making JSON is the cause', () => {
  const cause = new Error('mine')
  const payload = {
    toJSON() {
      throw cause
    }
  }
  assert.throws(() => cast(payload, 1000, LOOPBACK), { code: 'ERR_INVALID_ARG_VALUE', cause })
})

test('join and leave refuse what is no group, and lose nothing by it', (t) => {
  const listener = listenHere(t)
  refuses(GROUPS, (group) => listener.join(group))
  refuses(GROUPS, (group) => listener.leave(group))
  refuses(
    [
      [
        '239.1.2.3',
        ...VALUE,
        "The argument 'group' must be one that was joined. Received '239.1.2.3'"
      ]
    ],
    (group) => listener.leave(group)
  )
  assert.deepEqual(listener.groups, ['224.0.0.1'])
  const only = listenHere(t, { group: '232.1.1.1', source: '127.0.0.1' })
  refuses(
    [
      [
        'ff02::1',
        ...VALUE,
        "The argument 'group' must be an IPv4 group, as options.source is. Received 'ff02::1'"
      ]
    ],
    (group) => only.join(group)
  )
})

test('update refuses what cast does, and what was sent before is sent on', async (t) => {
  const heard = /** @type {string[]} */ ([])
  const listener = listenHere(t, { encoding: 'utf8' }, (message) => heard.push(message))
  const caster = castTo(t, listener, 'before', 10)
  refuses(PAYLOADS, (payload) => caster.update(payload))
  refuses(
    INTERVALS.filter(([interval]) => interval !== undefined),
    (interval) => caster.update('after', interval)
  )
  const { sent } = caster.stats()
  await until(() => caster.stats().sent >= sent + 3 && heard.length >= 3)
  assert.deepEqual([...new Set(heard)], ['before'])
})

test('discover refuses wrong options', () =>
  refuses(harmless(DISCOVER_OPTIONS), (options) => discover({}, { ...LOOPBACK, ...options })))
test('diagnose refuses wrong options, at once', () => {
  const range = 'The value of "options.duration" is out of range. It must be'
  refuses(
    [
      ...harmless(OPTIONS),
      nullIsRefused('duration', 'number'),
      [{ duration: 999 }, ...RANGE, `${range} >= 1000 && <= 600000. Received 999`],
      [{ duration: 1000.5 }, ...RANGE, `${range} an integer. Received 1000.5`]
    ],
    (options) => diagnose({ ...LOOPBACK, ...options })
  )
})
test('discover refuses wrong data', () =>
  refuses(ANNOUNCED, (data) => discover(data, { ...LOOPBACK, group: '239.1.11.2' })))

test('announce refuses what discover does, and what was announced before is announced on', async (t) => {
  const options = { ...LOOPBACK, group: '239.1.11.3' }
  const lan = discover({ before: true }, options)
  const other = discover({}, options)
  t.after(() => Promise.all([lan.close(), other.close()]))
  await until(() => other.peers.size === 1)
  refuses(ANNOUNCED, (data) => lan.announce(data))
  refuses([[undefined, ...TYPE, `${DATA} Received undefined`]], (data) => lan.announce(data))
  other.refresh()
  const { announcements } = other.stats()
  await until(() => other.stats().announcements > announcements)
  assert.deepEqual(other.peers.get(lan.id)?.data, { before: true })
  lan.announce(nested(64))
  await until(() => other.peers.get(lan.id)?.data.a)
})
