import { isUtf8 } from 'node:buffer'
import { mayLoseDigits, parseExact } from './exact-json.ts'
import { parseFieldType } from './field-type.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { FieldRefusal, type FieldReader, fieldReader, needsExactNumbers } from './read-field.ts'

/** A row as both stores take it: the declared fields plus where the event came from. */
export type IngestRow = Record<string, unknown>

/** Why an event is refused; goes into the headers of its dead letter. */
export interface EventRefusal {
  readonly code: 'undecodable' | 'invalid' | 'refused-by-store'
  /** Names the field and what is wrong, never the value. */
  readonly reason: string
  /** The field that is wrong, when one is. */
  readonly field?: string
}

/** What an event turned out to be. */
export type Decoded = { readonly fields: IngestRow; readonly refusal: null } | { readonly fields: null; readonly refusal: EventRefusal }

/** Reads the bytes of one event. */
export type EventDecoder = (value: Uint8Array | null) => Decoded

/** Compiles the decoder of a pipeline: UTF-8, JSON object, then each declared field in turn. */
export function eventDecoder(definition: PipelineDefinition): EventDecoder {
  const types = Object.entries(definition.fields).map(([name, text]) => ({ name, type: parseFieldType(text) }))
  const readers = types.map(({ name, type }) => ({ name, read: fieldReader(type) }))
  const exact = types.some(({ type }) => needsExactNumbers(type) || type.kind === 'json')
  return (value) => {
    const event = parseEvent(value, exact)
    return 'refusal' in event ? { fields: null, refusal: event.refusal } : readFields(event.object, readers)
  }
}

function readFields(event: Readonly<Record<string, unknown>>, readers: readonly { name: string; read: FieldReader }[]): Decoded {
  const fields: IngestRow = {}
  for (const { name, read } of readers) {
    // `Object.hasOwn`: a field called like a method of Object must come from the event itself.
    const value = read(Object.hasOwn(event, name) ? event[name] : undefined)
    if (value instanceof FieldRefusal) return { fields: null, refusal: { code: 'invalid', reason: `field "${name}" ${value.reason}`, field: name } }
    fields[name] = value
  }
  return { fields, refusal: null }
}

type ParsedEvent = { readonly object: Readonly<Record<string, unknown>> } | { readonly refusal: EventRefusal }

function parseEvent(value: Uint8Array | null, exact: boolean): ParsedEvent {
  if (value === null) return undecodable('the message has no value')
  if (!isUtf8(value)) return undecodable('the message is not valid UTF-8')
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')
  let parsed: unknown
  try {
    parsed = exact && mayLoseDigits(text) ? parseExact(text) : JSON.parse(text)
  } catch (error) {
    // A nesting of hundreds of thousands of levels ends in a RangeError: as undecodable as any other.
    return undecodable(error instanceof RangeError ? 'the message is nested too deeply' : 'the message is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undecodable('the message is not a JSON object')
  return { object: parsed as Record<string, unknown> }
}

function undecodable(reason: string): ParsedEvent {
  return { refusal: { code: 'undecodable', reason } }
}
