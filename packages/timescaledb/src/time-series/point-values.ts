import type { Row, ValidationIssue } from '@smart-whale/interfaces'
import { TimescaleValidationError } from '../errors.ts'
import { type InputPath, refuseInput } from '../refuse-input.ts'
import { bindValue, type ColumnDescription, type ColumnValue } from './column-kind.ts'
import { kindOf, parseIsoTime } from './parse-time.ts'
import type { TableDescription } from './table-description.ts'

/** More findings than this help nobody. */
const MAX_ISSUES = 20

/**
 * Points as they come in JSON, as rows of a table: each value checked against its column.
 *
 * @throws TimescaleValidationError naming point and column of what is wrong, up to twenty of them
 */
export function pointsToRows(table: TableDescription, points: readonly unknown[], path: InputPath): Row[] {
  const byName = new Map(table.columns.map((column) => [column.name, column]))
  const required = table.columns.filter(({ notNull, hasDefault, generated }) => notNull && !hasDefault && !generated)
  const issues: ValidationIssue[] = []
  const rows: Row[] = []
  for (const [index, point] of points.entries()) {
    if (issues.length >= MAX_ISSUES) break
    const place = [...path, index]
    if (typeof point !== 'object' || point === null || Array.isArray(point)) {
      issues.push({ path: place, message: `must be an object of column to value, found ${kindOf(point)}` })
      continue
    }
    rows.push(rowOf(point as Row, { table, byName, place, issues }))
    for (const { name, type } of required) {
      if (!Object.hasOwn(point, name)) issues.push({ path: [...place, name], message: `is missing: the column (${type}) needs a value` })
    }
  }
  if (issues.length === 0) return rows
  const sentence = issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')
  throw new TimescaleValidationError(sentence, { issues })
}

interface PointContext {
  readonly table: TableDescription
  readonly byName: ReadonlyMap<string, ColumnDescription>
  readonly place: InputPath
  readonly issues: ValidationIssue[]
}

function rowOf(point: Row, { table, byName, place, issues }: PointContext): Row {
  const row: Row = {}
  for (const [name, value] of Object.entries(point)) {
    const column = byName.get(name)
    const path = [...place, name]
    if (!column) issues.push({ path, message: `names no column of ${table.name}; there are ${[...byName.keys()].join(', ')}` })
    else if (column.generated) issues.push({ path, message: 'is computed by the database: leave it out' })
    else if (value === null && column.notNull) issues.push({ path, message: `must not be null (${column.type})` })
    else collect(() => (row[name] = value === null ? null : toColumnValue(column, value, path)), issues)
  }
  return row
}

function collect(read: () => unknown, issues: ValidationIssue[]): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof TimescaleValidationError)) throw error
    issues.push(...error.issues)
  }
}

/** A JSON value in the form that a column is written in. */
function toColumnValue(column: ColumnDescription, value: unknown, path: InputPath): unknown {
  if (column.kind === 'json') return checkedJson(value, path)
  if (column.kind === 'bytes') return bytesOf(value, path)
  if (column.kind === 'other') {
    return typeof value === 'string' ? value : refuseInput(path, `must be a text that PostgreSQL reads as ${column.type}, found ${kindOf(value)}`)
  }
  const text = bindValue(column, value as Exclude<ColumnValue, null>, path)
  if (column.kind === 'integer') return column.baseType === 'int8' ? BigInt(text) : Number(text)
  if (column.kind === 'float') return /^[+-]?inf/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text)
  if (column.kind === 'boolean') return text.toLowerCase() === 'true'
  // A Date where it says all; finer times stay texts.
  if (column.kind === 'timestamp') return parseIsoTime(text) ?? text
  return text
}

/** PostgreSQL can't keep a zero byte or half a character, not even within json. */
function checkedJson(value: unknown, path: InputPath): unknown {
  const text = JSON.stringify(value)
  if (text.includes('\\u0000') || !text.isWellFormed() || /\\ud[89a-f]/i.test(text)) refuseInput(path, 'must not hold zero bytes or broken characters')
  return value
}

function bytesOf(value: unknown, path: InputPath): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return refuseInput(path, 'must be bytes in base64')
  return Buffer.from(value, 'base64')
}
