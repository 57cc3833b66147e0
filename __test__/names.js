'use strict'

const { mkdirSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { temporary } = require('./preload.js')
const { nodeCommand } = require('./process.js')

/**
 * A host that asks a name server of ours, and nobody else.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('./hosts.js').Host} host
 */
async function withNames(t, host) {
  const etc = temporary(t)
  writeFileSync(join(etc, 'nsswitch.conf'), 'hosts: dns\n')
  writeFileSync(join(etc, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n')
  mkdirSync(join(etc, 'ssl'))
  const server = host.run('fixtures/dns.js')
  await server.json((said) => said.serving)
  const start = (/** @type {string[]} */ ...words) =>
    host.start(
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount --bind "$0" /etc && exec "$@"',
      etc,
      ...words
    )
  return {
    server,
    /** @param {string} line of the name server's input */
    async set(line) {
      server.write(line)
      await server.json((said) => said.set === line)
    },
    start,
    /**
     * @param {string} script
     * @param {...unknown} args
     */
    run: (script, ...args) => start(...nodeCommand(script, args))
  }
}

module.exports = { withNames }
