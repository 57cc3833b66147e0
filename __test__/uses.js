'use strict'

/**
 * What is said of each interface: `{ eth0: ['joined', 'waiting: down'] }`, IPv4 before IPv6.
 *
 * @param {import('..').Interface<string>[]} interfaces
 */
const told = (interfaces) =>
  Object.fromEntries(
    interfaces.map(({ name, IPv4, IPv6 }) => [
      name,
      [IPv4, IPv6].map(({ state, reason }) => (reason === null ? state : `${state}: ${reason}`))
    ])
  )

/**
 * Asks a program of the fixtures for its interfaces.
 *
 * @param {import('./process.js').Process} program
 */
async function ask(program) {
  const before = program.lines.length
  program.write('interfaces')
  const { interfaces } = await program.json((said) => said.interfaces && !said.changed, before)
  return interfaces
}

/**
 * What a program of the fixtures does with each interface, as `told` says it.
 *
 * @param {import('./process.js').Process} program
 */
const uses = async (program) => told(await ask(program))

module.exports = { ask, told, uses }
