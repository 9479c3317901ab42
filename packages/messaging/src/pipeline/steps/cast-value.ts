import { parseExact } from '../exact-json.ts'
import type { FieldKind, FieldType } from '../field-type.ts'
import { fieldReader, type FieldReader, FieldRefusal, plainDigits } from '../read-field.ts'
import { textOf } from './row-step.ts'

const NUMBERS: readonly FieldKind[] = ['int32', 'int64', 'float64', 'decimal']
const ALL: readonly FieldKind[] = [...NUMBERS, 'string', 'boolean', 'timestamp', 'date', 'uuid', 'json']

/** What each kind may become; every kind may become a string. */
const CASTS: Readonly<Record<FieldKind, readonly FieldKind[]>> = {
  string: ALL,
  int32: [...NUMBERS, 'timestamp'],
  int64: [...NUMBERS, 'timestamp'],
  float64: NUMBERS,
  decimal: NUMBERS,
  boolean: [],
  timestamp: ['timestamp', 'date', 'int64'],
  date: ['date', 'timestamp'],
  uuid: ['uuid'],
  json: ['json'],
}

/** Turns values of one type into another's, or says why a value can't be; null when the one type never becomes the other. Values are not null. */
export function castValue(from: FieldType, to: FieldType): FieldReader | null {
  if (to.kind !== 'string' && !CASTS[from.kind].includes(to.kind)) return null
  const read = textReader(to)
  if (to.kind === 'timestamp' && (from.kind === 'int32' || from.kind === 'int64')) return (value) => read(Number(value))
  if (to.kind === 'timestamp' && from.kind === 'date') return (value) => read(`${value as string}T00:00:00Z`)
  if (to.kind === 'date' && from.kind === 'timestamp') return (value) => textOf(value).slice(0, 10)
  if (to.kind === 'int64' && from.kind === 'timestamp') return (value) => BigInt((value as Date).getTime())
  if (from.kind === 'float64' && to.kind !== 'string') return (value) => read(plainDigits(value as number))
  return (value) => read(textOf(value))
}

/** Reads a type from the text of its values. */
function textReader(type: FieldType): FieldReader {
  const read = fieldReader(type)
  if (type.kind === 'int32' || type.kind === 'float64') {
    return (value) => (/^-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?$/.test(value as string) ? read(Number(value)) : new FieldRefusal('is not the text of a number'))
  }
  if (type.kind === 'boolean') return (value) => (value === 'true' ? true : value === 'false' ? false : new FieldRefusal('is neither "true" nor "false"'))
  if (type.kind === 'json') return (value) => readJsonText(value as string, read)
  return read
}

/** JSON text as the store gets it: parsed, so that nothing else passes for it. */
export function readJsonText(text: string, read: FieldReader): unknown {
  try {
    return read(parseExact(text))
  } catch {
    return new FieldRefusal('is not JSON text')
  }
}
