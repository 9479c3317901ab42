import type { Row } from '@smart-whale/interfaces'
import { DEFAULT_DEDUPLICATION_WINDOW } from '../../storage/create-table.ts'
import { shapeOf } from '../../migrations/table-shape.ts'
import { splitTableName } from '../../adapter/table-columns.ts'
import { count, type DoctorRule, found, type Found, rowRule, tableOf } from '../rule.ts'

interface IngestRow extends Row {
  database: string
  table: string
  engine: string
  definition: string
  is_ingest: number
}

const WINDOW = /non_replicated_deduplication_window = (\d+)/

/** Tables of the ingest path, and what views feed from them, that keep a repeated batch twice. */
export const deduplicationOff: DoctorRule = {
  name: 'deduplication-off',
  summary: 'tables of the ingest path, and those that their views feed, that would keep a repeated batch twice',
  examine: async ({ ask, inScope }) =>
    judgeDeduplication(
      await ask<IngestRow>(
        `SELECT database, name AS table, engine, create_table_query AS definition,
          (database, name) IN (SELECT database, table FROM system.columns WHERE name IN ('source_topic', 'source_partition', 'source_offset') GROUP BY database, table HAVING count() = 3) AS is_ingest
        FROM system.tables WHERE ${inScope('database')} AND (engine LIKE '%MergeTree' OR engine = 'MaterializedView')`,
      ),
    ),
}

/** Judged by the tables' definitions. */
export function judgeDeduplication(rows: readonly IngestRow[]): Found[] {
  const byName = new Map(rows.map((row) => [`${row.database}.${row.table}`, row]))
  const fed = new Map<string, string>()
  for (const view of rows.filter(({ engine }) => engine === 'MaterializedView')) {
    const { query, target } = shapeOf(view.definition)
    const source = [...byName.keys()].find((name) => byName.get(name)?.is_ingest === 1 && query !== null && namesTable(query, name))
    if (source !== undefined && target !== null) fed.set(splitTableName(target, view.database).join('.'), source)
  }
  return rows.flatMap((row) => {
    const name = `${row.database}.${row.table}`
    if (!(Number(row.is_ingest) === 1 || fed.has(name)) || !/^(?!Replicated|Shared).*MergeTree$/.test(row.engine)) return []
    if (Number(WINDOW.exec(row.definition)?.[1] ?? 0) > 0) return []
    const why = fed.has(name) ? `a view feeds it from ${fed.get(name)}` : 'it is written by ingest, which sends a batch again when it does not know what became of it'
    return [
      found('critical', name, `non_replicated_deduplication_window is 0: the table takes no notice of tokens, and ${why}; a repeated batch would be there twice`, {
        figures: { window: 0 },
        fixes: [{ sql: `ALTER TABLE ${tableOf(row)} MODIFY SETTING non_replicated_deduplication_window = ${DEFAULT_DEDUPLICATION_WINDOW}` }],
      }),
    ]
  })
}

function namesTable(query: string, name: string): boolean {
  return query.replaceAll('`', '').split(/[\s(),]+/).includes(name)
}

interface SmallInsertsRow extends Row {
  tables: string[]
  inserts: number
  rows: number
}

/** Inserts that are too small. */
export const smallInserts = rowRule<SmallInsertsRow>({
  name: 'small-inserts',
  summary: 'tables that get many small inserts: each becomes a part that has to be merged',
  read: ({ ask, inScope, thresholds }) =>
    ask(
      `SELECT arraySort(tables) AS tables, count() AS inserts, sum(written_rows) AS rows FROM system.query_log
      WHERE event_date >= today() - 1 AND event_time >= now() - INTERVAL 1 DAY AND type = 'QueryFinish' AND query_kind = 'Insert' AND NOT startsWith(query_id, 'migration-')
        AND length(tables) > 0 AND ${inScope("splitByChar('.', tables[1])[1]")} AND Settings['async_insert'] != '1'
      GROUP BY tables HAVING inserts >= 1000 AND rows / inserts < {small:UInt64} ORDER BY inserts DESC LIMIT 50`,
      { small: thresholds.rowsOfInsert },
    ),
  judge: (rows) =>
    rows.map((row) =>
      found('warning', row.tables[0] ?? '', `${count(row.inserts)} inserts in a day, of ${count(Number(row.rows) / Number(row.inserts))} rows on average; each makes a part that is merged again and again`, {
        figures: { inserts: Number(row.inserts), rows: Number(row.rows) },
        advice: 'gather rows before you send them (createStreamProcessor does), or let the server gather them: SETTINGS async_insert = 1, wait_for_async_insert = 1',
      }),
    ),
})
