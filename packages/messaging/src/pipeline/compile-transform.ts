import type { z } from 'zod'
import { ConfigurationError } from '@smart-whale/interfaces'
import { RecordRefusal } from './event-refusal.ts'
import type { IngestRow, TransformFunction } from './event-types.ts'
import { type FieldType, fieldTypeText, fitsInto, parseFieldType } from './field-type.ts'
import type { RowTransform } from './pipeline-definition.ts'
import { FieldRefusal } from './read-field.ts'
import { compileSteps } from './steps/compile-steps.ts'
import type { stepSchema } from './steps/step-schema.ts'
import { writtenValueReader } from './written-value.ts'

/** Steps of the right form, or a function. */
export type SomeTransform = readonly z.output<typeof stepSchema>[] | TransformFunction<never, object>

/** What a transform is compiled with. */
export interface CompileTransformOptions {
  /** Fields that it gets. @default none, required */
  readonly types: ReadonlyMap<string, FieldType>
  /** What it must make, where that is declared; otherwise that is what it makes, and a function makes what it got. @default none, required */
  readonly columns: Readonly<Record<string, string>> | undefined
  /** Keys of `hash` steps. @default none, required */
  readonly hashKeys: Readonly<Record<string, string>>
  /** Where it stands in the file, for messages. @default none, required */
  readonly where: string
}

/** A compiled transform, and what it makes. */
export interface CompiledTransform {
  readonly transform: RowTransform
  readonly types: ReadonlyMap<string, FieldType>
}

/** Compiles steps or wraps a function. @throws ConfigurationError naming the step that is wrong, or the column that none gives */
export function compileTransform(transform: SomeTransform, { types, columns, hashKeys, where }: CompileTransformOptions): CompiledTransform {
  const wanted = columns === undefined ? null : new Map(Object.entries(columns).map(([name, text]) => [name, parseFieldType(text)]))
  if (typeof transform === 'function') return { transform: checkedFunction(transform, wanted ?? types), types: wanted ?? types }
  const compiled = compileSteps(transform, { types, hashKeys, where })
  if (wanted === null) return compiled
  for (const [column, type] of wanted) {
    const made = compiled.types.get(column)
    const problem = made === undefined ? 'no field or step gives it' : fitsInto(made, type) ? null : `it is of type ${fieldTypeText(made)} behind the last step`
    if (problem !== null) throw new ConfigurationError(`the pipelines file is wrong: ${where}: the column "${column}" of type ${fieldTypeText(type)} is not met: ${problem}`)
  }
  return { transform: compiled.transform, types: wanted }
}

/** What a function gives is checked like an event: its author is no more to be trusted than a producer is. */
function checkedFunction(transform: TransformFunction<never, object>, types: ReadonlyMap<string, FieldType>): RowTransform {
  const readers = [...types].map(([name, type]) => ({ name, read: writtenValueReader(type) }))
  return (row, context) => {
    let made: unknown
    try {
      made = transform(row as never, context)
    } catch (error) {
      // The name alone: a message may quote what was in the event.
      return new RecordRefusal('transform-failed', `the transform threw ${error instanceof Error ? error.name : `a ${typeof error}`}`)
    }
    if (made === null) return null
    if (typeof made !== 'object' || Array.isArray(made)) return new RecordRefusal('transform-failed', `the transform returned ${made === undefined ? 'nothing' : Array.isArray(made) ? 'an array' : `a ${typeof made}`}; a row or null is wanted`)
    if (typeof (made as { then?: unknown }).then === 'function' && !types.has('then')) {
      ;(made as Promise<unknown>).then(undefined, () => {})
      return new RecordRefusal('transform-failed', 'the transform returned a promise; it must answer at once')
    }
    return readMade(made as IngestRow, readers)
  }
}

function readMade(made: IngestRow, readers: readonly { name: string; read: (value: unknown) => unknown }[]): IngestRow | RecordRefusal {
  const row: IngestRow = {}
  for (const { name, read } of readers) {
    const value = read(Object.hasOwn(made, name) ? made[name] : undefined)
    if (value instanceof FieldRefusal) return new RecordRefusal('transform-failed', `the transform's field "${name}" ${value.reason}`, name)
    row[name] = value
  }
  return row
}
