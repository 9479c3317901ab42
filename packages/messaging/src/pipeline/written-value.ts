import type { FieldType } from './field-type.ts'
import { fieldReader, type FieldReader, FieldRefusal, plainDigits } from './read-field.ts'
import { readJsonText } from './steps/cast-value.ts'

/** Reads what a function gave for a field: like an event's value, and in the forms that code has for it (`Date`, `bigint`). */
export function writtenValueReader(type: FieldType): FieldReader {
  const read = fieldReader(type)
  if (type.kind === 'timestamp') return (value) => read(value instanceof Date ? value.getTime() : value)
  if (type.kind === 'int64' || type.kind === 'decimal') return (value) => read(typeof value === 'bigint' ? String(value) : typeof value === 'number' && type.kind === 'decimal' ? finiteDigits(value) : value)
  // A json field is text in code: what is no JSON text would become another value in PostgreSQL than in ClickHouse.
  if (type.kind === 'json') return (value) => (value === null || value === undefined ? read(value) : typeof value === 'string' ? readJsonText(value, read) : new FieldRefusal('must be JSON text'))
  return read
}

function finiteDigits(value: number): unknown {
  return Number.isFinite(value) ? plainDigits(value) : value
}
