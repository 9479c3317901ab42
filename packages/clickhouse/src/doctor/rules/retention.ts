import { quoteName } from '../../adapter/table-columns.ts'
import { count, found, rowRule, size, tableOf } from '../rule.ts'

interface GrowingRow {
  database: string
  table: string
  bytes: number
  rows: number
  time_columns: string[]
}

const TIMED = "SELECT database, table, groupArray(name) AS time_columns FROM (SELECT * FROM system.columns ORDER BY is_in_partition_key DESC, is_in_sorting_key DESC, position) WHERE match(type, '^(Date|DateTime)') AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') GROUP BY database, table"

const DELETES = 'rows older than that are deleted, at once and from then on'

/** Large tables that grow for ever. */
export const noRetention = rowRule<GrowingRow & Record<string, unknown>>({
  name: 'no-retention',
  summary: 'large tables with times in them that grow for ever: no TTL',
  read: ({ ask, inScope, thresholds }) =>
    ask(
      `SELECT tables.database AS database, tables.name AS table, total_bytes AS bytes, total_rows AS rows, time_columns
      FROM system.tables AS tables INNER JOIN (${TIMED}) AS timed ON timed.database = tables.database AND timed.table = tables.name
      WHERE ${inScope('tables.database')} AND engine LIKE '%MergeTree' AND total_bytes >= {large:UInt64} AND NOT match(engine_full, '\\\\bTTL\\\\b') ORDER BY total_bytes DESC LIMIT 100`,
      { large: thresholds.retentionBytes },
    ),
  judge: (rows) =>
    rows.map((row) => {
      const column = quoteName(row.time_columns[0] ?? '')
      return found('warning', `${row.database}.${row.table}`, `${size(row.bytes)} in ${count(row.rows)} rows, and nothing ever leaves: the table has no TTL`, {
        figures: { bytes: Number(row.bytes), rows: Number(row.rows) },
        fixes: [{ sql: `ALTER TABLE ${tableOf(row)} MODIFY TTL toDateTime(${column}) + INTERVAL 1 YEAR`, caution: `choose the age; ${DELETES}` }],
      })
    }),
})

interface SystemLogRow {
  table: string
  bytes: number
  rows: number
  oldest_days: number
}

/** The server's own logs, which grow for ever unless told otherwise. */
export const systemLogs = rowRule<SystemLogRow & Record<string, unknown>>({
  name: 'system-log-ttl',
  summary: "the server's own logs without a TTL: the usual reason for a disk that fills up by itself",
  read: ({ ask, thresholds }) =>
    ask(
      `SELECT tables.name AS table, tables.total_bytes AS bytes, tables.total_rows AS rows, ifNull(age, 0) AS oldest_days FROM system.tables AS tables
      LEFT JOIN (SELECT table, toUInt32(dateDiff('day', min(if(min_time > 0, toDate(min_time), min_date)), today())) AS age FROM system.parts WHERE database = 'system' AND active GROUP BY table) AS parts ON parts.table = tables.name
      WHERE database = 'system' AND engine LIKE '%MergeTree' AND match(name, '_log(_\\\\d+)?$') AND total_bytes >= {large:UInt64} AND NOT match(engine_full, '\\\\bTTL\\\\b') ORDER BY total_bytes DESC`,
      { large: thresholds.systemLogBytes },
    ),
  judge: (rows) =>
    rows.map((row) => {
      const isOld = /_\d+$/.test(row.table)
      const name = `system.${quoteName(row.table)}`
      return found('warning', `system.${row.table}`, isOld ? `${size(row.bytes)} of a log that an earlier version wrote; nothing reads or writes it any more` : `${size(row.bytes)} in ${count(row.rows)} rows, and nothing ever leaves: the log has no TTL`, {
        figures: { bytes: Number(row.bytes), rows: Number(row.rows) },
        fixes: [isOld ? { sql: `DROP TABLE ${name}`, caution: 'the old log is gone' } : { sql: `ALTER TABLE ${name} MODIFY TTL event_date + INTERVAL 30 DAY`, caution: DELETES }],
        ...(isOld ? {} : { advice: `so that it stays after an upgrade, set <${row.table}><ttl>event_date + INTERVAL 30 DAY</ttl></${row.table}> in the server's configuration as well` }),
      })
    }),
})
