'use strict'

// Builds the native binary where there is none that fits: what npm runs for a lan-peers that came from git, or in a tarball
// of a checkout. What is published has no such script.

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { build } = require('./build.js')

/** Whether a binary is there that loads. */
function isThere() {
  try {
    require('../binding.js')
    return true
  } catch (error) {
    console.log(/** @type {Error} */ (error).message)
    return false
  }
}

// In a checkout `prepare` comes next, and builds what is new.
const isCheckout = existsSync(join(__dirname, '..', '__test__'))
if (!isCheckout && !isThere()) {
  console.log('Building it with cargo, which takes a minute or two.')
  build({ keep: false })
}
