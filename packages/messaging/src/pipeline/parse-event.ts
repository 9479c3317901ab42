import { isAscii, isUtf8 } from 'node:buffer'
import { RecordRefusal } from './event-refusal.ts'
import { mayLoseDigits, parseExact } from './exact-json.ts'
import { MOST_LEVELS, nestsTooDeeply } from './nesting.ts'
import type { Origin } from './read-field.ts'

/** The object that an event is, and what is known of its text. */
export interface ParsedEvent {
  object: Readonly<Record<string, unknown>>
  origin: Origin
}

const NO_UTF8 = undecodable('the message is not valid UTF-8')
const NO_JSON = undecodable('the message is not JSON')
const TOO_DEEP = undecodable(`the message nests more than ${MOST_LEVELS} levels deep`)

/** Why bytes are no event that are known to be no JSON. */
export const refusalOfNoJson = (value: Uint8Array): RecordRefusal => (isUtf8(value) ? NO_JSON : NO_UTF8)

/** Parses the bytes of an event into `into`, or says why it is no event. @param exact whether a field needs digits that a double can't hold */
export function parseEvent(value: Uint8Array | null, exact: boolean, into: ParsedEvent): RecordRefusal | null {
  if (value === null) return undecodable('the message has no value')
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const ascii = isAscii(bytes)
  if (!ascii && !isUtf8(bytes)) return NO_UTF8
  if (nestsTooDeeply(bytes)) return TOO_DEEP
  const text = ascii ? bytes.latin1Slice() : bytes.utf8Slice()
  const careful = exact && mayLoseDigits(bytes)
  let parsed: unknown
  // Nobody reads the stack of this error, and to take it down costs as much as to parse the event. A parser calls nobody who would miss one.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    parsed = careful ? parseExact(text) : JSON.parse(text)
  } catch {
    return NO_JSON
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undecodable('the message is not a JSON object')
  into.object = parsed as Record<string, unknown>
  into.origin = careful || text.includes('\\') ? 'any' : 'plain'
  return null
}

function undecodable(reason: string): RecordRefusal {
  return new RecordRefusal('undecodable', reason)
}

declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string
    utf8Slice(start?: number, end?: number): string
  }
}
