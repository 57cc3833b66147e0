#!/usr/bin/env node
'use strict'

const lanPeers = require('../index.js')
const { main } = require('../lib/command/main.js')

main(lanPeers, process.argv.slice(2))
