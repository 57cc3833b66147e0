'use strict'

const binding = require('./binding.js')
const { Caster } = require('./lib/caster.js')
const { Environment } = require('./lib/environment.js')
const errors = require('./lib/errors.js')
const { describe } = require('./lib/interfaces.js')
const { Listener } = require('./lib/listener.js')
const { diagnoseOptions, validInterfaces } = require('./lib/options.js')

const environment = new Environment(binding)

/** @type {import('./index').listen} */
const listen = (
  /** @type {unknown} */ options = undefined,
  /** @type {unknown} */ callback = undefined
) => /** @type {any} */ (new Listener(environment, options, callback))

/** @type {import('./index').cast} */
const cast = (payload, intervalMs, options) =>
  /** @type {any} */ (new Caster(environment, payload, intervalMs, options))

/** @type {import('./index').discover} */
const discover = (data, options) => {
  // Loaded by those who want it: the others load in less time.
  const { Discovery } = require('./lib/discovery.js')
  return /** @type {any} */ (new Discovery(environment, data, options))
}

/** @type {import('./index').interfaces} */
const interfaces = (pattern = []) => {
  const reports = binding.interfaces(validInterfaces(binding, 'pattern', pattern))
  if ('errno' in reports) throw errors.systemError(reports)
  return /** @type {any} */ (reports.map(describe))
}

/** @type {import('./index').diagnose} */
const diagnose = (options) => {
  const settings = diagnoseOptions(binding, options)
  // As published it is a file of its own, which does not make the others take longer to load.
  const { diagnose } = require('./lib/diagnosis/diagnose.js')
  return diagnose({ listen, cast }, settings)
}

module.exports = { listen, cast, discover, interfaces, diagnose }
