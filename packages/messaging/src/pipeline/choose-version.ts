import { RecordRefusal } from './event-refusal.ts'
import { ExactNumber } from './exact-json.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import type { EventReader } from './read-event.ts'

/** Finds the reader of an event's version. */
export type VersionChooser = (event: Readonly<Record<string, unknown>>, header: (name: string) => string | null) => EventReader | RecordRefusal

/** Compiles the choice; a pipeline without versions has none. */
export function versionChooser({ versionFrom }: PipelineDefinition, readers: readonly EventReader[]): VersionChooser {
  if (versionFrom === null) return () => readers[0] as EventReader
  const byName = new Map(readers.map((reader) => [reader.version.name, reader]))
  const { header: headerName, field, absent } = versionFrom
  const place = headerName === null ? `the field "${field}"` : `the header "${headerName}"`
  return (event, header) => {
    const written = headerName === null ? fieldText(event, field as string) : header(headerName)
    const name = written ?? absent
    if (name === null) return new RecordRefusal('unknown-version', `${place} names no version`)
    return byName.get(name) ?? new RecordRefusal('unknown-version', `${place} names a version that the pipeline does not declare; it has ${[...byName.keys()].join(', ')}`)
  }
}

/** A version may be a number in the event; what is neither text nor number names no declared one. */
function fieldText(event: Readonly<Record<string, unknown>>, field: string): string | null {
  const value = Object.hasOwn(event, field) ? event[field] : undefined
  if (value === undefined || value === null) return null
  if (value instanceof ExactNumber) return value.digits
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
