import type { Row, SliceSource, TurnBatchWriter } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'
import { expiryOf } from './expiry-of.ts'
import { wouldDropRepeat } from './would-drop-repeat.ts'

interface Call {
  signal?: AbortSignal | undefined
}

/** What has to be known of the rows that a table has, or had, before a slice is sent again. */
export type StoredSlices<R extends Row> = Required<Pick<TurnBatchWriter<R>, 'storedOffsets' | 'lastStored' | 'feedsViews' | 'wouldDropRepeat' | 'expiredAmong'>>

/** Asks the table by the columns that say where a row came from. */
export function storedSlices<R extends Row>(adapter: ClickHouseAdapter, table: string, timeoutMs: number): StoredSlices<R> {
  const quoted = quoteTableName(table)
  return {
    storedOffsets: async ({ topic, partition, firstOffset, lastOffset }: SliceSource, { signal }: Call = {}): Promise<readonly bigint[]> => {
      const { rows } = await adapter.execute<Row & { offset: bigint }>(
        `SELECT toInt64(source_offset) AS offset FROM ${quoted} WHERE source_topic = {topic:String} AND source_partition = {partition:Int32} AND source_offset BETWEEN {first:Int64} AND {last:Int64} ORDER BY offset`,
        { topic, partition, first: firstOffset, last: lastOffset },
        { signal, timeoutMs },
      )
      return rows.map(({ offset }) => offset)
    },
    lastStored: async ({ topic, partition, firstOffset }: Omit<SliceSource, 'lastOffset'>, { signal }: Call = {}): Promise<bigint | null> => {
      const { rows } = await adapter.execute<Row & { offset: bigint | null }>(
        `SELECT maxOrNull(toInt64(source_offset)) AS offset FROM ${quoted} WHERE source_topic = {topic:String} AND source_partition = {partition:Int32} AND source_offset >= {first:Int64}`,
        { topic, partition, first: firstOffset },
        { signal, timeoutMs },
      )
      return rows[0]?.offset ?? null
    },
    feedsViews: async ({ signal }: Call = {}): Promise<boolean> => {
      const [database, name] = splitTableName(table, adapter.database)
      const { rows } = await adapter.execute('SELECT name FROM system.tables WHERE database = {database:String} AND name = {name:String} AND notEmpty(dependencies_table)', { database, name }, { signal, timeoutMs })
      return rows.length > 0
    },
    wouldDropRepeat: (source: SliceSource, { signal }: Call = {}): Promise<boolean> => wouldDropRepeat(adapter, table, source, { signal, timeoutMs }),
    expiredAmong: async (rows: readonly R[], { signal }: Call = {}): Promise<readonly number[]> => {
      const isExpired = await expiryOf(adapter, table, { signal, timeoutMs })
      return rows.flatMap((row, index) => (isExpired(row) ? [index] : []))
    },
  }
}
