import type { CallOptions, Row, SliceSource } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'

/**
 * Whether a table still knows the token under which it has the rows of an offset range. Each insert takes a block number at least, so the
 * numbers since then bound how many tokens came after it. Told only by a plain MergeTree that keeps the number with each row
 * (`enable_block_number_column`, as `createTable` sets it); any other is taken to know it, and so is one whose rows are all gone.
 */
export async function wouldDropRepeat(adapter: ClickHouseAdapter, table: string, { topic, partition, firstOffset, lastOffset }: SliceSource, call: CallOptions): Promise<boolean> {
  const [database, name] = splitTableName(table, adapter.database)
  const { rows: tables } = await adapter.execute<Row & { definition: string }>(
    `SELECT create_table_query AS definition FROM system.tables WHERE database = {database:String} AND name = {name:String} AND engine NOT LIKE 'Replicated%' AND engine NOT LIKE 'Shared%'`,
    { database, name },
    call,
  )
  const definition = tables[0]?.definition ?? ''
  const window = Number(/non_replicated_deduplication_window\s*=\s*(\d+)/.exec(definition)?.[1] ?? Number.NaN)
  if (Number.isNaN(window) || !/enable_block_number_column\s*=\s*(?:1|true)/.test(definition)) return true
  const { rows } = await adapter.execute<Row & { since: bigint | null }>(
    `SELECT toInt64((SELECT max(max_block_number) FROM system.parts WHERE database = {database:String} AND table = {name:String} AND active)) - toInt64(minOrNull(_block_number)) AS since
     FROM ${quoteTableName(table)} WHERE source_topic = {topic:String} AND source_partition = {partition:Int32} AND source_offset BETWEEN {first:Int64} AND {last:Int64}`,
    { database, name, topic, partition, first: firstOffset, last: lastOffset },
    call,
  )
  return Number(rows[0]?.since ?? 0n) < window
}
