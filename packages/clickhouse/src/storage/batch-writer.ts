import { type Batch, type BatchReceipt, ConfigurationError, type RecoverableBatchWriter, type RefusedRow, type Row, type SliceSource, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, remembersTokens, splitTableName } from '../adapter/table-columns.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { DEFAULT_DEDUPLICATION_WINDOW } from './create-table.ts'
import { findRefusedRows } from './find-refused-rows.ts'

/** How batches are written. */
export interface BatchWriterOptions {
  /** How long one write may take, in milliseconds. @default 30000 */
  timeoutMs?: number | undefined
}

/**
 * Writes batches into one table under their tokens. Before the first one it checks that the table remembers tokens at all.
 *
 * `storedOffsets` reads the columns `source_topic`, `source_partition` and `source_offset`.
 * @throws ConfigurationError `ERR_CLICKHOUSE_NO_DEDUPLICATION`, from `write`, when the table would not drop a repeat
 */
export function createBatchWriter<R extends Row>(adapter: ClickHouseAdapter, table: string, options: BatchWriterOptions = {}): RecoverableBatchWriter<R> {
  const { timeoutMs = 30_000 } = options
  let checked: Promise<void> | null = null
  // Asked for once for all writes: the abort of one of them doesn't end it for the others.
  const check = (): Promise<void> => {
    checked ??= checkDeduplicates(adapter, table).catch((error: unknown) => {
      checked = null
      throw error
    })
    return checked
  }
  return {
    write: async ({ rows, token }: Batch<R>, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<BatchReceipt> => {
      if (token === '') throw new ValidationError('a batch needs a token', { issues: [{ path: ['token'], message: 'must not be empty' }] })
      await check()
      const { rows: written } = await adapter.insert(table, rows, { token, signal, timeoutMs })
      return { rows: written }
    },
    findRefused: (rows: readonly R[], { signal }: { signal?: AbortSignal | undefined } = {}): Promise<readonly RefusedRow[]> => findRefusedRows(adapter, table, rows, { signal, timeoutMs }),
    storedOffsets: async ({ topic, partition, firstOffset, lastOffset }: SliceSource, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<readonly bigint[]> => {
      const { rows } = await adapter.execute<Row & { offset: bigint }>(
        `SELECT toInt64(source_offset) AS offset FROM ${quoteTableName(table)} WHERE source_topic = {topic:String} AND source_partition = {partition:Int32} AND source_offset BETWEEN {first:Int64} AND {last:Int64} ORDER BY offset`,
        { topic, partition, first: firstOffset, last: lastOffset },
        { signal, timeoutMs },
      )
      return rows.map(({ offset }) => offset)
    },
    feedsViews: async ({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<boolean> => {
      const [database, name] = splitTableName(table, adapter.database)
      const { rows } = await adapter.execute('SELECT name FROM system.tables WHERE database = {database:String} AND name = {name:String} AND notEmpty(dependencies_table)', { database, name }, { signal, timeoutMs })
      return rows.length > 0
    },
  }
}

/** A plain MergeTree ignores tokens unless a window is set; a replicated one has a window by itself. */
async function checkDeduplicates(adapter: ClickHouseAdapter, table: string): Promise<void> {
  const [database, name] = splitTableName(table, adapter.database)
  const { rows } = await adapter.execute<Row & { engine: string; definition: string }>(
    'SELECT engine, create_table_query AS definition FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database, name },
  )
  const [found] = rows
  if (found === undefined) throw notReady(table, 'it does not exist, or this user may not see it: create it first')
  if (remembersTokens(found.engine, found.definition)) return
  if (!found.engine.endsWith('MergeTree')) throw notReady(table, `its engine is ${found.engine}, which keeps no tokens: use a MergeTree`)
  throw notReady(table, `run ALTER TABLE ${quoteTableName(table)} MODIFY SETTING non_replicated_deduplication_window = ${DEFAULT_DEDUPLICATION_WINDOW}`)
}

function notReady(table: string, remedy: string): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(`table "${table}" would store a repeated batch twice: ${remedy}`, { code: 'ERR_CLICKHOUSE_NO_DEDUPLICATION', context: { table } })
}
