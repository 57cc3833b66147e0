'use strict'

// A web service of several replicas, each of which knows the others, on a network without multicast: they find each
// other by a name that stands for all of them. Each shows at http://HOST:8080/ who there is.
//
//   SEEDS=peers node examples/service.js [NAME [INTERFACES]]
//
// With Docker, `docker compose --file examples/compose.yaml up` runs three. In Kubernetes the name is that of a headless
// service, one with `clusterIP: None`: `peers.default.svc.cluster.local`. With `publishNotReadyAddresses: true` it
// stands for replicas that are only just starting, too.

const { createServer } = require('node:http')
const { hostname } = require('node:os')
const { discover } = require('lan-peers')

const PORT = 8080

const [name = hostname(), interfaces] = process.argv.slice(2)
const seeds = process.env.SEEDS?.split(',')

const lan = discover({ name, port: PORT }, { app: 'service', seeds, interfaces })
lan.on('up', ({ data, address }) => console.log('+', data.name, address, data.port))
lan.on('down', ({ data }, reason) => console.log('-', data.name, `(${reason})`))
lan.on('warning', ({ message, hint }) => console.warn(`${message}. ${hint}`))

createServer((_, response) => {
  const others = [...lan.peers.values()].map(({ data, address }) => [data.name, address])
  response.end(`${JSON.stringify({ name, others })}\n`)
}).listen(PORT)

// `docker stop` and Kubernetes send SIGTERM.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))
