import type { CallOptions, ComparedColumn, Row, SliceSource, StoredRows } from '@smart-whale/interfaces'
import { quoteIdentifier, quoteTable, splitTable } from '../quote-identifier.ts'

/** How rows are looked up. */
export interface StoredRowsOptions {
  /** How long one lookup may take, in milliseconds. @default 60000 */
  timeoutMs?: number | undefined
}

/** What is needed of a storage. */
export interface StoredRowsStorage {
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
}

/**
 * Partition and offset as one number, which the index keeps as a few ranges for each block of the table: the partitions of a topic lie
 * interleaved. Offsets from 2^48 on begin anew there.
 */
const PLACE = '(((source_partition & 16383)::bigint << 48) | (source_offset & 281474976710655))'
const LARGEST_PLACED_OFFSET = 2n ** 48n - 1n

/**
 * The statement that makes a table's index on where its rows came from; repeatable. A BRIN index: it costs an insert next to nothing and
 * some kilobytes a million rows. Vacuum keeps it up to date: what came since is read by a lookup.
 */
export function sourceIndexDefinition(table: string): string {
  const name = quoteIdentifier(`${splitTable(table).name.slice(0, 40)}_source_offset`)
  return `create index if not exists ${name} on ${quoteTable(table)} using brin (source_offset, (${PLACE}) int8_minmax_multi_ops) with (pages_per_range = 32)`
}

/** The largest stored offset that is not below the first; null when there is none. Quick where the table has the index of {@link sourceIndexDefinition}. */
export async function lastStoredOffset(storage: StoredRowsStorage, table: string, { topic, partition, firstOffset }: Omit<SliceSource, 'lastOffset'>, options: CallOptions): Promise<bigint | null> {
  const largest = (condition: string): string => `(select max(source_offset) from ${quoteTable(table)} where source_topic = $1 and source_partition = $2 and source_offset >= $3 and ${condition})`
  const place = (offset: string): string => `((($2::int & 16383)::bigint << 48) | ${offset})`
  const placed = firstOffset > LARGEST_PLACED_OFFSET ? 'null' : largest(`${PLACE} between ${place('$3::bigint')} and ${place(String(LARGEST_PLACED_OFFSET))}`)
  const [row] = await storage.execute<Row & { offset: bigint | null }>(`select greatest(${placed}, ${largest(`source_offset > ${LARGEST_PLACED_OFFSET}`)}) as "offset"`, [topic, partition, firstOffset], options)
  return row === undefined || row.offset === null ? null : BigInt(row.offset)
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
