import { createHash } from 'node:crypto'
import type { CallOptions, ColumnBatch, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleValidationError } from '../errors.ts'
import { quoteIdentifier } from '../quote-identifier.ts'
import type { SqlConnection } from '../sql-driver.ts'
import type { OnConflict } from '../timescale-storage.ts'
import { type ColumnPair, encodeColumns, freeChunks } from './columns/encode-columns.ts'
import type { TargetColumn, TargetTable } from './describe-table.ts'
import { encodeRows } from './encode-rows.ts'

/** Rows for a table, and what happens to those whose key is there already. */
export interface BulkInsert {
  readonly target: TargetTable
  readonly columns: readonly TargetColumn[]
  readonly rows: readonly Row[]
  readonly onConflict: OnConflict
}

const ORDINAL = quoteIdentifier('smart_whale_ordinal')

/**
 * The columns that rows fill: those that are named, else the keys of the first row. With keys that only later rows have,
 * something would be lost silently: they are refused.
 *
 * @throws TimescaleValidationError
 */
export function chooseColumns(target: TargetTable, rows: readonly Row[], names?: readonly string[]): TargetColumn[] {
  const chosen = names ?? Object.keys(rows[0] ?? {})
  if (chosen.length === 0) throw new TimescaleValidationError('the rows have no columns; name some', { issues: [{ path: ['columns'], message: 'must not be empty' }] })
  const columns = chosen.map((name) => writableColumn(target, name))
  if (new Set(chosen).size < chosen.length) throw new TimescaleValidationError('a column is named twice', { issues: [{ path: ['columns'], message: 'has a name twice' }] })
  if (names === undefined) refuseStrayKeys(rows, new Set(chosen))
  return columns
}

function writableColumn(target: TargetTable, name: string): TargetColumn {
  const column = target.columns.get(name)
  const problem = column === undefined ? 'does not exist' : column.generated ? 'is computed by the server and can not be written' : undefined
  if (column && problem === undefined) return column
  throw new TimescaleValidationError(`column ${JSON.stringify(name)} of ${target.sql} ${problem}`, { issues: [{ path: ['columns', name], message: problem ?? '' }] })
}

function refuseStrayKeys(rows: readonly Row[], known: ReadonlySet<string>): void {
  for (const [index, row] of rows.entries()) {
    for (const key in row) {
      if (known.has(key)) continue
      const message = 'is not a key of the first row; name all columns in the option "columns"'
      throw new TimescaleValidationError(`row ${index}: ${JSON.stringify(key)} ${message}`, { issues: [{ path: [index, key], message }] })
    }
  }
}

/** Sends the rows; with an upsert the connection must be in a transaction. Returns how many rows were inserted or updated. */
export async function bulkInsert(connection: SqlConnection, insert: BulkInsert, options: CallOptions): Promise<number> {
  const upsert = insert.onConflict !== 'error'
  const data = encodeRows(insert.rows, insert.columns, upsert)
  const names = insert.columns.map((column) => quoteIdentifier(column.name)).join(', ')
  const copy = (table: string, columns: string): Promise<number> => connection.copyIn(`copy ${table} (${columns}) from stdin with (format ${data.format})`, data.chunks, options)
  try {
    if (!upsert) {
      refuseMissing(insert.target, insert.rows.length, await copy(insert.target.sql, names))
      return insert.rows.length
    }
    const merge = mergeStatement(insert, names)
    await prepareStage(connection, merge.stage, insert.columns, options)
    await copy(merge.stage, `${ORDINAL}, ${names}`)
    return (await connection.query(merge.sql, [], options)).rowCount
  } catch (error) {
    throw withRowIndex(error)
  }
}

/**
 * Sends rows that lie in columns. Returns how many, or null when they have to be given as rows; nothing was sent then.
 *
 * @param names of the table's columns to fill @default those of the batch
 */
export async function insertColumns(connection: SqlConnection, target: TargetTable, batch: ColumnBatch, names: readonly string[] | undefined, options: CallOptions): Promise<number | null> {
  const pairs = pairColumns(target, batch, names)
  const chunks = pairs && encodeColumns(batch, pairs)
  if (!chunks) return null
  const list = pairs.map((pair) => quoteIdentifier(pair.target.name)).join(', ')
  try {
    const stored = await connection.copyIn(`copy ${target.sql} (${list}) from stdin with (format binary)`, chunks, options)
    // The server has all of it; after a failure a socket may still be at work with them.
    freeChunks(chunks)
    refuseMissing(target, batch.rows, stored)
    return batch.rows
  } catch (error) {
    throw withRowIndex(error)
  }
}

/**
 * A trigger may take rows away without a word: they would count as stored.
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_ROWS_NOT_STORED`, which is no row's fault
 */
function refuseMissing({ sql }: TargetTable, sent: number, stored: number): void {
  if (stored >= sent) return
  const message = `${sql} refused none of ${sent} rows and has ${stored} of them: a trigger takes rows away, or writes them elsewhere (it returns null); drop it, disable it (alter table … disable trigger), or let it return the row`
  throw new TimescaleOperationError(message, { code: 'ERR_TIMESCALEDB_ROWS_NOT_STORED', retryable: true, context: { sent, stored } })
}

/** What the table or the batch lacks, or is named twice, is for rows to complain of. */
function pairColumns(target: TargetTable, { columns }: ColumnBatch, names: readonly string[] | undefined): ColumnPair[] | null {
  const byName = new Map(columns.map((values) => [values.name, values]))
  const chosen = new Set(names ?? byName.keys())
  if (chosen.size === 0 || chosen.size < (names ?? columns).length) return null
  const pairs: ColumnPair[] = []
  for (const name of chosen) {
    const values = byName.get(name)
    const column = target.columns.get(name)
    if (values === undefined || column === undefined) return null
    pairs.push({ values, target: column })
  }
  return pairs
}

/**
 * The staging table lives as long as the connection and is emptied at each commit, so that upserts don't fill the catalog.
 * Its name stands for its shape: a table that was altered gets another one.
 */
async function prepareStage(connection: SqlConnection, stage: string, columns: readonly TargetColumn[], options: CallOptions): Promise<void> {
  const definitions = columns.map((column) => `${quoteIdentifier(column.name)} ${column.sqlType}`)
  await connection.query(`create temp table if not exists ${stage} (${ORDINAL} int8, ${definitions.join(', ')}) on commit delete rows`, [], options)
  // An earlier call in the same transaction may have left its rows.
  await connection.query(`truncate ${stage}`, [], options)
}

/** Of rows with the same key the last one counts. */
function mergeStatement({ target, columns, onConflict }: BulkInsert, names: string): { stage: string; sql: string } {
  const shape = JSON.stringify([target.sql, columns.map((column) => [column.name, column.sqlType])])
  const stage = `pg_temp.${quoteIdentifier(`smart_whale_stage_${createHash('sha256').update(shape).digest('hex').slice(0, 16)}`)}`
  if (onConflict === 'ignore' || onConflict === 'error') {
    return { stage, sql: `insert into ${target.sql} (${names}) select ${names} from ${stage} order by ${ORDINAL} on conflict do nothing` }
  }
  const key = keyOf(target, onConflict.key, columns)
  if (onConflict.update.length === 0) throw new TimescaleValidationError('onConflict.update names no column; write "ignore" to keep stored rows', { issues: [{ path: ['onConflict', 'update'], message: 'must not be empty' }] })
  const changes = onConflict.update.map((name) => quoteIdentifier(writableColumn(target, name).name)).map((name) => `${name} = excluded.${name}`)
  const last = `select distinct on (${key}) ${names} from ${stage} order by ${key}, ${ORDINAL} desc`
  return { stage, sql: `insert into ${target.sql} (${names}) ${last} on conflict (${key}) do update set ${changes.join(', ')}` }
}

function keyOf(target: TargetTable, named: readonly string[] | undefined, columns: readonly TargetColumn[]): string {
  const key = named ?? target.primaryKey
  if (key.length === 0) {
    throw new TimescaleOperationError(`${target.sql} has no primary key; name the columns of a unique constraint in onConflict.key`, { code: 'ERR_TIMESCALEDB_INPUT', status: 400 })
  }
  const missing = key.find((name) => !columns.some((column) => column.name === name))
  if (missing !== undefined) throw new TimescaleValidationError(`the rows lack the key column "${missing}"`, { issues: [{ path: ['columns'], message: `must have "${missing}"` }] })
  return key.map((name) => quoteIdentifier(name)).join(', ')
}

/** The server counts the rows of a COPY: its complaint names the line. */
function withRowIndex(error: unknown): unknown {
  if (!(error instanceof TimescaleValidationError)) return error
  const { where } = (error.cause ?? {}) as { where?: string }
  const line = /^COPY .*?, line (\d+)/m.exec(where ?? '')?.[1]
  if (line === undefined) return error
  const index = Number(line) - 1
  const issues = error.issues.map((issue) => ({ path: [index, ...issue.path], message: issue.message }))
  return new TimescaleValidationError(`row ${index}: ${error.message}`, { code: error.code, status: error.status, cause: error.cause, context: { ...error.context, row: index }, issues })
}
