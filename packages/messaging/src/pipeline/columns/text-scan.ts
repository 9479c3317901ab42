const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20
/** A byte, in each of the four of a word. */
const ONES = 0x01010101
const QUOTES = 0x22222222
const BACKSLASHES = 0x5c5c5c5c
const SPACES = 0x20202020
const HIGH_BITS = 0x80808080

/**
 * Where the JSON text that begins here has its closing quote; -1 when a backslash, a control character or what is no UTF-8 comes before
 * it, or the end does.
 */
export function endOfText(view: DataView, begin: number, end: number): number {
  let at = begin
  for (;;) {
    at = passPlain(view, at, end)
    if (at >= end) return -1
    const byte = view.getUint8(at)
    if (byte === QUOTE) return at
    if (byte < SPACE || byte === BACKSLASH) return -1
    at = byte < 0x80 ? at + 1 : passCharacter(view, at, end)
    if (at < 0) return -1
  }
}

/**
 * Passes over ASCII that needs no look, a word of four bytes at a time, two words a turn: answers where the first byte is that is a quote, a backslash,
 * a control character or not ASCII; or, near the end, a place from which to look at each byte.
 */
function passPlain(view: DataView, begin: number, end: number): number {
  let at = begin
  for (; at + 8 <= end; at += 8) {
    const first = lookedFor(view.getInt32(at, true))
    if (first !== 0) return at + firstMarked(first)
    const second = lookedFor(view.getInt32(at + 4, true))
    if (second !== 0) return at + 4 + firstMarked(second)
  }
  return at
}

/**
 * A high bit stands where a byte is looked for: one that is zero once a quote or a backslash is taken out borrows, and so does one below a space; others
 * have it already. Above the lowest one there may be some by mistake.
 */
function lookedFor(word: number): number {
  return (((word ^ QUOTES) - ONES) | ((word ^ BACKSLASHES) - ONES) | (word - SPACES) | word) & HIGH_BITS
}

/** Which of the four bytes has the lowest mark. */
function firstMarked(marks: number): number {
  return (31 - Math.clz32(marks & -marks)) >> 3
}

/** Passes over a character of several bytes; -1 when it is no UTF-8: too long a form, half of a surrogate pair, beyond U+10FFFF, or cut off. */
function passCharacter(view: DataView, at: number, end: number): number {
  const first = view.getUint8(at)
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  if (first < 0xc2 || first > 0xf4 || at + length > end) return -1
  const second = view.getUint8(at + 1)
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return -1
  for (let index = 2; index < length; index++) if ((view.getUint8(at + index) & 0xc0) !== 0x80) return -1
  return at + length
}

/** Whether a backslash stands between two places, of which the first may lie behind the second. */
export function hasBackslash({ buffer, byteOffset }: Uint8Array, begin: number, end: number): boolean {
  return begin < end && Buffer.from(buffer, byteOffset + begin, end - begin).includes(BACKSLASH)
}
