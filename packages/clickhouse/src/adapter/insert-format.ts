import { type ColumnBatch, type Row, toWire, ValidationError } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import { encodeColumns, nativeColumns } from '../native/encode-columns.ts'
import type { ByteWriter } from '../row-binary/byte-writer.ts'
import { quoteName, quoteTableName, type TableDescription } from './table-columns.ts'

/** An insert as it is sent: the statement in the address, the rows in the body. */
export interface EncodedInsert {
  readonly statement: string
  readonly body: string | Uint8Array
  /** Settings that the body's form needs. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * Encodes rows for a table: every column that a row names, in `RowBinaryWithNamesAndTypes`, or in `JSONEachRow` when one of
 * them has a type without a binary encoder. What a row leaves out is null where the column may be, else refused; a column
 * that every row leaves out gets the table's default. The body lies in the writer's memory. A guard is a query of one value, evaluated before the first row.
 * @throws ValidationError when a row names a column that the table doesn't have, or holds a value that doesn't fit; nothing is sent
 */
export function encodeInsert(table: string, description: TableDescription, rows: readonly Row[], writer: ByteWriter, guard?: string): EncodedInsert {
  const names = columnsToFill(table, description, rows)
  const encoder = description.encoderOf(names)
  const columns = description.columns.filter(({ name }) => names.has(name))
  const { statement, settings } = insertInto(table, columns, encoder?.sent ?? columns, guard)
  if (encoder !== null) return { statement: `${statement} RowBinaryWithNamesAndTypes`, body: encoder.encode(rows, writer), settings: { ...settings, ...encoder.settings } }
  return { statement: `${statement} JSONEachRow`, body: rows.map((row) => JSON.stringify(toWire(row))).join('\n'), settings }
}

/** Encodes rows that lie in columns already; null when the table has other types for them, so that they have to be encoded as rows. */
export function encodeColumnInsert(table: string, description: TableDescription, batch: ColumnBatch, writer: ByteWriter, guard?: string): EncodedInsert | null {
  const columns = nativeColumns(batch, description.columns)
  if (columns === null) return null
  const named = columns.map(({ values: { name }, type }) => ({ name, type }))
  const { statement, settings } = insertInto(table, named, named, guard)
  return { statement: `${statement} Native`, body: encodeColumns(batch.rows, columns, writer), settings }
}

type InsertStatement = Required<Pick<EncodedInsert, 'statement' | 'settings'>>

function insertInto(table: string, columns: readonly ColumnDescription[], sent: readonly ColumnDescription[], guard: string | undefined): InsertStatement {
  const list = columns.map(({ name }) => quoteName(name)).join(', ')
  const into = `INSERT INTO ${quoteTableName(table)} (${list})`
  const isConverted = columns.some(({ type }, index) => sent[index]?.type !== type)
  if (guard === undefined && !isConverted) return { statement: `${into} FORMAT`, settings: {} }
  const structure = sent.map(({ name, type }) => `${quoteName(name)} ${type}`).join(', ')
  return { statement: `${into} ${selectedRows(columns, sent, structure, guard)} FORMAT`, settings: settingsOf(structure) }
}

/** The rows of the body, by way of a query that converts them, and whose condition the server works out once, when the insert begins. */
function selectedRows(columns: readonly ColumnDescription[], sent: readonly ColumnDescription[], structure: string, guard: string | undefined): string {
  const values = columns.map(({ name, type }, index) => (sent[index]?.type === type ? quoteName(name) : `CAST(${quoteName(name)} AS ${type})`))
  return `SELECT ${values.join(', ')} FROM input('${structure.replace(/[\\']/g, '\\$&')}')${guard === undefined ? '' : ` WHERE (${guard}) = 0`}`
}

/** The table has these types already; a query that names them is refused them without these, each where it is of use: an older server may not know it. */
const TYPE_SETTINGS: readonly (readonly [pattern: RegExp, setting: string])[] = [
  [/\bVariant\(/, 'allow_suspicious_variant_types'],
  [/\bLowCardinality\(/, 'allow_suspicious_low_cardinality_types'],
  [/\bTime(?:64)?\b/, 'enable_time_time64_type'],
  [/\bQBit\(/, 'enable_qbit_type'],
  [/\bNullable\(Tuple\(/, 'allow_experimental_nullable_tuple_type'],
]

function settingsOf(structure: string): Readonly<Record<string, string>> {
  return Object.fromEntries(TYPE_SETTINGS.filter(([pattern]) => pattern.test(structure)).map(([, setting]) => [setting, '1']))
}

function columnsToFill(table: string, { columns }: TableDescription, rows: readonly Row[]): ReadonlySet<string> {
  const known = new Set(columns.map(({ name }) => name))
  const given = new Set<string>()
  // Most rows are alike: to compare a name with the one that came at its place is several times faster than to look it up.
  let usual: readonly string[] = []
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as Row
    let place = 0
    for (const name in row) {
      if (name === usual[place]) {
        place++
        continue
      }
      if (given.has(name) || row[name] === undefined) continue
      if (!known.has(name)) throw unknownColumn(table, index, name)
      given.add(name)
      usual = [...given]
    }
  }
  if (given.size === 0) throw new ValidationError(`the rows for table "${table}" have no fields`, { issues: [{ path: [0], message: 'must name at least one column' }] })
  return given
}

function unknownColumn(table: string, row: number, name: string): ValidationError {
  const message = `is not a column of table "${table}" that can be filled`
  return new ValidationError(`row ${row}: "${name}" ${message}; nothing was sent`, {
    code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT',
    issues: [{ path: [row, name], message }],
  })
}
