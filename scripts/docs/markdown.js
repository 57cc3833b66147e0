'use strict'

// What of a page in Markdown can be checked: links, headings, code, tables.

/**
 * @typedef {object} Block a fenced one
 * @property {string} language the first word after the fence; may be empty
 * @property {number} line that of the fence, from 1
 * @property {number | undefined} end that of the closing fence
 * @property {string} code
 *
 * @typedef {object} Given what the page says to be the reader's own
 * @property {number} line
 * @property {string[]} names
 *
 * @typedef {object} Table
 * @property {string} heading the one that it stands under
 * @property {string[]} columns
 * @property {{ line: number, cells: string[] }[]} rows
 */

/** The contents of what is fenced, or a comment, or code in the text: replaced by as many of these, so that places stay. */
const blank = (/** @type {string} */ text) => text.replace(/[^\n]/g, ' ')

class Page {
  blocks = /** @type {Block[]} */ ([])
  links = /** @type {{ line: number, target: string }[]} */ ([])
  /** Code in the text. */
  spans = /** @type {{ line: number, code: string }[]} */ ([])
  given = /** @type {Given[]} */ ([])
  tables = /** @type {Table[]} */ ([])
  /** What a link can name after `#`. */
  anchors = /** @type {Set<string>} */ (new Set())

  /**
   * @param {string} file its path
   * @param {string} text
   */
  constructor(file, text) {
    this.file = file
    this.lines = text.split('\n')
    if (!file.endsWith('.md')) return
    const prose = this.#withoutComments(this.#withoutBlocks())
    this.#readHeadings(prose)
    this.#readTables(prose)
    this.#readLinks(this.#withoutSpans(prose))
  }

  /** Reads the blocks, and gives the text without. */
  #withoutBlocks() {
    /** @type {Block & { fence: string, indent: number } | undefined} */
    let open
    const prose = this.lines.map((line, index) => {
      const [, space, fence, info] = line.match(/^(\s*)(`{3,}|~{3,})(.*)$/) ?? []
      if (open) {
        if (fence?.startsWith(open.fence) && info.trim() === '') {
          open.end = index + 1
          open = undefined
        } else {
          open.code += `${line.slice(Math.min(open.indent, line.search(/\S|$/)))}\n`
        }
        return ''
      }
      if (fence === undefined) return line
      const [language] = info.trim().split(/\s+/)
      open = { language, line: index + 1, end: undefined, code: '', fence, indent: space.length }
      this.blocks.push(open)
      return ''
    })
    return prose.join('\n')
  }

  /** @param {string} prose */
  #withoutComments(prose) {
    return prose.replace(/<!--([^]*?)-->/g, (comment, said, at) => {
      const [, names] = said.match(/^\s*given:([^]*)$/) ?? []
      if (names !== undefined) {
        const list = names.split(',').map((/** @type {string} */ name) => name.trim())
        this.given.push({ line: lineOf(prose, at), names: list })
      }
      return blank(comment)
    })
  }

  /** @param {string} prose */
  #withoutSpans(prose) {
    return prose.replace(/(`+)((?:(?!\n\s*\n)[^])*?[^`])\1(?!`)/g, (span, _ticks, code, at) => {
      const unescaped = code.replaceAll('\\|', '|').replaceAll('\n', ' ').trim()
      this.spans.push({ line: lineOf(prose, at), code: unescaped })
      return blank(span)
    })
  }

  /** @param {string} prose */
  #readHeadings(prose) {
    for (const [, text] of prose.matchAll(/^ {0,3}#{1,6}\s+(.*?)\s*#*$/gm)) {
      const slug = slugOf(text)
      let free = slug
      for (let n = 1; this.anchors.has(free); n++) free = `${slug}-${n}`
      this.anchors.add(free)
    }
    for (const [, name] of prose.matchAll(/<a\s[^>]*?(?:id|name)="([^"]+)"/g))
      this.anchors.add(name)
  }

  /** @param {string} prose */
  #readTables(prose) {
    let heading = ''
    /** @type {Table | undefined} */
    let table
    for (const [index, line] of prose.split('\n').entries()) {
      heading = line.match(/^#{1,6}\s+(.*)$/)?.[1] ?? heading
      if (!line.startsWith('|')) {
        table = undefined
        continue
      }
      const cells = line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim())
      if (table) {
        if (!/^[|\s:-]+$/.test(line)) table.rows.push({ line: index + 1, cells })
      } else {
        table = { heading, columns: cells, rows: [] }
        this.tables.push(table)
      }
    }
  }

  /** @param {string} prose without code */
  #readLinks(prose) {
    const kinds = [
      // [text](target "title"), and images
      /\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\))?[^\s()<>]*)>?(?:\s+"[^"]*")?\s*\)/g,
      // [name]: target
      /^ {0,3}\[[^\]]+\]:\s*(\S+)/gm,
      /<([a-z][a-z+.-]*:[^\s<>]+)>/gi,
      /\b(?:href|src)="([^"]+)"/g
    ]
    for (const kind of kinds) {
      for (const { 1: target, index } of prose.matchAll(kind)) {
        this.links.push({ line: lineOf(prose, index), target })
      }
    }
  }
}

/**
 * @param {string} text
 * @param {number} at
 */
const lineOf = (text, at) => text.slice(0, at).split('\n').length

/**
 * What GitHub makes of a heading, for links.
 *
 * @param {string} heading
 */
function slugOf(heading) {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]+>/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

module.exports = { Page, lineOf }
