import type { EventRefusal } from './event-refusal.ts'
import { RecordRefusal } from './event-refusal.ts'
import type { IngestRow } from './event-types.ts'
import { parseFieldType } from './field-type.ts'
import { parseEvent, type ParsedEvent } from './parse-event.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { type EventReader, eventReader, type UndeclaredField } from './read-event.ts'
import { needsExactNumbers } from './read-field.ts'
import { versionChooser } from './choose-version.ts'

export type { EventRefusal } from './event-refusal.ts'
export type { IngestRow } from './event-types.ts'

/** What an event turned out to be. */
export type Decoded = { readonly fields: IngestRow; readonly refusal: null } | { readonly fields: null; readonly refusal: EventRefusal }

/** A header of a record as text; null when there is none of that name. */
export type HeaderOf = (name: string) => string | null

/** Reads the bytes of one event; the version may be in a header. */
export type EventDecoder = (value: Uint8Array | null, header?: HeaderOf) => Decoded

/** Reads the bytes of one event into the fields of its version; `reader` is then that version's. */
export type EventFieldsDecoder = (value: Uint8Array | null, header: HeaderOf) => RecordRefusal | { readonly row: IngestRow; readonly reader: EventReader }

/** How an event's fields are read, besides what its definition says. */
export interface DecodeOptions {
  /** Columns that rows get later, so that they have one shape from the beginning. @default [] */
  readonly moreColumns?: readonly string[]
  /** Told of fields that aren't declared. @default nobody is told */
  readonly onUndeclared?: UndeclaredField | null
}

const NO_HEADER: HeaderOf = () => null

/** Compiles what checks an event before it is sent: UTF-8, JSON object, then each field of its version in turn. What becomes of it then is the pipeline's matter. */
export function eventDecoder(definition: PipelineDefinition): EventDecoder {
  const decode = eventFieldsDecoder(definition)
  return (value, header = NO_HEADER) => {
    const decoded = decode(value, header)
    return decoded instanceof RecordRefusal ? { fields: null, refusal: decoded } : { fields: decoded.row, refusal: null }
  }
}

/** Compiles the step from bytes to the declared fields. */
export function eventFieldsDecoder(definition: PipelineDefinition, { moreColumns = [], onUndeclared = null }: DecodeOptions = {}): EventFieldsDecoder {
  const readers = definition.versions.map((version) => eventReader(version, moreColumns, onUndeclared, definition.versionFrom?.field ?? null))
  const exact = definition.versions.some(({ fields }) => Object.values(fields).some((text) => needsExactNumbers(parseFieldType(text)) || parseFieldType(text).kind === 'json'))
  const choose = versionChooser(definition, readers)
  // One for all events: it is read at once.
  const parsed: ParsedEvent = { object: {}, origin: 'any' }
  return (value, header) => {
    const refusal = parseEvent(value, exact, parsed)
    if (refusal !== null) return refusal
    const reader = choose(parsed.object, header)
    if (reader instanceof RecordRefusal) return reader
    const row = reader.read(parsed)
    return row instanceof RecordRefusal ? row : { row, reader }
  }
}
