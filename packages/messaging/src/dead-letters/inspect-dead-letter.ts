import { isUtf8 } from 'node:buffer'
import { judgeLetter, type LetterDecoder } from './judge-letter.ts'
import type { DeadLetter } from './read-dead-letters.ts'
import type { LetterFate } from './read-fates.ts'

/** A dead letter as a person or a tool looks at it. */
export interface DeadLetterView {
  readonly position: { readonly partition: number; readonly offset: string }
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: string; readonly at: string } | null
  readonly reason: { readonly code: string; readonly message: string }
  readonly schemaVersion: string | null
  readonly at: string
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly value: ValueView
  /** What became of it; null while it is open, and where nobody looked. */
  readonly fate: LetterFate | null
  /** What today's definition says of it: null when it would be taken, or when no definition was given. */
  readonly refusedToday: { readonly code: string; readonly field: string | null; readonly reason: string } | null
}

/** A value as far as it can be shown. */
export type ValueView =
  | { readonly kind: 'none' }
  | { readonly kind: 'json' | 'text'; readonly bytes: number; readonly text: string; readonly isCut: boolean }
  /** Not a text: the beginning in base64. */
  | { readonly kind: 'bytes'; readonly bytes: number; readonly base64: string; readonly isCut: boolean }

/** How {@link inspectDeadLetter} shows a letter. */
export interface InspectOptions {
  /** Reads the value as the pipeline would. @default nothing is tried */
  decode?: LetterDecoder | undefined
  /** What became of it; see `readFates`. @default null */
  fate?: LetterFate | null | undefined
  /** Most bytes of the value that are shown. @default 4096 */
  maxBytes?: number | undefined
}

/** Shows a dead letter: where it comes from, why it died, what is in it, and whether it would die again. */
export function inspectDeadLetter(letter: DeadLetter, { decode, fate = null, maxBytes = 4096 }: InspectOptions = {}): DeadLetterView {
  const { position, origin, reason, schemaVersion, timestamp, key, headers, value } = letter
  const refusal = decode === undefined ? null : judgeLetter(decode, letter, value)
  return {
    position: { partition: position.partition, offset: String(position.offset) },
    origin: origin === null ? null : { topic: origin.topic, partition: origin.partition, offset: String(origin.offset), at: new Date(origin.timestamp).toISOString() },
    reason: { ...reason },
    schemaVersion,
    at: new Date(timestamp).toISOString(),
    key: key === null ? null : shownText(key),
    headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, shownText(bytes)])),
    value: valueView(value, maxBytes),
    fate,
    refusedToday: refusal === null ? null : { code: refusal.code, field: refusal.field ?? null, reason: refusal.reason },
  }
}

function valueView(value: Uint8Array | null, maxBytes: number): ValueView {
  if (value === null) return { kind: 'none' }
  const isCut = value.length > maxBytes
  const shown = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, maxBytes))
  if (!isUtf8(value)) return { kind: 'bytes', bytes: value.length, base64: shown.toString('base64'), isCut }
  const kind = value[0] === 0x7b || value[0] === 0x5b ? 'json' : 'text'
  // A cut may fall into a character: what is left of it is no text.
  return { kind, bytes: value.length, text: shown.toString('utf8').replace(/\ufffd+$/, isCut ? '' : '$&'), isCut }
}

function shownText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return isUtf8(buffer) ? buffer.toString('utf8') : `base64:${buffer.toString('base64')}`
}
