import { RecordRefusal } from './event-refusal.ts'
import type { IngestRow } from './event-types.ts'
import { parseFieldType } from './field-type.ts'
import type { ParsedEvent } from './parse-event.ts'
import type { EventVersion } from './pipeline-definition.ts'
import { fieldReader, type FieldReader, FieldRefusal } from './read-field.ts'

/** Told the name of each field that an event has and its version does not declare. */
export type UndeclaredField = (name: string) => void

/** Reads the declared fields of one version from a parsed event. */
export interface EventReader {
  readonly version: EventVersion
  read(event: ParsedEvent): IngestRow | RecordRefusal
}

interface DeclaredField {
  readonly name: string
  readonly column: string
  readonly plain: FieldReader
  readonly any: FieldReader
  /** Whether every object has a property of that name by itself. */
  readonly inherited: boolean
}

/**
 * Compiles the reader of a version. Rows have the given columns besides, as null, so that all rows have one shape.
 * @param versionField where the version is written, if in a field: it needs no declaration
 */
export function eventReader(version: EventVersion, moreColumns: readonly string[], onUndeclared: UndeclaredField | null, versionField: string | null): EventReader {
  const fields = Object.entries(version.fields).map(([name, text]): DeclaredField => {
    const type = parseFieldType(text)
    const column = Object.hasOwn(version.rename, name) ? (version.rename[name] as string) : name
    return { name, column, plain: fieldReader(type, 'plain'), any: fieldReader(type), inherited: name in Object.prototype }
  })
  const declared = new Set([...fields.map(({ name }) => name), ...(versionField === null ? [] : [versionField])])
  const blank: IngestRow = Object.fromEntries([...fields.map(({ column }) => [column, null]), ...moreColumns.map((column) => [column, null])])
  return {
    version,
    read: ({ object, origin }) => {
      // A copy of one blank row: filling in its fields is several times faster than adding them one by one.
      const row = { ...blank }
      let present = 0
      for (let index = 0; index < fields.length; index++) {
        const field = fields[index] as DeclaredField
        const found = field.inherited && !Object.hasOwn(object, field.name) ? undefined : object[field.name]
        if (found !== undefined) present++
        const value = origin === 'plain' ? field.plain(found) : field.any(found)
        if (value instanceof FieldRefusal) return new RecordRefusal('invalid', `field "${field.name}" ${value.reason}`, field.name)
        row[field.column] = value
      }
      if (onUndeclared !== null && Object.keys(object).length > present) tellUndeclared(object, declared, onUndeclared)
      return row
    },
  }
}

function tellUndeclared(object: Readonly<Record<string, unknown>>, declared: ReadonlySet<string>, onUndeclared: UndeclaredField): void {
  for (const name of Object.keys(object)) if (!declared.has(name)) onUndeclared(name)
}
