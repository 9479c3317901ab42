import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { type KeptTable, requireKeptTable, requirePartitionId } from './kept-table.ts'
import type { OptimizeOptions, OptimizeReport } from './lifecycle-options.ts'

/** Merges parts now, and tells what that did. */
export async function optimizeTable(adapter: ClickHouseAdapter, name: string, options: OptimizeOptions, call: CallOptions): Promise<OptimizeReport> {
  const table = await requireKeptTable(adapter, name, call)
  const partition = options.partition === undefined ? null : await requirePartitionId(adapter, table, options.partition, call)
  const before = await partsOf(adapter, table, call)
  await adapter.execute(optimizeStatement(table, partition, options), {}, call)
  const after = await partsOf(adapter, table, call)
  return {
    table: name,
    partsBefore: Number(before.parts),
    partsAfter: Number(after.parts),
    bytesBefore: before.bytes,
    bytesAfter: after.bytes,
    rowsBefore: before.rows,
    rowsAfter: after.rows,
  }
}

function optimizeStatement(table: KeptTable, partition: string | null, { final, deduplicate }: OptimizeOptions): string {
  const words = [`OPTIMIZE TABLE ${table.quoted}`]
  if (partition !== null) words.push(`PARTITION ID '${partition}'`)
  if (final === true) words.push('FINAL')
  if (deduplicate === true) words.push('DEDUPLICATE')
  if (Array.isArray(deduplicate)) words.push(`DEDUPLICATE BY ${deduplicate.map((column) => quoteName(String(column))).join(', ')}`)
  return words.join(' ')
}

async function partsOf(adapter: ClickHouseAdapter, { database, name }: KeptTable, call: CallOptions): Promise<{ readonly parts: bigint; readonly bytes: bigint; readonly rows: bigint }> {
  const { rows } = await adapter.execute<Row & { parts: bigint; bytes: bigint; rows: bigint }>(
    'SELECT count() AS parts, sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE active AND database = {database:String} AND table = {name:String}',
    { database, name },
    call,
  )
  return rows[0] ?? { parts: 0n, bytes: 0n, rows: 0n }
}
