'use strict'

// Discovers in a worker thread, which can act while the main thread computes: it announces at once how many it knows.
//
//   node examples/worker.js [NAME [INTERFACES]]
//
// If nothing has to act meanwhile there is no need of a worker: discovery goes on in a native thread, and its events wait.

const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { discover } = require('lan-peers')

if (isMainThread) main()
else work()

function main() {
  const [username = 'ada', interfaces] = process.argv.slice(2)
  const worker = new Worker(__filename, { workerData: { username, interfaces } })
  worker.on('message', ({ words, at }) => console.log(...words, Date.now() - at, 'ms ago'))

  // The end of the worker is its goodbye. Ctrl-C is heeded between two computations.
  process.once('SIGINT', () => process.exit(130))

  console.log('computing')
  const compute = () => {
    const end = Date.now() + 3000
    while (Date.now() < end);
    setTimeout(compute, 10)
  }
  compute()
}

function work() {
  const { username, interfaces } = workerData
  const lan = discover({ username, knows: 0 }, { interfaces })
  const tell = (/** @type {unknown[]} */ ...words) => {
    lan.announce({ username, knows: lan.peers.size })
    parentPort?.postMessage({ words, at: Date.now() })
  }
  lan.on('up', ({ data, address }) => tell('+', data.username, address))
  lan.on('down', ({ data }, reason) => tell('-', data.username, reason))
}
