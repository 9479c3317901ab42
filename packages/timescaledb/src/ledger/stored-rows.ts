import type { CallOptions, ComparedColumn, Row, StoredRows } from '@smart-whale/interfaces'
import { quoteIdentifier, quoteTable } from '../quote-identifier.ts'

/** How rows are looked up. */
export interface StoredRowsOptions {
  /** How long one lookup may take, in milliseconds. @default 60000 */
  timeoutMs?: number | undefined
}

/** What is needed of a storage. */
export interface StoredRowsStorage {
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
}

const RANGE = 'source_topic = $1 and source_partition = $2 and source_offset between $3 and $4'

/** Looks up what a table of the ingest path holds, by where its rows came from. Reads alone. */
export function createStoredRows(storage: StoredRowsStorage, table: string, { timeoutMs = 60_000 }: StoredRowsOptions = {}): StoredRows {
  const quoted = quoteTable(table)
  return {
    storedOffsets: async ({ topic, partition, firstOffset, lastOffset }, options) => {
      const sql = `select source_offset as "offset" from ${quoted} where ${RANGE} order by source_offset`
      const rows = await storage.execute<Row & { offset: bigint }>(sql, [topic, partition, firstOffset, lastOffset], { timeoutMs, ...options })
      return rows.map(({ offset }) => BigInt(offset))
    },
    storedPartitions: async (topic, options) => {
      const sql = `select source_partition as "partition", count(*) as rows, min(source_offset) as first, max(source_offset) as last from ${quoted} where source_topic = $1 group by source_partition order by source_partition`
      const rows = await storage.execute<Row & { partition: number; rows: bigint; first: bigint; last: bigint }>(sql, [topic], { timeoutMs, ...options })
      return rows.map((row) => ({ partition: row.partition, rows: BigInt(row.rows), firstOffset: BigInt(row.first), lastOffset: BigInt(row.last) }))
    },
    readStored: async ({ topic, partition, firstOffset, lastOffset }, columns, options) => {
      const texts = columns.map((column, index) => `${textOf(column)} as c${index}`)
      const sql = `select ${['source_offset as "offset"', ...texts].join(', ')} from ${quoted} where ${RANGE} order by source_offset`
      const rows = await storage.execute<Row & { offset: bigint }>(sql, [topic, partition, firstOffset, lastOffset], { timeoutMs, ...options })
      return rows.map((row) => ({ offset: BigInt(row.offset), values: columns.map((_column, index) => row[`c${index}`] as string | null) }))
    },
  }
}

function textOf({ name, kind }: ComparedColumn): string {
  const column = quoteIdentifier(name)
  return kind === 'timestamp' ? `round(extract(epoch from ${column}) * 1000)::bigint::text` : `${column}::text`
}
