import { quoteText } from '../../migrations/topology.ts'
import { count, found, rowRule, size, tableOf } from '../rule.ts'

interface PartitionRow {
  database: string
  table: string
  partition_id: string
  parts: number
  rows: number
  throws_at: number
}

/** Partitions with more parts than merges keep up with. */
export const tooManyParts = rowRule<PartitionRow & Record<string, unknown>>({
  name: 'too-many-parts',
  summary: 'partitions with so many parts that inserts are slowed down, and refused soon',
  read: ({ ask, inScope, thresholds }) =>
    ask(
      `SELECT parts.database AS database, parts.table AS table, partition_id, count() AS parts, sum(rows) AS rows,
        any(if(match(engine_full, 'parts_to_throw_insert = [0-9]+'), toFloat64OrZero(extract(engine_full, 'parts_to_throw_insert = ([0-9]+)')), (SELECT toFloat64(value) FROM system.merge_tree_settings WHERE name = 'parts_to_throw_insert'))) AS throws_at
      FROM system.parts AS parts INNER JOIN system.tables AS tables ON tables.database = parts.database AND tables.name = parts.table
      WHERE active AND ${inScope('parts.database')} GROUP BY database, table, partition_id HAVING parts >= {least:UInt64} ORDER BY parts DESC LIMIT 100`,
      { least: thresholds.partsOfPartition },
    ),
  judge: (rows) =>
    rows.map((row) => {
      const share = Number(row.parts) / Number(row.throws_at)
      return found(
        share >= 0.5 ? 'critical' : 'warning',
        `${row.database}.${row.table}`,
        `partition ${row.partition_id} has ${count(row.parts)} parts of ${count(Number(row.rows) / Number(row.parts))} rows on average; at ${count(row.throws_at)} inserts are refused`,
        {
          figures: { parts: Number(row.parts), rows: Number(row.rows), throwsAt: Number(row.throws_at) },
          fixes: [{ sql: `OPTIMIZE TABLE ${tableOf(row)} PARTITION ID ${quoteText(row.partition_id)} FINAL`, caution: 'writes the whole partition anew' }],
          advice: 'send fewer, larger inserts (a thousand rows at least, better ten thousand), to few partitions each',
        },
      )
    }),
})

interface TablePartitionsRow {
  database: string
  table: string
  partition_key: string
  partitions: number
  rows: number
}

/** Tables cut into too many, too small partitions. */
export const overPartitioning = rowRule<TablePartitionsRow & Record<string, unknown>>({
  name: 'over-partitioning',
  summary: 'tables cut into so many partitions that parts stay small and are never merged',
  read: ({ ask, inScope, thresholds }) =>
    ask(
      `SELECT database, table, any(partition_key) AS partition_key, uniqExact(partition_id) AS partitions, sum(rows) AS rows
      FROM (SELECT parts.database AS database, parts.table AS table, tables.partition_key AS partition_key, partition_id, rows FROM system.parts AS parts
        INNER JOIN system.tables AS tables ON tables.database = parts.database AND tables.name = parts.table WHERE active AND ${inScope('parts.database')})
      GROUP BY database, table HAVING partitions >= {many:UInt64} OR (partitions >= {many:UInt64} / 10 AND rows / partitions < {small:UInt64}) ORDER BY partitions DESC LIMIT 100`,
      { many: thresholds.partitionsOfTable, small: thresholds.rowsOfPartition },
    ),
  judge: (rows, { partitionsOfTable }) =>
    rows.map((row) =>
      found(
        Number(row.partitions) >= partitionsOfTable ? 'warning' : 'advice',
        `${row.database}.${row.table}`,
        `PARTITION BY ${row.partition_key} makes ${count(row.partitions)} partitions of ${count(Number(row.rows) / Number(row.partitions))} rows on average; parts are never merged across them, and a query opens each`,
        {
          figures: { partitions: Number(row.partitions), rows: Number(row.rows) },
          advice: 'a partition is for dropping old data, not for finding rows: make the table anew with a coarser key (a month, say), copy by INSERT … SELECT, and EXCHANGE TABLES',
        },
      ),
    ),
})

interface DetachedRow {
  database: string
  table: string
  reason: string
  parts: number
  bytes: number
  names: string[]
}

/** Parts that lie beside their table, unread. */
export const detachedParts = rowRule<DetachedRow & Record<string, unknown>>({
  name: 'detached-parts',
  summary: 'parts beside their table: rows that no query sees, or leftovers that take space',
  read: ({ ask, inScope }) =>
    ask(
      `SELECT database, table, ifNull(reason, '') AS reason, count() AS parts, sum(bytes_on_disk) AS bytes, groupArray(50)(name) AS names
      FROM system.detached_parts WHERE ${inScope('database')} GROUP BY database, table, reason ORDER BY bytes DESC LIMIT 100`,
    ),
  judge: (rows) =>
    rows.map((row) => {
      const isBroken = /^broken|^unexpected|^noquorum/.test(row.reason)
      const byHand = row.reason === ''
      const word = byHand ? 'detached by hand' : `detached as "${row.reason}"`
      return found(isBroken ? 'critical' : 'warning', `${row.database}.${row.table}`, `${count(row.parts)} parts (${size(row.bytes)}) are ${word}; no query reads them`, {
        figures: { parts: Number(row.parts), bytes: Number(row.bytes), reason: row.reason },
        fixes: row.names.map((name) =>
          byHand
            ? { sql: `ALTER TABLE ${tableOf(row)} ATTACH PART ${quoteText(name)}`, caution: 'its rows are there again' }
            : { sql: `ALTER TABLE ${tableOf(row)} DROP DETACHED PART ${quoteText(name)} SETTINGS allow_drop_detached = 1`, caution: 'its rows are gone for good' },
        ),
        ...(isBroken ? { advice: 'look first whether another replica or a backup has these rows' } : {}),
      })
    }),
})
