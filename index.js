'use strict'

const binding = require('./binding.js')
const { Caster } = require('./lib/caster.js')
const { Environment } = require('./lib/environment.js')
const { Listener } = require('./lib/listener.js')

const environment = new Environment(binding)

/** @type {import('./index').listen} */
const listen = (
  /** @type {unknown} */ options = undefined,
  /** @type {unknown} */ callback = undefined
) => /** @type {any} */ (new Listener(environment, options, callback))

/** @type {import('./index').cast} */
const cast = (payload, intervalMs, options) =>
  /** @type {any} */ (new Caster(environment, payload, intervalMs, options))

module.exports = { listen, cast }
