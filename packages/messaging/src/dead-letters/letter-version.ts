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
  return ({ value }) => fieldText(value, field) ?? absent
}

function fieldText(value: Uint8Array | null, field: string): string | null {
  if (value === null) return null
  let event: unknown
  try {
    event = parseExact(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'))
  } catch {
    return null
  }
  if (typeof event !== 'object' || event === null || !Object.hasOwn(event, field)) return null
  const written = (event as Readonly<Record<string, unknown>>)[field]
  if (written instanceof ExactNumber) return written.digits
  return typeof written === 'string' || typeof written === 'number' ? String(written) : null
}
