import type { Row, ValidationIssue } from '@smart-whale/interfaces'
import { encodeParameter } from '../drivers/encode-parameter.ts'
import { TimescaleValidationError } from '../errors.ts'
import { BinaryWriter } from './binary-writer.ts'
import { Unfit } from './codec.ts'
import { SIGNATURE, TRAILER } from './copy-format.ts'
import type { TargetColumn } from './describe-table.ts'

/** Data of a COPY, and in which format it is. */
export interface CopyData {
  readonly chunks: readonly Uint8Array[]
  readonly format: 'binary' | 'text'
}

const NULL_LENGTH = -1
/** Enough to see what is wrong; a report of a million rows helps nobody. */
const MOST_ISSUES = 20
const TEXT_ROWS_AT_ONCE = 1_000

/**
 * Rows as the data of a COPY, checked against the columns before anything is sent: in binary, or as text when the server
 * has a column type that this package doesn't know.
 *
 * @param ordinal whether each row carries its number in front, for the staging table of an upsert
 * @throws TimescaleValidationError with the row's index and the column in each issue's path
 */
export function encodeRows(rows: readonly Row[], columns: readonly TargetColumn[], ordinal: boolean): CopyData {
  return columns.every((column) => column.codec) ? { format: 'binary', chunks: encodeBinary(rows, columns, ordinal) } : { format: 'text', chunks: encodeText(rows, columns, ordinal) }
}

function encodeBinary(rows: readonly Row[], columns: readonly TargetColumn[], ordinal: boolean): Uint8Array[] {
  const writer = new BinaryWriter()
  const issues: ValidationIssue[] = []
  writer.bytes(SIGNATURE)
  for (const [index, row] of rows.entries()) {
    writer.int16(columns.length + (ordinal ? 1 : 0))
    if (ordinal) {
      writer.int32(8)
      writer.int64(BigInt(index))
    }
    for (const column of columns) {
      const problem = writeBinary(row[column.name], column, writer)
      if (problem !== undefined) issues.push({ path: [index, column.name], message: problem })
    }
    if (issues.length >= MOST_ISSUES) break
  }
  refuse(issues)
  writer.bytes(TRAILER)
  return writer.chunks()
}

function writeBinary(value: unknown, column: TargetColumn, writer: BinaryWriter): string | undefined {
  if (value === null || value === undefined) {
    writer.int32(NULL_LENGTH)
    return column.notNull ? 'must have a value' : undefined
  }
  writer.openField()
  const unfit = column.codec?.(value, writer)
  writer.closeField()
  return unfit?.problem
}

/** PostgreSQL's text format: tabs between fields, a line a row. */
function encodeText(rows: readonly Row[], columns: readonly TargetColumn[], ordinal: boolean): Uint8Array[] {
  const chunks: Uint8Array[] = []
  const issues: ValidationIssue[] = []
  const scratch = (): BinaryWriter => new BinaryWriter()
  let lines: string[] = []
  for (const [index, row] of rows.entries()) {
    const fields: string[] = ordinal ? [String(index)] : []
    for (const column of columns) {
      const field = textField(row[column.name], column, scratch)
      if (typeof field === 'string') fields.push(field)
      else issues.push({ path: [index, column.name], message: field.problem })
    }
    if (issues.length >= MOST_ISSUES) break
    lines.push(`${fields.join('\t')}\n`)
    if (lines.length < TEXT_ROWS_AT_ONCE) continue
    chunks.push(Buffer.from(lines.join('')))
    lines = []
  }
  refuse(issues)
  chunks.push(Buffer.from(lines.join('')))
  return chunks
}

function textField(value: unknown, column: TargetColumn, scratch: () => BinaryWriter): string | Unfit {
  if (value === null || value === undefined) return column.notNull ? new Unfit('must have a value') : '\\N'
  // Types that are known are checked as strictly as in binary.
  const unfit = column.codec?.(value, scratch())
  if (unfit) return unfit
  const text = encodeParameter(column.sqlType.startsWith('json') && typeof value === 'string' ? JSON.stringify(value) : value)
  if (text === null) return '\\N'
  if (typeof text !== 'string') return new Unfit(text.problem)
  return text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] as string)
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function refuse(issues: readonly ValidationIssue[]): void {
  const [first] = issues
  if (!first) return
  const [index, column] = first.path
  const more = issues.length > 1 ? ` (and ${issues.length - 1}${issues.length >= MOST_ISSUES ? ' or more' : ''} further)` : ''
  throw new TimescaleValidationError(`row ${index}, column "${column}": ${first.message}${more}; nothing was stored`, { code: 'ERR_TIMESCALEDB_DATA', status: 422, issues })
}
