'use strict'

const { test } = require('node:test')
const { hosts } = require('./hosts.js')
const { needs } = require('./needs.js')

for (const payload of ['{"username":"dgram"}', '"TEST"']) {
  test(
    `a dgram + cluster program sending ${payload} and ours hear each other`,
    {
      skip: needs('lab')
    },
    async (t) => {
      const { a, b, c } = await hosts(t, 3)
      const article = a.run('fixtures/article.js', payload)
      const heard = [b.run('fixtures/listen.js'), c.run('fixtures/listen.js')]
      b.run('fixtures/cast.js', { username: 'grace' }, '2000')
      c.run('fixtures/cast.js', { username: 'linus' }, '2000')

      await article.line(/^Listening on: 0\.0\.0\.0:9778$/)
      await article.line(new RegExp(`^server got: ${payload} from ${a.address}:`))
      await article.line(new RegExp(`^server got: {"username":"grace"} from ${b.address}:`))
      await article.line(new RegExp(`^server got: {"username":"linus"} from ${c.address}:`))
      for (const listener of heard) {
        for (const [message, address] of [
          [payload, a.address],
          ['{"username":"grace"}', b.address],
          ['{"username":"linus"}', c.address]
        ]) {
          await listener.json((said) => said.message === message && said.from.address === address)
        }
      }
    }
  )
}
