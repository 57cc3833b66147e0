'use strict'

// As package.json says, which takes longer to read.
module.exports = '0.1.0'
