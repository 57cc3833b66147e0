'use strict'

// Text from the network, for terminals.

/** What would steer a terminal, or hide: control and format characters, and what stands for no character. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu

/** What takes two columns: East Asian wide and full-width characters, and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u

/** What goes onto the character before it. */
const COMBINING = /\p{Mn}|\p{Me}/u

/**
 * A text without what a terminal would obey.
 *
 * @param {string} text
 */
const printable = (text) =>
  text.replace(UNPRINTABLE, (one) => `\\u{${Number(one.codePointAt(0)).toString(16)}}`)

const widthOf = (/** @type {string} */ character) =>
  COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1

/**
 * A text that takes exactly so many columns: cut, with an ellipsis, or filled up.
 *
 * @param {string} text
 * @param {number} width
 */
function fit(text, width) {
  let [fitting, used, cut] = ['', 0, '']
  let cutAt = 0
  for (const character of text) {
    const next = used + widthOf(character)
    if (next > width) return `${cut}…${' '.repeat(width - cutAt - 1)}`
    fitting += character
    used = next
    if (used < width) [cut, cutAt] = [fitting, used]
  }
  return fitting + ' '.repeat(width - used)
}

module.exports = { fit, printable }
