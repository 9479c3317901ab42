import { ExactNumber, parseExact } from '../pipeline/exact-json.ts'
import type { VersionSource } from '../pipeline/pipeline-definition.ts'
import type { DeadLetter } from './read-dead-letters.ts'
import { textOf } from './text-of.ts'

/** The header that says which version of its schema an event is of. */
export const SCHEMA_VERSION_HEADER = 'schema-version'

/** Tells the schema version of a letter's event; null when it names none. */
export type VersionOfLetter = (letter: Pick<DeadLetter, 'headers' | 'value'>) => string | null

/** Looks where a pipeline looks: in a header or a field. Without a pipeline's word, in the usual header. */
export function letterVersion({ header, field, absent }: VersionSource = { header: SCHEMA_VERSION_HEADER, field: null, absent: null }): VersionOfLetter {
  if (field === null) return ({ headers }) => (header !== null && Object.hasOwn(headers, header) ? textOf(headers[header]) : absent)
  return ({ value }) => {
    const event = eventIn(value)
    // What can't be read is of no version, not even of the one for those that name none.
    return event === null ? null : (fieldText(event, field) ?? absent)
  }
}

function eventIn(value: Uint8Array | null): Readonly<Record<string, unknown>> | null {
  if (value === null) return null
  try {
    const event = parseExact(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'))
    return typeof event === 'object' && event !== null ? (event as Readonly<Record<string, unknown>>) : null
  } catch {
    return null
  }
}

function fieldText(event: Readonly<Record<string, unknown>>, field: string): string | null {
  const written = Object.hasOwn(event, field) ? event[field] : undefined
  if (written instanceof ExactNumber) return written.digits
  return typeof written === 'string' || typeof written === 'number' ? String(written) : null
}
