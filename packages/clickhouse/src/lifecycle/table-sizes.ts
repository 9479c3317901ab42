import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ColumnSize, TableSize } from './lifecycle-options.ts'

/** How large the tables of a database are, or one of them; largest first. */
export async function tableSizes(adapter: ClickHouseAdapter, database: string, name: string | null, call: CallOptions): Promise<TableSize[]> {
  const { rows } = await adapter.execute<Row & Omit<TableSize, 'compressionRatio' | 'parts' | 'partitions'> & { parts: bigint; partitions: bigint }>(
    `SELECT t.database AS database, t.name AS table, t.engine AS engine, p.rows AS rows, p.bytesOnDisk AS bytesOnDisk, p.compressed AS compressedBytes,
       p.uncompressed AS uncompressedBytes, p.parts AS parts, p.partitions AS partitions,
       if(p.parts = 0, NULL, p.oldest) AS oldestPartition, if(p.parts = 0, NULL, p.newest) AS newestPartition
     FROM system.tables AS t LEFT JOIN (
       SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytesOnDisk, sum(data_compressed_bytes) AS compressed, sum(data_uncompressed_bytes) AS uncompressed,
         count() AS parts, uniqExact(partition_id) AS partitions, min(partition) AS oldest, max(partition) AS newest
       FROM system.parts WHERE active AND database = {database:String} GROUP BY table
     ) AS p ON p.table = t.name
     WHERE t.database = {database:String} AND t.engine LIKE '%MergeTree' AND ({name:String} = '' OR t.name = {name:String})
     ORDER BY bytesOnDisk DESC, table`,
    { database, name: name ?? '' },
    call,
  )
  return rows.map((row) => ({ ...row, parts: Number(row.parts), partitions: Number(row.partitions), compressionRatio: ratioOf(row.uncompressedBytes, row.compressedBytes) }))
}

/** How large the columns of a table are; largest first. */
export async function columnSizes(adapter: ClickHouseAdapter, { database, name }: { readonly database: string; readonly name: string }, call: CallOptions): Promise<ColumnSize[]> {
  const { rows } = await adapter.execute<Row & ColumnSize>(
    `SELECT name, type, compression_codec AS codec, data_compressed_bytes AS compressedBytes, data_uncompressed_bytes AS uncompressedBytes
     FROM system.columns WHERE database = {database:String} AND table = {name:String} ORDER BY compressedBytes DESC, position`,
    { database, name },
    call,
  )
  return rows
}

/** Uncompressed by compressed, to two places; 0 for nothing. */
export function ratioOf(uncompressed: bigint, compressed: bigint): number {
  return compressed === 0n ? 0 : Math.round((Number(uncompressed) / Number(compressed)) * 100) / 100
}
