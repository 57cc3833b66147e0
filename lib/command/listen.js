'use strict'

/** @type {import('./main.js').Command} */
module.exports = {
  summary: 'Print what is sent to a group',
  usage: '',
  flags: [
    'group',
    'port',
    'interfaces',
    'source',
    'encoding',
    'direct',
    'highWaterMark',
    'receiveBuffer'
  ],
  examples: [
    ['lan-peers listen', 'what everybody sends to 224.0.0.1:9778'],
    [
      "lan-peers listen --group 239.1.2.3 --port 5000 --interfaces 'eth*'",
      'another group, on some interfaces'
    ],
    [
      'lan-peers listen --json --encoding json | jq .message',
      'for programs; what is not JSON is left out'
    ]
  ],
  run(api, { options, output }) {
    const { encoding = 'utf8' } = options
    const listener = api.listen({ ...options, encoding })
    output.warnOf(listener)
    listener.on(
      'message',
      (/** @type {any} */ message, /** @type {import('../../index').From} */ from) => {
        const value = Buffer.isBuffer(message) ? message.toString('base64') : message
        const text = typeof value === 'string' ? value : JSON.stringify(value)
        const { address, port } = from
        const at = from.family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
        output.print({ type: 'message', message: value, from }, `${at} ${from.interface} ${text}`)
      }
    )
    return listener
  }
}
