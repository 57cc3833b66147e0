'use strict'

// Every error of the system at every call, on one of two interfaces: the other goes on, it is told once, and all is well when it is
// over, without anybody's help.

const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')
const { test } = require('node:test')
const { copyWithHooks } = require('./copies.js')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')

/** @typedef {import('./process.js').Process} Process */

/** So often that it does not end by itself. */
const ALWAYS = 1e6

/**
 * One error, and what it leads to.
 *
 * @typedef {object} Case
 * @property {string} call
 * @property {string} error
 * @property {number} [times] after so many it is over
 * @property {string} [on] the interface where; all of them if not
 * @property {'before' | 'after'} [when] the discovery opens it begins
 * @property {RegExp} [hint] of the one warning; without it there is none
 * @property {boolean} [works] all works as if nothing were
 * @property {'bind' | 'socket' | 'poll'} [throws] the discovery is refused
 * @property {boolean} [again] once it is over it is told anew when it happens again
 * @property {boolean} [ends] the engine fails, which is told, and the next discovery works
 */

/** Errors at one call that lead to the same. */
const each = (/** @type {string} */ errors, /** @type {Omit<Case, 'error'>} */ rest) =>
  errors.split(' ').map((error) => ({ error, ...rest }))

const eth0 = { on: 'eth0', times: ALWAYS }
const GONE = /no route|is down|is tried again|goes on/

/** @type {Case[]} */
const CASES = [
  // Sending on one interface.
  ...each('EPERM', { call: 'send', ...eth0, hint: /firewall/ }),
  ...each('ENETUNREACH ENETDOWN ENODEV', { call: 'send', ...eth0, hint: GONE }),
  ...each('EHOSTUNREACH', { call: 'send', ...eth0, hint: /no route/ }),
  ...each('EACCES', { call: 'send', ...eth0, hint: /broadcast|firewall/ }),
  ...each('EADDRNOTAVAIL', { call: 'send', ...eth0, hint: /not yet/ }),
  ...each('EMSGSIZE', { call: 'send', ...eth0, hint: /too large/ }),
  ...each('EINVAL ENOBUFS ENOMEM ECONNREFUSED EIO EBADF ENOTSOCK', {
    call: 'send',
    ...eth0,
    hint: /goes on/
  }),
  // A queue that is full passes, and a signal is nothing.
  ...each('EAGAIN', { call: 'send', ...eth0 }),
  ...each('EINTR', { call: 'send', on: 'eth0', times: 3, works: true }),
  // A sending socket that cannot be made.
  ...each('EMFILE ENFILE', { call: 'socket', ...eth0, when: 'before', hint: /file descriptors/ }),
  ...each('ENOBUFS ENOMEM', { call: 'socket', ...eth0, when: 'before', hint: /objects to/ }),
  ...each('EADDRNOTAVAIL', { call: 'bind', ...eth0, when: 'before', hint: /not yet/ }),
  ...each('EADDRINUSE', { call: 'bind', ...eth0, when: 'before', hint: /port/ }),
  ...each('EACCES ENODEV ENOMEM', { call: 'bind', ...eth0, when: 'before', hint: /./ }),
  // A group that cannot be joined on one interface.
  ...each('ENOBUFS', { call: 'join', ...eth0, when: 'before', hint: /igmp_max_memberships/ }),
  ...each('ENODEV EADDRNOTAVAIL ENOMEM EINVAL EPERM ENETDOWN', {
    call: 'join',
    ...eth0,
    when: 'before',
    hint: /tried again|rights/
  }),
  // Receiving: of one socket for all interfaces.
  ...each('EAGAIN EINTR', { call: 'receive', times: 20, works: true }),
  ...each('ECONNREFUSED ENETDOWN ENOBUFS ENOMEM EIO EBADF', {
    call: 'receive',
    times: 20,
    works: true,
    hint: /objects to/
  }),
  // The poller.
  ...each('EINTR', { call: 'wait', times: 20, works: true }),
  ...each('EBADF EINVAL', { call: 'wait', times: 1, ends: true }),
  // Notices of changes, and the list of interfaces.
  ...each('EINTR EAGAIN ENOBUFS', { call: 'changes', times: 3, works: true }),
  ...each('EIO EBADF', { call: 'changes', times: 1, works: true, hint: /every 5 s/, again: true }),
  ...each('EMFILE EACCES', { call: 'watch', times: 1, when: 'before', works: true }),
  ...each('ENOSPC ENOMEM', { call: 'register', times: 1, when: 'before', works: true }),
  ...each('EMFILE ENOBUFS ENOMEM', {
    call: 'list',
    times: 2,
    when: 'before',
    works: true,
    hint: /file descriptors|objects to/
  }),
  // What a discovery cannot do without.
  ...each('EMFILE ENOBUFS', { call: 'socket', times: 1, when: 'before', throws: 'socket' }),
  ...each('EADDRINUSE EACCES', { call: 'bind', times: 1, when: 'before', throws: 'bind' }),
  // The first two sockets to be watched are of the changes: it is tried twice.
  ...each('ENOSPC ENOMEM', { call: 'register', times: 3, when: 'before', throws: 'poll' })
]

/** A change of the network, which concerns nobody, for the kernel to tell of. */
let mtu = 1400
const change = (/** @type {import('./hosts.js').Host} */ host) =>
  host.ip(`link set lo mtu ${(mtu += 1)}`)

test('errors of the system', { skip: needs('lab') }, async (t) => {
  const lab = await hosts(t, { a: [0, 1], b: [0], c: [1] })
  const a = lab.a.run('fixtures/faulty.js', copyWithHooks(t))
  const options = { group: '224.0.0.1', interval: 300 }
  const others = Object.fromEntries(
    ['b', 'c'].map((id) => [id, lab[id].run('fixtures/discover.js', {}, { id, ...options })])
  )
  let number = 0
  /** The lines of this case begin here. */
  let begin = 0
  const tell = (/** @type {Process} */ program, /** @type {object} */ command) =>
    program.write(JSON.stringify(command))
  const answer = async (
    /** @type {object} */ command,
    /** @type {(said: any) => any} */ wanted
  ) => {
    const from = a.lines.length
    tell(a, command)
    return a.json(wanted, from)
  }
  const open = (/** @type {string} */ id) =>
    answer({ open: { id, ...options } }, (said) => said.opened || said.thrown)

  /** That what one announces from now on the other is told, in both directions. */
  async function works(/** @type {string} */ id, /** @type {'b' | 'c'} */ name) {
    const n = ++number
    const other = others[name]
    tell(a, { announce: { n } })
    tell(other, { announce: { n } })
    await other.json((said) => [said.up, said.update].includes(id) && said.peer.data.n === n)
    await a.json((said) => said.told === name && said.n === n, begin)
  }

  for (const [i, row] of CASES.entries()) {
    const {
      call,
      error,
      times = 1,
      on,
      when = 'after',
      hint,
      works: goesOn,
      throws,
      again,
      ends
    } = row
    await t.test(`${call} ${error} ${when === 'before' ? 'from the start' : ''}`, async (one) => {
      // Or what is left of one that fails would be in the way of the next.
      let closed = false
      one.after(() => closed || tell(a, { clear: true, close: true }))
      const id = `a${i}`
      begin = a.lines.length
      const plan = () => answer({ plan: [call, error, times, on] }, (said) => said.planned)
      const warnings = () =>
        a
          .values()
          .slice(begin)
          .filter((said) => said?.warning)
      if (when === 'after') {
        await open(id)
        await works(id, 'b')
        await works(id, 'c')
      }
      await plan()
      if (when === 'before') {
        const { thrown, syscall } = await open(id)
        assert.deepEqual([thrown, syscall], throws ? [error, throws] : [undefined, undefined])
      }
      if (call === 'changes') change(lab.a)
      if (ends) await a.json((said) => said.closed, begin)
      if (throws || ends) await open(id)
      // The other interface goes on.
      await works(id, 'c')
      if (hint) await a.json((said) => said.warning, begin)
      if (goesOn) await works(id, 'b')
      const { cleared } = await answer({ clear: true }, (said) => said.cleared)
      assert.ok(cleared[0] < times, 'it has happened')
      if (times < ALWAYS) assert.equal(cleared[0], 0, 'as often as it was to')
      // With no help from anybody.
      await works(id, 'b')
      if (again) {
        // It is over with the next change that is told rightly.
        change(lab.a)
        await works(id, 'b')
        // The list of interfaces is made a moment later, and by that it is known.
        await sleep(300)
        const from = a.lines.length
        await plan()
        change(lab.a)
        await a.json((said) => said.warning, from)
        await answer({ clear: true }, (said) => said.cleared)
      }
      await answer({ close: true }, (said) => said.resolved)
      closed = true
      const told = warnings()
      if (ends) {
        assert.deepEqual(
          told.map(({ warning }) => warning),
          ['ENGINE_FAILED']
        )
      } else if (hint) {
        assert.equal(told.length, again ? 2 : 1, JSON.stringify(told))
        assert.equal(told[0].warning, error)
        assert.match(told[0].hint, hint)
        assert.equal(told[0].on, on)
      } else {
        assert.deepEqual(told, [])
      }
      const lost = a
        .values()
        .filter((said, line) => line >= begin && said?.down === 'c' && said.reason !== 'close')
      assert.deepEqual(lost, [], 'c, by the other interface, never went')
    })
  }
})
