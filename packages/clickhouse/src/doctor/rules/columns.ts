import type { Row } from '@smart-whale/interfaces'
import { quoteName } from '../../adapter/table-columns.ts'
import { count, type DoctorRule, found, type Found, type Look, size, tableOf } from '../rule.ts'

interface ColumnRow extends Row {
  database: string
  table: string
  name: string
  type: string
  bytes: number
  rows: number
}

/** Columns of one table at a time are read together; more would cost much memory. */
const MOST_COLUMNS = 100

async function columnsOfType(look: Look, pattern: string, more = ''): Promise<Map<string, ColumnRow[]>> {
  const rows = await look.ask<ColumnRow>(
    `SELECT columns.database AS database, columns.table AS table, columns.name AS name, type, data_compressed_bytes AS bytes, total_rows AS rows FROM system.columns AS columns
    INNER JOIN system.tables AS tables ON tables.database = columns.database AND tables.name = columns.table
    WHERE ${look.inScope('columns.database')} AND engine LIKE '%MergeTree' AND total_rows >= {rows:UInt64} AND match(type, {pattern:String}) AND default_kind NOT IN ('ALIAS', 'EPHEMERAL')
      AND NOT is_in_sorting_key AND NOT is_in_partition_key ${more} ORDER BY data_compressed_bytes DESC LIMIT 500`,
    { rows: look.thresholds.rowsToLookAt, pattern },
  )
  const byTable = new Map<string, ColumnRow[]>()
  for (const row of rows) {
    const key = tableOf(row)
    const columns = byTable.get(key) ?? []
    if (columns.length < MOST_COLUMNS) byTable.set(key, [...columns, row])
  }
  return byTable
}

/** One number of each column, over the first rows of the table. */
async function measure(look: Look, table: string, columns: readonly ColumnRow[], expression: (quoted: string) => string): Promise<{ sampled: number; values: number[] }> {
  const [row = {}] = await look.ask<Row>(
    `SELECT count() AS sampled, ${columns.map(({ name }, index) => `${expression(quoteName(name))} AS v${index}`).join(', ')} FROM (SELECT ${columns.map(({ name }) => quoteName(name)).join(', ')} FROM ${table} LIMIT {rows:UInt64})`,
    { rows: look.thresholds.sampleRows },
  )
  return { sampled: Number(row.sampled), values: columns.map((_column, index) => Number(row[`v${index}`])) }
}

/** Columns that may be null and never are. */
export const needlessNullable: DoctorRule = {
  name: 'needless-nullable',
  summary: 'columns that may be null and never are: each carries a second column of marks',
  examine: async (look) => {
    const findings: Found[] = []
    for (const [table, columns] of await columnsOfType(look, '^(LowCardinality\\()?Nullable\\(')) {
      const { sampled, values } = await measure(look, table, columns, (column) => `countIf(${column} IS NULL)`)
      for (const [index, column] of columns.entries()) {
        if (values[index] !== 0) continue
        const type = column.type.replace(/Nullable\((.*?)\)(\)?)$/, '$1$2')
        findings.push(
          found('advice', `${column.database}.${column.table}.${column.name}`, `${column.type}, and not one null in ${count(sampled)} rows; the marks cost space and time in every query that reads the column`, {
            figures: { sampled, nulls: 0, bytes: Number(column.bytes) },
            fixes: [{ sql: `ALTER TABLE ${table} MODIFY COLUMN ${quoteName(column.name)} ${type} DEFAULT defaultValueOfTypeName('${type}')`, caution: 'writes the column anew; a null, should there be one after all, becomes the default' }],
          }),
        )
      }
    }
    return findings
  },
}

/** Texts that repeat. */
export const lowCardinality: DoctorRule = {
  name: 'low-cardinality',
  summary: 'texts with few different values that are not LowCardinality',
  examine: async (look) => {
    const findings: Found[] = []
    for (const [table, columns] of await columnsOfType(look, '^(Nullable\\()?String')) {
      const { sampled, values } = await measure(look, table, columns, (column) => `uniqCombined(${column})`)
      for (const [index, column] of columns.entries()) {
        const different = values[index] ?? Infinity
        if (different > look.thresholds.lowCardinalityValues || different * 20 > sampled) continue
        findings.push(
          found('advice', `${column.database}.${column.table}.${column.name}`, `${count(different)} different texts in ${count(sampled)} rows (${size(column.bytes)} on disk); as LowCardinality each row holds a number, which is smaller, and faster to filter and group by`, {
            figures: { sampled, different, bytes: Number(column.bytes) },
            fixes: [{ sql: `ALTER TABLE ${table} MODIFY COLUMN ${quoteName(column.name)} LowCardinality(${column.type})`, caution: 'writes the column anew' }],
          }),
        )
      }
    }
    return findings
  },
}
