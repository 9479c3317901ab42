/**
 * How deep an event may nest: deeper than anybody means to. Without a bound of its own, whatever reads it recurses until its stack is full, which
 * differs from one machine to the next.
 */
export const MOST_LEVELS = 1000

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Makes `{` and `}` of `[` and `]`. */
const BRACE_BIT = 0x20
const OPEN = 0x7b
const CLOSE = 0x7d

/** Whether the bytes, if they are a JSON text, nest more than {@link MOST_LEVELS} levels. */
export function nestsTooDeeply(bytes: Buffer): boolean {
  // Each level takes a bracket to open and one to close.
  if (bytes.length <= 2 * MOST_LEVELS) return false
  let level = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte === QUOTE) at = textEnd(bytes, at + 1)
    else if ((byte | BRACE_BIT) === OPEN && ++level > MOST_LEVELS) return true
    else if ((byte | BRACE_BIT) === CLOSE) level--
  }
  return false
}

/** Where a text has its closing quote; the bytes of characters beyond ASCII are none. */
function textEnd(bytes: Buffer, begin: number): number {
  let at = begin
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}
