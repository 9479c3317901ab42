import type { ColumnValues } from '@smart-whale/interfaces'
import type { TargetColumn } from '../describe-table.ts'
import { isText, lengthLimit, numericLimit } from '../find-codec.ts'
import type { ColumnFields } from './column-fields.ts'
import { decimalFields } from './decimal-fields.ts'
import { fixedFields } from './fixed-fields.ts'
import { textFields } from './text-fields.ts'

/**
 * How a column's values become fields of a table's column; null when only rows say what becomes of them: another type than their memory is of,
 * a null where there must be none.
 */
export function fieldsOf(values: ColumnValues, { type, notNull, generated }: TargetColumn): ColumnFields | null {
  if (generated || (notNull && values.nulls?.includes(1) === true)) return null
  if (values.layout === 'text' && values.isJson !== true) return isText(type) ? textFields(values, { maxLength: lengthLimit(type) }) : null
  // Types of other kinds may have the same names.
  if (type.kind !== 'b') return null
  if (values.isJson === true) return jsonFields(values, type.name)
  if (values.layout === 'decimal32' || values.layout === 'decimal64') return type.name === 'numeric' ? decimalFields(values, numericLimit(type.modifier)) : null
  return fixedFields(values, type.name)
}

function jsonFields(values: ColumnValues, type: string): ColumnFields | null {
  if (values.layout !== 'text') return null
  if (type === 'json') return textFields(values, {})
  return type === 'jsonb' && !mayBeUnstorable(values.bytes) ? textFields(values, { isJsonb: true }) : null
}

/** Whether there may be an escape that jsonb can't store: rows are looked at more closely. */
function mayBeUnstorable(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = buffer.indexOf(ESCAPE); at >= 0; at = buffer.indexOf(ESCAPE, at + 1)) {
    if (UNSTORABLE.test(buffer.toString('latin1', at + ESCAPE.length, at + ESCAPE.length + 4))) return true
  }
  return false
}

const ESCAPE = '\\u'
/** A zero character, half of a surrogate pair. */
const UNSTORABLE = /^(?:0000|d[89a-f])/i
