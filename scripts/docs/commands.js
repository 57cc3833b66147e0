'use strict'

// Whether the commands that pages name are there.

const { existsSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const flags = require('../../lib/command/flags.js')

/**
 * @typedef {import('./markdown.js').Given} Given
 */

/** What npm does without a script of this name. */
const NPM_SCRIPTS = { start: 'start', test: 'test' }

/** The folders of the repository that pages name files of. */
const OWN =
  /^(?:\.\/)?(?:__test__|bench|bin|docs|examples|fuzz|lib|npm|scripts|src|tests)\/[\w./-]+$/

/** A file of these is made, not kept. */
const MADE = /(^|\/)(node_modules|target)\//

/** What begins code in the text that is a command. */
const COMMAND = /^(npm|npx|node|lan-peers|scripts\/\S+)(\s|$)/

class Commands {
  #root
  #scripts

  /** @param {string} root */
  constructor(root) {
    this.#root = root
    this.#scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts
  }

  /**
   * What is wrong in a script of the shell.
   *
   * @param {string} script
   * @param {Given[]} given
   */
  ofScript(script, given) {
    return script.split('\n').flatMap((text, index) => {
      const message = this.#ofLine(text, given)
      return message === undefined ? [] : [{ line: index + 1, message }]
    })
  }

  /**
   * What is wrong with code in the text: a command, or the path of a file.
   *
   * @param {string} code
   * @param {Given[]} given
   */
  ofSpan(code, given) {
    return COMMAND.test(code) ? this.#ofLine(code, given) : this.#ofPath(code)
  }

  /**
   * @param {string} line
   * @param {Given[]} given
   */
  #ofLine(line, given) {
    for (const words of commandsOf(line)) {
      const said = words.join(' ')
      if (given.some(({ names }) => names.includes(said))) continue
      const wrong = this.#ofWords(words)
      if (wrong !== undefined) return wrong
    }
  }

  /** @param {string[]} words of one command */
  #ofWords(words) {
    // VARIABLE=value before a command, and what runs another.
    const at = words.findIndex((word) => !/^(\w+=.*|sudo|timeout|exec|\d+s?|npx)$/.test(word))
    const [command, ...args] = words.slice(Math.max(at, 0))
    if (command === 'npm') {
      const [name, script] = args
      const wanted = name === 'run' ? script : NPM_SCRIPTS[/** @type {'start'} */ (name)]
      if (wanted !== undefined && !args.includes('--prefix') && !this.#scripts[wanted]) {
        return `package.json has no script ${wanted}`
      }
    }
    if (command === 'lan-peers') return this.#ofLanPeers(args)
    if (command === 'node' && args[0] === 'bin/lan-peers.js') return this.#ofLanPeers(args.slice(1))
    for (const word of [command, ...args]) {
      const wrong = this.#ofPath(word ?? '')
      if (wrong !== undefined) return wrong
    }
  }

  /** @param {string[]} args */
  #ofLanPeers([name, ...args]) {
    if (name === undefined || name === '--help' || name === 'COMMAND') return
    if (!/^[a-z]+$/.test(name)) return `lan-peers has no command ${name}`
    const file = join(this.#root, 'lib/command', `${name}.js`)
    const command = existsSync(file) ? require(file) : undefined
    if (command?.flags === undefined) return `lan-peers has no command ${name}`
    try {
      flags.parse(args, command.flags)
    } catch (error) {
      return `lan-peers ${name}: ${/** @type {Error} */ (error).message.split('\n')[0]}`
    }
  }

  /** @param {string} word */
  #ofPath(word) {
    if (!OWN.test(word) || MADE.test(word)) return
    if (!existsSync(join(this.#root, word))) return `there is no ${word}`
  }
}

/**
 * The commands of a line, each as its words, without quotes.
 *
 * @param {string} line
 */
function commandsOf(line) {
  /** @type {string[][]} */
  const commands = [[]]
  const words = line.matchAll(
    /(?:^|\s)#.*$|&&|\|\|?|;|[<>]\S*|((?:"[^"]*"|'[^']*'|[^\s|;&<>"'])+)/g
  )
  for (const [whole, word] of words) {
    if (word === undefined) {
      if (!/^\s*#/.test(whole)) commands.push([])
    } else {
      commands[commands.length - 1].push(word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'))
    }
  }
  return commands.filter(({ length }) => length > 0)
}

module.exports = { Commands }
