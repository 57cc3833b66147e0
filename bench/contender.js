'use strict'

// The process of one contender in one experiment: `node contender.js <experiment> <contender> <plan as JSON>`.

const [experiment, contender, plan] = process.argv.slice(2)
require(`./experiments/${experiment}.js`).inside(
  require(`./contenders/${contender}.js`),
  JSON.parse(plan)
)
