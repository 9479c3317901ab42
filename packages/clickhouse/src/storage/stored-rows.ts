import type { ComparedColumn, Row, StoredRows } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName, quoteTableName } from '../adapter/table-columns.ts'

/** How rows are looked up. */
export interface StoredRowsOptions {
  /** How long one lookup may take, in milliseconds. @default 60000 */
  timeoutMs?: number | undefined
}

const RANGE = 'source_topic = {topic:String} AND source_partition = {partition:Int32} AND source_offset BETWEEN {first:Int64} AND {last:Int64}'

/** Looks up what a table of the ingest path holds, by where its rows came from. Reads alone. */
export function createStoredRows(adapter: ClickHouseAdapter, table: string, { timeoutMs = 60_000 }: StoredRowsOptions = {}): StoredRows {
  const quoted = quoteTableName(table)
  return {
    storedOffsets: async ({ topic, partition, firstOffset: first, lastOffset: last }, options) => {
      const sql = `SELECT toInt64(source_offset) AS offset FROM ${quoted} WHERE ${RANGE} ORDER BY offset`
      const { rows } = await adapter.execute<Row & { offset: bigint }>(sql, { topic, partition, first, last }, { timeoutMs, ...options })
      return rows.map(({ offset }) => offset)
    },
    storedPartitions: async (topic, options) => {
      const sql = `SELECT source_partition AS partition, count() AS rows, min(toInt64(source_offset)) AS firstOffset, max(toInt64(source_offset)) AS lastOffset FROM ${quoted} WHERE source_topic = {topic:String} GROUP BY partition ORDER BY partition`
      const { rows } = await adapter.execute<Row & { partition: number; rows: bigint; firstOffset: bigint; lastOffset: bigint }>(sql, { topic }, { timeoutMs, ...options })
      return rows.map((row) => ({ ...row, partition: Number(row.partition) }))
    },
    readStored: async ({ topic, partition, firstOffset: first, lastOffset: last }, columns, options) => {
      const texts = columns.map((column, index) => `${textOf(column)} AS c${index}`)
      const sql = `SELECT ${['toInt64(source_offset) AS offset', ...texts].join(', ')} FROM ${quoted} WHERE ${RANGE} ORDER BY offset`
      const { rows } = await adapter.execute<Row & { offset: bigint }>(sql, { topic, partition, first, last }, { timeoutMs, ...options })
      return rows.map((row) => ({ offset: row.offset, values: columns.map((_column, index) => row[`c${index}`] as string | null) }))
    },
  }
}

function textOf({ name, kind }: ComparedColumn): string {
  return kind === 'timestamp' ? `toString(toUnixTimestamp64Milli(${quoteName(name)}))` : `toString(${quoteName(name)})`
}
