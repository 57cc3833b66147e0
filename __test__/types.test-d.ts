import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import { cast, diagnose, discover, interfaces, listen } from '..'
import type {
  Caster,
  CasterStats,
  DiagnosedUse,
  Discovery,
  DiscoveryStats,
  DownReason,
  Finding,
  From,
  HandleIterator,
  Interface,
  Listener,
  ListenerStats,
  Messages,
  Payload,
  Peer,
  PeerEvent,
  Report,
  SystemError,
  Warning
} from '..'

// listen: what a message is follows from the encoding
expectType<Listener<Buffer>>(listen())
expectType<Listener<Buffer>>(
  listen((message, from) => {
    expectType<Buffer>(message)
    expectType<From>(from)
  })
)
expectType<Listener<Buffer>>(listen({}))
expectType<Listener<Buffer>>(listen(undefined, (message) => expectType<Buffer>(message)))
expectType<Listener<Buffer>>(
  listen({ encoding: 'buffer' }, (message) => expectType<Buffer>(message))
)
expectType<Listener<string>>(listen({ encoding: 'utf8' }, (message) => expectType<string>(message)))
expectType<Listener<unknown>>(
  listen({ encoding: 'json' }, (message) => expectType<unknown>(message))
)
declare const encoding: 'buffer' | 'utf8' | 'json'
expectType<Listener<unknown>>(listen({ encoding }, (message) => expectType<unknown>(message)))

expectAssignable<Parameters<typeof listen>[0]>({
  group: ['224.0.0.1', 'ff02::1'],
  port: 0,
  interfaces: ['eth*', '!eth1'],
  source: '10.0.0.7',
  signal: AbortSignal.timeout(1000),
  direct: false,
  self: false,
  highWaterMark: 1024,
  receiveBuffer: 65536
})
expectError(listen({ encoding: 'latin1' }))
expectError(listen({ port: '9778' }))
expectError(listen({ ttl: 1 }))
expectError(listen({ to: '10.0.0.7' }))
expectError(listen({ source: ['10.0.0.7'] }))
expectError(listen({ signal: new AbortController() }))
expectError(listen('224.0.0.1'))

const listener = listen({ encoding: 'utf8' })
listener.on('message', (message, from) => {
  expectType<string>(message)
  expectType<'IPv4' | 'IPv6'>(from.family)
  expectType<string | null>(from.group)
})
listener.once('listening', () => {})
listener.on('drop', (count) => expectType<number>(count))
listener.on('warning', (warning) => {
  expectType<Warning>(warning)
  expectType<string>(warning.hint)
})
listener.on('close', () => {})
expectError(listener.on('drop', (count: string) => count))
expectType<{ address: string; family: 'IPv4' | 'IPv6'; port: number }>(listener.address())
expectType<string[]>(listener.groups)
expectType<void>(listener.join('239.1.2.3'))
expectType<void>(listener.leave('239.1.2.3'))
expectType<ListenerStats>(listener.stats())
expectNotAssignable<Listener<Buffer>>(listener)
expectType<Listener<string>>(listener.ref())
expectType<Listener<string>>(listener.unref())
expectType<Promise<void>>(listener.close())
expectType<Promise<void>>(listener[Symbol.asyncDispose]())
expectError((listener.groups = []))
expectType<Interface[]>(listener.interfaces())
expectType<Interface<'joined' | 'skipped' | 'waiting' | 'failing'>[]>(listener.interfaces())

// The async iterator
expectType<Messages<string>>(listener[Symbol.asyncIterator]())
async function iterate() {
  for await (const { message, from } of listener) {
    expectType<string>(message)
    expectType<From>(from)
  }
  for await (const { message } of listen({ encoding: 'json' })) expectType<unknown>(message)
  for await (const { message } of listen()) expectType<Buffer>(message)
  const messages = listener[Symbol.asyncIterator]()
  expectType<IteratorResult<{ message: string; from: From }, undefined>>(await messages.next())
  expectType<Promise<void>>(messages[Symbol.asyncDispose]())
}
expectType<Promise<void>>(iterate())

// interfaces: of an object, and of the computer
for (const { name, index, addresses, IPv4, IPv6 } of interfaces(['eth*', '!eth1'])) {
  expectType<string>(name)
  expectType<number>(index)
  expectType<{ address: string; family: 'IPv4' | 'IPv6'; cidr: string }[]>(addresses)
  expectType<'usable' | 'skipped'>(IPv4.state)
  expectType<string | null>(IPv6.reason)
  expectType<SystemError | null>(IPv6.error)
}
expectType<Interface<'usable' | 'skipped'>[]>(interfaces())
expectType<Interface<'usable' | 'skipped'>[]>(interfaces('eth0'))
expectError(interfaces(5))
for (const handle of [listener, cast('text')]) {
  handle.on('interfaces', (all) => {
    expectType<Interface[]>(all)
    expectType<'joined' | 'skipped' | 'waiting' | 'failing'>(all[0].IPv4.state)
    expectType<string | null>(all[0].IPv6.hint)
  })
}

// cast: every kind of payload
for (const payload of [
  'text',
  Buffer.from('text'),
  new Uint16Array(2),
  new DataView(new ArrayBuffer(2)),
  { username: 'ada' },
  [1, 2]
]) {
  expectAssignable<Payload>(payload)
  expectType<Caster>(cast(payload))
}
expectType<Caster>(cast('text', 20))
expectType<Caster>(
  cast('text', undefined, {
    group: '239.1.2.3',
    port: 9778,
    interfaces: '127.0.0.1',
    to: ['10.0.0.7', '[fd00::7]:9778'],
    broadcast: true,
    ttl: 0,
    loopback: false,
    signal: AbortSignal.timeout(1000)
  })
)
expectError(cast())
expectError(cast(5))
expectError(cast(null))
expectError(cast('text', '20'))
expectType<Caster>(cast('text', 20, { to: 'peers.example' }))
expectError(cast('text', 20, { self: false }))
expectError(cast('text', 20, { to: { host: '10.0.0.7' } }))
expectError(cast('text', 20, { broadcast: 'yes' }))

const caster = cast('text')
expectType<void>(caster.update({ username: 'grace' }))
expectType<void>(caster.update('text', 500))
expectType<void>(caster.send())
expectType<CasterStats>(caster.stats())
expectType<Interface[]>(caster.interfaces())
expectType<Caster>(caster.ref())
expectType<Caster>(caster.unref())
expectType<Promise<void>>(caster.close())
caster.on('warning', (warning) => {
  expectType<Warning>(warning)
  expectType<string | undefined>(warning.hostname)
})
expectType<Promise<void>>(caster[Symbol.asyncDispose]())
caster.on('close', () => {})

// discover
expectType<Discovery>(discover())
expectType<Discovery>(discover({ username: 'ada' }))
expectAssignable<Parameters<typeof discover>[1]>({
  app: 'chat',
  id: 'ada',
  interval: 1000,
  rate: 10,
  group: ['224.0.0.1', 'ff02::1'],
  port: 9778,
  interfaces: ['eth*', '!eth1'],
  seeds: '10.0.0.7',
  broadcast: true,
  ttl: 1,
  plain: false,
  maxPeers: 100,
  key: ['passphrase', Buffer.alloc(32), new Uint8Array(32)],
  clockTolerance: 1000,
  signal: AbortSignal.timeout(1000)
})
expectError(discover('data'))
expectError(discover({}, { key: 5 }))
expectError(discover({}, { to: '10.0.0.7' }))
expectError(discover({}, { encoding: 'json' }))
expectError(discover({}, { id: 5 }))

const lan = discover({})
lan.on('up', (peer) => expectType<Peer>(peer))
lan.on('update', (peer, previous) => {
  expectType<Peer>(peer)
  expectType<Peer>(previous)
})
lan.on('down', (peer, reason) => {
  expectType<Peer>(peer)
  expectType<DownReason>(reason)
})
lan.on('warning', (warning) => expectType<Warning>(warning))
lan.on('interfaces', (all) => expectType<Interface[]>(all))
expectError(lan.on('message', () => {}))
expectType<string>(lan.id)
expectType<ReadonlyMap<string, Peer>>(lan.peers)
expectError(lan.peers.set('a', {}))
expectError(lan.announce())
expectError(lan.announce('data'))
expectType<void>(lan.announce({ a: 1 }))
expectType<void>(lan.refresh())
expectType<DiscoveryStats>(lan.stats())
expectType<Promise<void>>(lan.close())
expectType<Discovery>(lan.unref())
declare const peer: Peer
expectType<any>(peer.data.anything)
expectError((peer.id = 'other'))
expectError(peer.addresses.push())
expectType<HandleIterator<PeerEvent>>(lan[Symbol.asyncIterator]())
async function follow() {
  for await (const { type, peer, reason } of lan) {
    expectType<Peer>(peer)
    if (type === 'down') expectType<DownReason>(reason)
    else expectType<undefined>(reason)
  }
}
void follow()

// diagnose
expectType<Promise<Report>>(diagnose())
expectType<Promise<Report>>(
  diagnose({
    group: 'ff02::1',
    port: 1,
    interfaces: ['eth0'],
    duration: 1000,
    signal: AbortSignal.timeout(1000)
  })
)
expectError(diagnose({ encoding: 'utf8' }))
declare const report: Report
expectType<Finding[]>(report.findings)
expectType<DiagnosedUse>(report.interfaces[0].IPv4)
expectType<boolean | null>(report.interfaces[0].IPv6.echo)
