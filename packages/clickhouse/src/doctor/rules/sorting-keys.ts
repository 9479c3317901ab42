import type { Row } from '@smart-whale/interfaces'
import { quoteName } from '../../adapter/table-columns.ts'
import { count, type DoctorRule, found, type Found, type Look, percent, rowRule, tableOf } from '../rule.ts'

interface NullableKeyRow {
  database: string
  table: string
  columns: string[]
}

/** Keys with columns that may be null. */
export const nullableKey = rowRule<NullableKeyRow & Row>({
  name: 'nullable-key',
  summary: 'sorting keys with columns that may be null, which the index serves badly',
  read: ({ ask, inScope }) => ask(`SELECT database, table, groupArray(name) AS columns FROM system.columns WHERE ${inScope('database')} AND is_in_sorting_key AND match(type, '^(LowCardinality\\\\()?Nullable') GROUP BY database, table LIMIT 100`),
  judge: (rows) =>
    rows.map((row) =>
      found('warning', `${row.database}.${row.table}`, `the sorting key has ${row.columns.join(', ')}, which may be null: each granule may then hold nulls, and the index can skip less`, {
        figures: { columns: row.columns.length },
        advice: "make the table anew with a default ('' or 0) in place of null, copy by INSERT … SELECT, and EXCHANGE TABLES",
      }),
    ),
})

interface KeyedTable extends Row {
  database: string
  table: string
  sorting_key: string
  total_rows: number
  definition: string
}

/** Plain columns of a key, in order; empty when one of them is an expression. */
function plainColumns(key: string): string[] {
  const columns = key.split(',').map((part) => part.trim().replace(/^`(.*)`$/, '$1'))
  return columns.every((column) => /^[\w ]+$/.test(column)) ? columns : []
}

interface Distinct {
  readonly column: string
  readonly values: number
}

/** Orders that begin with a column of which nearly every row has another value. */
export const highCardinalityFirst: DoctorRule = {
  name: 'high-cardinality-first',
  summary: 'sorting keys that begin with a nearly unique column, behind which the other columns help nobody',
  examine: async (look) => {
    const tables = await look.ask<KeyedTable>(
      `SELECT database, name AS table, sorting_key, total_rows, create_table_query AS definition FROM system.tables
      WHERE ${look.inScope('database')} AND engine LIKE '%MergeTree' AND total_rows >= {rows:UInt64} AND position(sorting_key, ',') > 0 ORDER BY total_bytes DESC LIMIT 50`,
      { rows: look.thresholds.rowsToLookAt },
    )
    const findings: Found[] = []
    for (const table of tables) {
      const columns = plainColumns(table.sorting_key)
      if (columns.length > 1) findings.push(...judgeOrder(table, await distinctValues(look, table, columns), look.thresholds.sampleRows))
    }
    return findings
  },
}

async function distinctValues(look: Look, table: KeyedTable, columns: readonly string[]): Promise<Distinct[]> {
  // From the whole table by chance, not from its beginning, where the key's first column has few values of course.
  const share = Math.min(1, look.thresholds.sampleRows / Number(table.total_rows))
  const [row = {}] = await look.ask<Row>(
    `SELECT ${columns.map((column, index) => `uniqCombined(${quoteName(column)}) AS v${index}`).join(', ')} FROM (SELECT ${columns.map(quoteName).join(', ')} FROM ${tableOf(table)} WHERE rand() % 1000000 < {share:UInt32} LIMIT {most:UInt64})`,
    { share: Math.ceil(share * 1_000_000), most: look.thresholds.sampleRows },
  )
  return columns.map((column, index) => ({ column, values: Number(row[`v${index}`]) }))
}

/** Judged by how many values a sample has. */
export function judgeOrder(table: { database: string; table: string; sorting_key: string; total_rows: number; definition: string }, distinct: readonly Distinct[], sampleRows: number): Found[] {
  const [first, ...others] = distinct
  const sampled = Math.min(sampleRows, Number(table.total_rows))
  const fewest = others.reduce((least, each) => (each.values < least.values ? each : least), others[0] ?? { column: '', values: Infinity })
  if (first === undefined || first.values < sampled / 2 || fewest.values * 20 > first.values) return []
  const better = [...distinct].sort((one, other) => one.values - other.values).map(({ column }) => quoteName(column))
  const shown = distinct.map(({ column, values }) => `${column} ${count(values)}`).join(', ')
  const [name, copy] = [tableOf(table), tableOf({ ...table, table: `${table.table}_reordered` })]
  return [
    found('warning', `${table.database}.${table.table}`, `ORDER BY ${table.sorting_key}: in a sample of ${count(sampled)} rows ${first.column} has ${percent(Math.min(1, first.values / sampled))} different values, so the columns behind it sort nothing (different values: ${shown}), and compress badly`, {
      figures: { sampled, ...Object.fromEntries(distinct.map(({ column, values }) => [column, values])) },
      fixes: [
        { sql: `CREATE TABLE ${copy} AS ${name} ENGINE = ${engineWithOrder(table.definition, better)}` },
        { sql: `INSERT INTO ${copy} SELECT * FROM ${name}`, caution: 'copies the table; inserts meanwhile are not in the copy' },
        { sql: `EXCHANGE TABLES ${name} AND ${copy}`, caution: 'only once inserts into the table have stopped and the copy was compared' },
      ],
      advice: 'few different values first, and first of all what questions filter by; smart-whale-clickhouse advise measures it on your own questions',
    }),
  ]
}

function engineWithOrder(definition: string, columns: readonly string[]): string {
  const engine = /ENGINE = (.*?)(?= COMMENT '|$)/s.exec(definition)?.[1] ?? 'MergeTree'
  return engine.replace(/ PRIMARY KEY (?:\([^)]*\)|\S+)/, '').replace(/ORDER BY (?:\([^)]*\)|\S+)/, `ORDER BY (${columns.join(', ')})`)
}
