import { type FieldType, fieldTypeText } from '../field-type.ts'
import type { IngestRow } from '../event-types.ts'
import { fieldReader, FieldRefusal } from '../read-field.ts'
import type { PlainValue } from './condition-schema.ts'

/** What a step did: undefined when the row goes on (changed in place), null when it is left out on purpose, or why it can't go on. */
export type StepOutcome = FieldRefusal | null | undefined

/** One compiled step. */
export type RowStep = (row: IngestRow) => StepOutcome

/** What a step is compiled with. */
export interface StepTools {
  /** The fields before the step, and once it is compiled those after it. */
  readonly types: Map<string, FieldType>
  readonly hashKeys: Readonly<Record<string, string>>
  /** Says what is wrong with the step. */
  fail(message: string): never
}

/** Most UTF-16 units of a text that a step makes. */
export const MAX_TEXT = 1_048_576

/** The type of a field that is there. */
export function typeOf({ types, fail }: StepTools, name: string): FieldType {
  return types.get(name) ?? fail(`names "${name}", which is no field here; there are ${[...types.keys()].join(', ') || 'none'}`)
}

/** The type of a field that must be a text. */
export function textField(tools: StepTools, name: string): FieldType {
  const type = typeOf(tools, name)
  return type.kind === 'string' ? type : tools.fail(`takes texts, but "${name}" is of type ${fieldTypeText(type)}; cast it first`)
}

/** A constant as the type holds it. */
export function constantOf({ fail }: StepTools, type: FieldType, value: PlainValue): unknown {
  const read = fieldReader(type)(value)
  return read instanceof FieldRefusal ? fail(`has a value for ${fieldTypeText(type)} that ${read.reason}`) : read
}

/** A value of a field type as text, the same for equal values. */
export function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}
