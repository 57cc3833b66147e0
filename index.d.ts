/// <reference types="node" />

import { EventEmitter } from 'node:events'

/**
 * Hears every datagram sent to a group, and those sent straight to this host's port.
 *
 * An open listener keeps the process alive, even when nobody holds a reference to it; see `unref`.
 * No event fires before the next tick.
 *
 * @param callback the `'message'` listener
 * @throws `TypeError` or `RangeError` with the code `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or
 * `ERR_OUT_OF_RANGE` for a wrong argument
 * @throws {@link SystemError} for what the system refuses: `EADDRINUSE` if the port is used by a program
 * that does not share it, `EACCES` for a port that needs rights
 *
 * @example
 * listen({ encoding: 'utf8' }, (message, from) => console.log(`${from.address}: ${message}`))
 */
export function listen(callback?: MessageCallback<Buffer>): Listener<Buffer>
export function listen(
  options: ListenOptions & { encoding: 'utf8' },
  callback?: MessageCallback<string>
): Listener<string>
export function listen(
  options: ListenOptions & { encoding: 'json' },
  callback?: MessageCallback<unknown>
): Listener<unknown>
export function listen(
  options: (ListenOptions & { encoding?: 'buffer' }) | undefined,
  callback?: MessageCallback<Buffer>
): Listener<Buffer>
export function listen(
  options: ListenOptions | undefined,
  callback?: MessageCallback<unknown>
): Listener<unknown>

/**
 * Sends `payload` to a group now, and then every `intervalMs` milliseconds, on a schedule that neither
 * drifts nor bursts and does not depend on the event loop.
 *
 * One datagram goes out on each interface for each group, and with `broadcast` one more; and one to each address
 * of `to`. On an interface that comes later the first one goes out at once. An open caster keeps the process alive; see `unref`.
 *
 * @param payload at most 65,507 bytes; it is copied
 * @param intervalMs 1 to 2,147,483,647; 2000 if left out. The first interval is longer by up to a 128th of it, or by a
 * millisecond if that is more, so that casts that are due close to each other are sent together
 * @throws `TypeError` or `RangeError` with the code `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`,
 * `ERR_OUT_OF_RANGE` or `ERR_PAYLOAD_TOO_LARGE` for a wrong argument
 *
 * @example
 * cast({ username: 'ada' }, 2000)
 */
export function cast(payload: Payload, intervalMs?: number, options?: CastOptions): Caster

/**
 * Announces `data` to everybody who runs `discover` with the same `app` on the same network, and keeps a table of those
 * who do.
 *
 * It asks at once who is there, and is answered within about a tenth of a second; then each announces itself every `interval`,
 * or less often where there are many (see `rate`). Who closes, or whose process ends other than by a signal, says goodbye;
 * who crashes is noticed once nothing has been heard of it for three and a half of its intervals. All of that happens on a
 * thread of its own, whatever the event loop is doing: the program is told only what changes. On the wire it is JSON, see
 * docs/protocol.md; programs that send bare JSON objects to the same group are peers, too (see `plain`).
 *
 * Whatever is announced is heard, and can be made up, by anybody on the network, unless there is a `key`. An open discovery keeps the process alive;
 * see `unref`.
 *
 * @param data an object to announce as JSON, without the key `lan-peers`, nested at most 64 levels deep; `{}` if left out. With
 * about 200 bytes of ours it has to fit a datagram of 65,507 bytes, and best one frame of 1,472
 * @throws `TypeError` or `RangeError` with the code `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`,
 * `ERR_OUT_OF_RANGE` or `ERR_PAYLOAD_TOO_LARGE` for a wrong argument
 * @throws {@link SystemError} for what the system refuses: `EADDRINUSE` if the port is used by a program
 * that does not share it
 *
 * @example
 * const lan = discover({ username: 'ada' })
 * lan.on('up', (peer) => console.log('+', peer.data.username, peer.address))
 * lan.on('down', (peer, reason) => console.log('-', peer.data.username, reason))
 */
export function discover(data?: object, options?: DiscoverOptions): Discovery

/**
 * The interfaces of this computer, and what a listener would make of each with the option `interfaces`.
 * Opens nothing.
 *
 * @param pattern as the option {@link GroupOptions.interfaces}
 * @throws `TypeError` with `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` for a wrong pattern
 * @throws {@link SystemError} if the system does not tell its interfaces
 *
 * @example
 * for (const { name, IPv4 } of interfaces()) console.log(name, IPv4.state, IPv4.reason ?? '')
 */
export function interfaces(pattern?: string | readonly string[]): Interface<'usable' | 'skipped'>[]

/**
 * Tries out what the network of this computer lets through, and says what is in the way, and the cure. On each interface it
 * joins the groups and sends itself a datagram that does not leave the computer (TTL 0), over each family; and it listens
 * for others. Once a second it says that it is there, so that two who diagnose at the same time hear each other. `lan-peers doctor`
 * prints it.
 *
 * Who listens to the same groups hears these datagrams, which are JSON strings, and for `discover` nobody.
 *
 * @throws `TypeError` or `RangeError` with the code `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`
 * for a wrong argument; it throws at once
 * @returns a promise of the report. It rejects with an `AbortError` if `signal` is aborted, and with a {@link SystemError} if the
 * system does not let it open a socket of any port
 *
 * @example
 * const { ok, findings } = await diagnose()
 * for (const { message, cure } of findings) console.log(`${message}. ${cure}`)
 */
export function diagnose(options?: DiagnoseOptions): Promise<Report>

/** Options of {@link diagnose}. */
export interface DiagnoseOptions extends GroupOptions {
  /**
   * The groups.
   *
   * @default ['224.0.0.1', 'ff02::1']
   */
  group?: string | readonly string[] | undefined

  /**
   * The UDP port, 1 to 65535.
   *
   * @default 9778
   */
  port?: number | undefined

  /**
   * For how long to listen for others, in milliseconds, 1,000 to 600,000. Up to 250 peers with the usual `interval` are heard
   * within the default.
   *
   * @default 5000
   */
  duration?: number | undefined

  /** Ends it when aborted: the promise rejects. */
  signal?: AbortSignal | undefined
}

/** What {@link diagnose} found. It has nothing of what others say but their `app`, and no key: it can be shown to anybody who may know addresses. */
export interface Report {
  /** Whether something sent comes back, on an interface other than loopback unless that was named, and the port is to be had. */
  ok: boolean
  /** Of `lan-peers`, `node`, `electron` where it is that, and `system`: its distribution, name, release, processor and C library. */
  versions: Record<string, string>
  groups: string[]
  port: number
  /** The option `interfaces`; empty if it was left out. */
  patterns: string[]
  /** For how long it listened, in milliseconds. */
  duration: number
  /** Every interface of this computer. */
  interfaces: DiagnosedInterface[]
  /** What is in the way, or may be: what prevents something first. */
  findings: Finding[]
  /** Who else sends to the groups or the port; at most 256, in the order of their addresses. */
  heard: Heard[]
}

/** An interface, and what came of trying it. */
export interface DiagnosedInterface {
  name: string
  index: number
  addresses: Interface['addresses']
  IPv4: DiagnosedUse
  IPv6: DiagnosedUse
}

/** What came of trying an interface over one version of the Internet Protocol. */
export interface DiagnosedUse extends InterfaceUse<'joined' | 'skipped' | 'waiting' | 'failing'> {
  /** The groups joined on it. */
  memberships: string[]
  /** Whether what was sent on it was heard; `null` if nothing was. */
  echo: boolean | null
}

/** Something that is in the way, or may be. */
export interface Finding {
  /** `'error'`: it prevents something; `'warning'`: it prevents some of it; `'note'`: it may. */
  severity: 'error' | 'warning' | 'note'
  /**
   * The system's code, such as `'EPERM'`, or
   * - `'EADDRINUSE'`: the port is held by a program that does not share it, which `message` names where that can be known
   * - `'NOT_HEARD'`: what is sent does not come back, as with a firewall that drops it without a word
   * - `'NO_NETWORK'`, `'LINK_DOWN'`, `'NO_CARRIER'`, `'NO_ADDRESS'`, `'POINT_TO_POINT'`, `'NO_MULTICAST'`, `'NOT_USED'`: why no
   *   interface can be used; `'NO_INTERFACE'`: none of those named is there
   * - `'RP_FILTER'`: Linux drops what comes in, for it would answer by another interface
   * - `'VPN'`, `'CONTAINER'`, `'WSL'`: where this runs, which may explain that nobody is heard
   * - `'NOBODY'`: all works on this computer, and no other was heard
   */
  code: string
  interface: string | null
  family: 'IPv4' | 'IPv6' | null
  message: string
  /** What to do, in a sentence or some. */
  cure: string
}

/** Who sends to the groups or the port. */
export interface Heard {
  /** An IPv6 address of one link comes with its interface. */
  address: string
  family: 'IPv4' | 'IPv6'
  /** Where it was heard. */
  interface: string
  /** It is an address of this computer: another program on it, or another object of this one. */
  isThisComputer: boolean
  /** Datagrams that were sent to a group. */
  multicast: number
  /** Datagrams that were sent to this computer alone, or to everybody by broadcast. */
  direct: number
  /** What they are, as far as that can be told without a key. */
  kinds: ('announcement' | 'sealed announcement' | 'diagnosis' | 'JSON' | 'other')[]
  /** The `app` of what it announces, each once, unless that is sealed or has none; at most 16. */
  apps: string[]
}

/**
 * A string is sent as UTF-8, a view as its bytes, any other object or array as JSON; but no function,
 * Promise, Map, Set or ArrayBuffer.
 */
export type Payload = string | NodeJS.ArrayBufferView | object

export type MessageCallback<Message> = (message: Message, from: From) => void

/** What `listen`, `cast` and `discover` have in common. */
export interface GroupOptions {
  /**
   * One group or several: IPv4, 224.0.0.0 to 239.255.255.255 (RFC 5771), or IPv6, ff00::/8 (RFC 4291 2.7),
   * or both. `'ff02::1'` is for IPv6 what the default is for IPv4.
   *
   * The default reaches every host of the link; switches that filter multicast let it through (RFC 4541).
   *
   * @default '224.0.0.1'; of `discover` `['224.0.0.1', 'ff02::1']`
   */
  group?: string | readonly string[] | undefined

  /**
   * Which interfaces: names in which `*` stands for any characters (`'eth*'`), addresses (`'192.168.1.7'`),
   * networks (`'10.0.0.0/8'`), each with `!` in front to exclude the interface. An address or network names an
   * interface for its own family; a name, for both.
   *
   * Without any, or with exclusions alone, it is every interface that is up, running, capable of
   * multicast, not point-to-point (as most VPNs are) and has an address of the group's family. Loopback is then
   * listened on, and sent on only while no other has been usable for 2 s; over IPv6, of which it carries no
   * multicast, never.
   *
   * Interfaces and addresses are used as they come, and left as they go, without a word from you: see
   * {@link Listener.interfaces} and the event `'interfaces'`. No network at all is no error: it is waited for.
   *
   * @default [] (automatic)
   */
  interfaces?: string | readonly string[] | undefined

  /**
   * Closes it when aborted, as `close()` does; that is no error. With one that is aborted already nothing is
   * opened, and `'close'` fires on the next tick.
   */
  signal?: AbortSignal | undefined
}

export interface ListenOptions extends GroupOptions {
  /**
   * The UDP port, shared with other programs that share it; 0 lets the system choose a free one.
   *
   * @default 9778
   */
  port?: number | undefined

  /**
   * Hears only this sender, an IPv4 address (source-specific multicast, RFC 4607): routers and switches that
   * know of it keep the others' datagrams away. All groups must be IPv4.
   */
  source?: string | undefined

  /**
   * What a message is: `'buffer'` a Buffer with memory of its own; `'utf8'` a string; `'json'` the parsed
   * value, `unknown` in TypeScript since anybody can send anything. With `'json'`, what is not JSON in UTF-8 or
   * is nested more than 64 levels deep is counted as `malformed` and dropped, and keys named `__proto__` are
   * removed at every depth.
   *
   * @default 'buffer'
   */
  encoding?: 'buffer' | 'utf8' | 'json' | undefined

  /**
   * Whether to hear datagrams addressed to this host, by unicast or broadcast, too. Best effort where
   * several processes share the port: the system gives a unicast datagram to one of them.
   *
   * @default true
   */
  direct?: boolean | undefined

  /**
   * Whether to hear what this process sends. `false` leaves out exactly that, never what another process
   * on this host sends.
   *
   * @default true
   */
  self?: boolean | undefined

  /**
   * How many bytes may wait while the event loop is busy, each datagram counting its payload and 64; past
   * it the oldest are dropped and counted.
   *
   * @default 16777216 (16 MiB)
   */
  highWaterMark?: number | undefined

  /**
   * The socket's receive buffer (SO_RCVBUF, socket(7)) to ask for, in bytes. The system may grant less:
   * see `stats().receiveBuffer`. Listeners of one port share a socket, and the largest wish counts.
   *
   * @default 4194304 (4 MiB)
   */
  receiveBuffer?: number | undefined
}

export interface CastOptions extends GroupOptions {
  /**
   * The UDP port to send to, 1 to 65535.
   *
   * @default 9778
   */
  port?: number | undefined

  /**
   * Where to send beside the groups, by unicast, for networks without multicast: addresses and host names, each
   * alone or with a port of its own (`'10.0.0.7'`, `'[fd00::7]:9778'`, `'fe80::7%eth0'`,
   * `'peers.default.svc.cluster.local'`). The routing table says by which interface, whatever `interfaces` is,
   * and the system's default TTL holds.
   *
   * A name stands for all its addresses. It is looked up off the event loop and off the thread that sends, and
   * again every 30 s; while it does not resolve, which is a `'warning'` `ENOTFOUND`, it is asked for more often
   * and sent to where it led before.
   *
   * @default []
   */
  to?: string | readonly string[] | undefined

  /**
   * Whether to send to the IPv4 broadcast address of each interface, too (RFC 919), for networks that filter
   * multicast. `ttl` and `loopback` are for groups: a broadcast stays on the link and is heard on this host.
   *
   * @default false
   */
  broadcast?: boolean | undefined

  /**
   * How many hops a datagram to a group may make (IP_MULTICAST_TTL, ip(7); IPV6_MULTICAST_HOPS, ipv6(7)):
   * 0 stays on this host, 1 on the link; 255 at most.
   *
   * @default 1
   */
  ttl?: number | undefined

  /**
   * Whether programs on this host hear it, too (IP_MULTICAST_LOOP, ip(7)).
   *
   * @default true
   */
  loopback?: boolean | undefined
}

export interface DiscoverOptions extends GroupOptions {
  /**
   * Only those with the same `app` see each other. That keeps programs apart, and nobody out.
   *
   * @default ''
   */
  app?: string | undefined

  /**
   * Who this is, for the others: 1 to 64 characters, not beginning with `plain:`. One that stays the same is for those who
   * want a restart be told as `'down'` with `'restart'`, then `'up'`. Two with the same one at a time are a `'warning'`
   * `ID_CONFLICT`.
   *
   * @default 128 random bits
   */
  id?: string | undefined

  /**
   * Milliseconds between announcements while there are few, 100 to 600,000; each is moved by chance by up to a tenth.
   *
   * @default 2000
   */
  interval?: number | undefined

  /**
   * How many announcements a second all together may make, 1 to 1,000,000: where there are more than `rate * interval / 1000`
   * peers, each announces itself less often. A crash then shows later: among 1,000 after 70 s, among 10,000 after 700 s. A
   * goodbye shows at once. All who take part should have the same.
   *
   * @default 50
   */
  rate?: number | undefined

  /**
   * The UDP port, 1 to 65535: it is listened on and sent to. Many programs can share it.
   *
   * @default 9778
   */
  port?: number | undefined

  /**
   * Whom to announce to by unicast, too, for networks without multicast: as {@link CastOptions.to}. On one network, or with
   * `key`, it is enough that one of two names the other, who then answers; across routers without both have to, or one name that
   * stands for both.
   * Several programs on one computer need a `port` each, for what is sent to a shared one reaches one of them.
   *
   * @default []
   */
  seeds?: string | readonly string[] | undefined

  /**
   * Whether to announce to the IPv4 broadcast address of each interface, too, for networks that filter multicast.
   *
   * @default false
   */
  broadcast?: boolean | undefined

  /**
   * How many hops an announcement to a group may make, as {@link CastOptions.ttl}.
   *
   * @default 1
   */
  ttl?: number | undefined

  /**
   * Seals what is announced: only those with the same key, and the same `app`, can read it, or be peers (XChaCha20-Poly1305). A
   * key has 32 bytes; a string is a passphrase, of which a key is made by scrypt (RFC 7914), for which the first announcement waits
   * about a tenth of a second. Of several the first seals, and all open: so keys can be changed one computer after another.
   *
   * What is not sealed with one of them is dropped and counted `unauthenticated`, and told once by a `'warning'` `UNAUTHENTICATED`. What
   * this promises, and what not, is in docs/protocol.md.
   */
  key?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined

  /**
   * By how many milliseconds the clock of an unknown peer may be off ours, with `key`: 1,000 to 86,400,000. What is further off may be
   * an announcement of long ago that somebody repeats; it is counted `stale`, and told once by a `'warning'` `CLOCK_SKEW`.
   *
   * @default 60000
   */
  clockTolerance?: number | undefined

  /**
   * Whether those are peers, too, who send bare JSON objects to the group, as programs with `dgram` do: see {@link Peer.plain}.
   *
   * @default true without `app` and `key`; with `key` it cannot be
   */
  plain?: boolean | undefined

  /**
   * How many peers there is room for, 1 to 1,000,000; and there is room for 16 MiB of the data of all of them. One source address
   * can fill an eighth of either. A full table refuses newcomers, and changes of data that do not fit: both are counted, and a
   * `'warning'` `TABLE_FULL` comes once. It never pushes out a peer that is there.
   *
   * @default 10000
   */
  maxPeers?: number | undefined
}

/** Where a message came from: `dgram`'s `rinfo` and more. */
export interface From {
  /** The sender's address; an IPv6 address of one link with its interface, `fe80::1%eth0` (RFC 4007 11). */
  address: string
  /** The version of the Internet Protocol that it came by. */
  family: 'IPv4' | 'IPv6'
  /** The sender's port. */
  port: number
  /** The length of the payload in bytes. */
  size: number
  /** The name of the interface that it came in on. */
  interface: string
  /** The group that it was sent to; `null` if it was sent to this host. */
  group: string | null
}

/** A refusal of the operating system, as Node's own calls throw it. */
export interface SystemError extends Error {
  /** Such as `'EADDRINUSE'`. */
  code: string
  /** The system's number of it, negative. */
  errno: number
  /** The call that was refused, such as `'bind'`. */
  syscall: string
  /** The cure, in a sentence. */
  hint: string
  /** The address concerned: the local one, or that of the destination or group. */
  address?: string
  /** The port concerned. */
  port?: number
  /** The name of the interface concerned. */
  interface?: string
}

/**
 * Something that goes wrong after the start, told once per change of state. Where the system refused something
 * it is a {@link SystemError}; else its code is
 *
 * - `'LARGE_PAYLOAD'`: the payload will be sent in fragments
 * - `'NO_INTERFACE'`: none of those that `interfaces` names is there, when it is opened
 * - `'ENOTFOUND'`: the name `hostname` in `to` or `seeds` does not resolve
 * - `'ID_CONFLICT'`: somebody else announces itself with the `id` of this discovery
 * - `'TABLE_FULL'`: a peer was heard for whom there is no room, see `maxPeers`
 * - `'UNAUTHENTICATED'`: others announce to the same group with another `key`, or without
 * - `'CLOCK_SKEW'`: the clock of somebody with the same `key` is `skew` milliseconds ahead of ours
 * - `'NO_KEY'`: no key can be made of a passphrase, for want of memory; `'close'` follows
 * - `'ENGINE_FAILED'`: a fault of lan-peers itself; `'close'` follows
 *
 * Whatever fails is tried again: what could not be opened or joined after 250 ms, then less and less often up to
 * every 30 s, and at once when the network changes; a cast that is due is always sent.
 */
export interface Warning extends Error {
  /** Such as `'ENETUNREACH'`, or one of the above. */
  code: string
  /** The cure, in a sentence. */
  hint: string
  /** The name of the interface concerned. */
  interface?: string
  /** The system's number of the error, negative. */
  errno?: number
  /** The call that was refused, such as `'send'`. */
  syscall?: string
  /** The address concerned: the local one, or that of the destination or group. */
  address?: string
  /** The port concerned. */
  port?: number
  /** The name that does not resolve. */
  hostname?: string
  /** Milliseconds by which another clock is ahead; negative if it is behind. */
  skew?: number
}

/** An interface of this computer, and what is done with it. `State` is what can be said of its use. */
export interface Interface<State = 'joined' | 'skipped' | 'waiting' | 'failing'> {
  /** Such as `'eth0'`. */
  name: string
  /** The system's number of it. */
  index: number
  /** Its addresses, as `os.networkInterfaces()` gives them: `cidr` is the address with its prefix length. */
  addresses: { address: string; family: 'IPv4' | 'IPv6'; cidr: string }[]
  /** What is done with it over IPv4. */
  IPv4: InterfaceUse<State>
  /** What is done with it over IPv6. */
  IPv6: InterfaceUse<State>
}

/** What is done with an interface over one version of the Internet Protocol. */
export interface InterfaceUse<State> {
  /**
   * `'joined'`: a listener hears its groups here, a caster sends to them; `'failing'`: the system refuses that;
   * `'waiting'`: it is used as soon as it can be; `'skipped'`: it is left out. `'usable'`, where no object is asked: a
   * listener would join here.
   */
  state: State
  /**
   * Why it is skipped, waiting or failing, in plain words: `'point-to-point'`, `'no address yet'`,
   * `'excluded by !docker0'`; or why it is joined in vain, perhaps: one that was named has `'no carrier'`.
   */
  reason: string | null
  /** The cure, in a sentence, where there is one. */
  hint: string | null
  /** What the system refused, if it is failing. */
  error: SystemError | null
}

/** What is open until it is closed. */
interface Handle<Events extends Record<keyof Events, unknown[]>> extends EventEmitter<Events> {
  /**
   * Keeps the process alive again. The default.
   *
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  ref(): this

  /**
   * Lets the process end while this is open.
   *
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  unref(): this

  /**
   * Every interface of this computer as it is now, and what is done with it.
   *
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  interfaces(): Interface[]

  /**
   * Closes it; no message follows. Once the sockets are free, `'close'` fires and the promise resolves. To
   * close again is no error.
   */
  close(): Promise<void>

  /** Closes it, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface ListenerEvents<Message> {
  /** It is bound; on the tick after `listen`. */
  listening: []
  /** A datagram. Messages come in batches; microtasks run after a batch, not between its messages. */
  message: [message: Message, from: From]
  /** How many messages were dropped since the last time, because they waited past `highWaterMark`. */
  drop: [count: number]
  /** Without a listener, it goes to `process.emitWarning`, once per code. */
  warning: [warning: Warning]
  /**
   * An interface of this computer, one of its addresses, or what is done with it has changed; these they all are
   * now, as `interfaces()` gives them. Once per change: what the system reports of one within 30 ms is one.
   */
  interfaces: [interfaces: Interface[]]
  /** It is closed and its sockets are free. */
  close: []
}

export interface Listener<Message = Buffer> extends Handle<ListenerEvents<Message>> {
  /**
   * The messages as they come, from now on, for `for await`. They are the same that `'message'` tells.
   *
   * At most one batch waits in JavaScript; the rest waits under `highWaterMark`, and is dropped past it. So
   * while an iterator is not asked for what it holds, nothing new comes, neither to it nor to `'message'`, and
   * of several the slowest sets the pace.
   *
   * It ends, without an error, when the listener is closed, whatever waits then; leaving the loop closes the
   * listener. For one message alone there is `const [message, from] = await once(listener, 'message')`
   * (node:events).
   *
   * @example
   * for await (const { message, from } of listen({ encoding: 'utf8' })) {
   *   if (message === 'enough') break
   * }
   */
  [Symbol.asyncIterator](): Messages<Message>

  /**
   * The address it is bound to: with IPv4 groups `0.0.0.0`, with IPv6 groups alone `::`. With both, it hears the
   * port over both.
   *
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  address(): { address: string; family: 'IPv4' | 'IPv6'; port: number }

  /** The groups it was asked to hear. One that cannot be joined on an interface is a `'warning'`. */
  readonly groups: string[]

  /**
   * Joins a group on its interfaces: what is sent to it once this has returned is heard. To join again is no
   * error, and tries anew where it has failed.
   *
   * @throws `TypeError` with `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`; an Error with `ERR_CLOSED`
   */
  join(group: string): void

  /**
   * Leaves a group: what is sent to it once this has returned is not heard. What was heard before may still
   * come.
   *
   * @throws `TypeError` with `ERR_INVALID_ARG_TYPE`, or `ERR_INVALID_ARG_VALUE` also for a group that was
   * not joined; an Error with `ERR_CLOSED`
   */
  leave(group: string): void

  /**
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  stats(): ListenerStats
}

/** What `for await` over a {@link Listener} uses. */
export interface Messages<Message> extends HandleIterator<{ message: Message; from: From }> {}

/** The iterator of what is open. To leave the loop closes it. */
export interface HandleIterator<Value> {
  /** The next value; `done` once it is closed. Never rejects. */
  next(): Promise<IteratorResult<Value, undefined>>
  /** Closes it. */
  return<Result = undefined>(value?: Result): Promise<IteratorReturnResult<Result | undefined>>
  /** Closes it, then rejects with `error`. */
  throw(error: unknown): Promise<IteratorResult<Value, undefined>>
  [Symbol.asyncIterator](): this
  /** Closes it, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Counts since it was opened. What `received` counts is delivered, malformed, dropped or waiting. */
export interface ListenerStats {
  /** Datagrams that were for this listener. */
  received: number
  /** Messages emitted, or given to iterators. */
  delivered: number
  /** The payload received, in bytes. */
  bytes: number
  /** Datagrams that were not JSON, with `encoding: 'json'`. */
  malformed: number
  /** Datagrams that waited past `highWaterMark`. */
  dropped: number
  /** Datagrams that the kernel dropped at the socket for want of room, where it tells (Linux). */
  lost: number
  /** The receive buffer in bytes as the system reports it; Linux reports twice what was asked for. */
  receiveBuffer: number
}

export interface CasterEvents {
  /** Without a listener, it goes to `process.emitWarning`, once per code. */
  warning: [warning: Warning]
  /**
   * An interface of this computer, one of its addresses, or what is done with it has changed; these they all are
   * now, as `interfaces()` gives them. Once per change: what the system reports of one within 30 ms is one.
   */
  interfaces: [interfaces: Interface[]]
  /** It is closed. */
  close: []
}

export interface Caster extends Handle<CasterEvents> {
  /**
   * Sends another payload from now on, the first time at once.
   *
   * @param intervalMs 1 to 2,147,483,647; as before if left out
   * @throws as `cast`, and an Error with `ERR_CLOSED`; what was sent before is then sent on
   */
  update(payload: Payload, intervalMs?: number): void

  /**
   * Sends the payload once, out of turn.
   *
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  send(): void

  /**
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  stats(): CasterStats
}

/** Counts since it was opened. */
export interface CasterStats {
  /** Datagrams handed to an interface. Without a carrier they go no further, which nobody is told. */
  sent: number
  /** Datagrams that the system did not take. */
  failed: number
}

export interface DiscoveryEvents {
  /** Somebody is there who was not; in `peers` by now. */
  up: [peer: Peer]
  /**
   * What a peer announces has changed, or its addresses; `previous` is what it was. If it is the addresses alone,
   * `peer.data === previous.data`.
   */
  update: [peer: Peer, previous: Peer]
  /** Somebody is there no longer, and not in `peers`. */
  down: [peer: Peer, reason: DownReason]
  /** Without a listener, it goes to `process.emitWarning`, once per code. */
  warning: [warning: Warning]
  /** As of a {@link Caster}. */
  interfaces: [interfaces: Interface[]]
  /** It is closed. */
  close: []
}

/**
 * Why a peer is there no longer: it said `'bye'`; nothing was heard of it for its lifetime (`'timeout'`); another with the
 * same id has started, and is `'up'` next (`'restart'`); or this discovery was closed (`'close'`).
 */
export type DownReason = 'bye' | 'timeout' | 'restart' | 'close'

/** What `for await` over a {@link Discovery} gives. */
export type PeerEvent =
  | { type: 'up' | 'update'; peer: Peer; reason?: undefined }
  | { type: 'down'; peer: Peer; reason: DownReason }

/** Somebody who is there. Frozen, but for `data`, which is yours; what has changed is another object. */
export interface Peer {
  /** Who it is; of a plain peer `plain:` and the address and port that it sends from. */
  readonly id: string
  /** What it announces, as `JSON.parse` gives it; keys named `__proto__` are removed. Anybody can have made it up. */
  readonly data: Record<string, any>
  /** The `app` of this discovery; of a plain peer `''`. */
  readonly app: string
  /**
   * Where to speak to it: where it was first heard from, as long as it is; else its newest IPv4 address, else its newest. An
   * IPv6 address of one link gives way to any other; it comes with its interface, `fe80::1%eth0` (RFC 4007 11), which
   * `net.connect` takes and a URL does not.
   */
  readonly address: string
  /** The port that it announces itself from; what it listens on for your own purposes it has to say in `data`. */
  readonly port: number
  /** All addresses that it was heard from of late, `address` first, with the interface that it was heard on: at most 16. */
  readonly addresses: readonly {
    readonly address: string
    readonly family: 'IPv4' | 'IPv6'
    readonly interface: string
  }[]
  /**
   * It sends bare JSON objects and takes no part: there is a peer for each address and port it sends from, it says no goodbye,
   * and is gone after three and a half of its longest of the last four intervals, at least 7 s.
   */
  readonly plain: boolean
  /** When it was first heard, in milliseconds since 1970. */
  readonly since: number
}

/** See {@link discover}. */
export interface Discovery extends Handle<DiscoveryEvents> {
  /** Who this is for the others. */
  readonly id: string

  /** Who is there, by id: in step with the events, and not to be changed. Empty once it is closed. */
  readonly peers: ReadonlyMap<string, Peer>

  /**
   * Announces something else from now on, at once; where that is often, at most ten times a second, the latest.
   *
   * @throws as `discover`, and an Error with `ERR_CLOSED`; what was announced before is then announced on
   */
  announce(data: object): void

  /**
   * Asks everybody again. There is seldom a need: whoever comes, changes or goes says so.
   *
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  refresh(): void

  /**
   * @throws an Error with the code `ERR_CLOSED` once closed
   */
  stats(): DiscoveryStats

  /**
   * Says goodbye and closes it: no `'up'` or `'update'` follows, but `'down'` with `'close'` for each peer, then `'close'`, and
   * the promise resolves, after about 20 ms. To close again is no error.
   */
  close(): Promise<void>

  /**
   * Begins with an `'up'` for each peer that is there. However slow the loop, nothing is lost, and nothing piles up: what
   * waits is, for each id, the difference between what it was told and what is so.
   */
  [Symbol.asyncIterator](): HandleIterator<PeerEvent>
}

/** Counts since it was opened, but for `receiveBuffer` and `peers`. */
export interface DiscoveryStats {
  /** Datagrams that came, one's own among them. */
  received: number
  /** Their payload in bytes. */
  bytes: number
  /** Datagrams that hold no JSON object, a wrong announcement, or one of a later version of the protocol. */
  malformed: number
  /** Datagrams that the kernel dropped at the port's socket for want of room, where it tells (Linux). */
  lost: number
  /** The port's receive buffer in bytes as the system reports it. */
  receiveBuffer: number
  /** Datagrams handed to an interface. */
  sent: number
  /** Datagrams that the system did not take. */
  failed: number
  /** Who is there now. */
  peers: number
  /** Announcements of others, bare objects included. */
  announcements: number
  /** Announcements for which the table had no room, and what came by unicast through a router from nobody in `seeds`. */
  refused: number
  /** What is sealed and cannot be opened with a key that is here; and with `key` what is not sealed. */
  unauthenticated: number
  /** Announcements that are older than the newest of who made them, and came more than 5 s after it. */
  replayed: number
  /** Sealed announcements that are too old, or by a clock that is too far off. */
  stale: number
  /** Datagrams not looked at, for more than 2,000 a second came from one address, or 20,000 from unknown ones. */
  rateLimited: number
}

export {}
