'use strict'

// Who is measured beside it: bonjour-service, which is mDNS (RFC 6762) in JavaScript.

const { once } = require('node:events')
const { mustBeIsolated } = require('../experiment.js')
const { load } = require('../installed.js')

const { Bonjour, Service } = load('bonjour-service')
const { AUTHORITATIVE_ANSWER, encode } = load('dns-packet')

const TYPE = 'bench'

/** @type {import('../experiment.js').Contender} */
module.exports = {
  name: 'bonjour-service',

  async observe() {
    mustBeIsolated()
    const bonjour = new Bonjour()
    const browser = bonjour.find({ type: TYPE })
    await once(bonjour.server.mdns, 'ready')
    return {
      to: { group: '224.0.0.251', port: 5353 },
      known: () => browser.services.length
    }
  },

  // As Registry.announce makes it; the address is that of another computer.
  announcement({ peer, data }) {
    const { username, port } = data
    const service = new Service({
      name: username,
      type: TYPE,
      port,
      host: `host-${peer}.local`,
      txt: data
    })
    const address = service.RecordA(service, `10.0.${peer >> 8}.${peer & 255}`)
    const answers = [...service.records(), address]
    return encode({ type: 'response', flags: AUTHORITATIVE_ANSWER, answers })
  }
}
