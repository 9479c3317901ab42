import { ValidationError } from '@smart-whale/interfaces'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const NEWLINE = 0x0a
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/** Events of a newline-delimited body, as byte ranges; blank lines are passed over. */
export function splitLines(body: Buffer): Buffer[] {
  const events: Buffer[] = []
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(NEWLINE, start)
    const end = found === -1 ? body.length : found
    const line = trimmed(body, start, end)
    if (line.length > 0) events.push(line)
    start = end + 1
  }
  return events
}

/**
 * Events of a JSON body: an array of them, or a single object. The bytes of each are handed on untouched, so that numbers
 * keep digits that a parse and a print would change. Whether each is JSON is for its decoder to say.
 * @throws ValidationError when the body is neither an array nor an object
 */
export function splitJson(body: Buffer): Buffer[] {
  const text = trimmed(body, 0, body.length)
  if (text[0] === 0x7b) return [text]
  if (text[0] !== 0x5b || text.at(-1) !== 0x5d) {
    throw new ValidationError('the body must be a JSON array of events, or one event', { issues: [{ path: ['body'], message: 'must be a JSON array of objects, or one object' }] })
  }
  return splitElements(text.subarray(1, -1))
}

function splitElements(inside: Buffer): Buffer[] {
  const events: Buffer[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < inside.length; at++) {
    const byte = inside[at] as number
    if (byte === QUOTE) at = endOfString(inside, at)
    else if (OPENING.has(byte)) depth++
    else if (CLOSING.has(byte)) depth--
    else if (byte === COMMA && depth === 0) {
      events.push(trimmed(inside, start, at))
      start = at + 1
    }
  }
  const last = trimmed(inside, start, inside.length)
  if (last.length > 0 || events.length > 0) events.push(last)
  return events
}

/** The position of the quote that ends the string which begins at `at`; the end of the bytes when none does. */
function endOfString(bytes: Buffer, at: number): number {
  for (let next = at + 1; next < bytes.length; next++) {
    if (bytes[next] === BACKSLASH) next++
    else if (bytes[next] === QUOTE) return next
  }
  return bytes.length
}

function trimmed(bytes: Buffer, from: number, to: number): Buffer {
  let start = from
  let end = to
  while (start < end && (bytes[start] as number) <= 0x20) start++
  while (end > start && (bytes[end - 1] as number) <= 0x20) end--
  return bytes.subarray(start, end)
}
