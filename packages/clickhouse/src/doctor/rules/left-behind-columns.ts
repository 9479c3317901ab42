import type { Row } from '@smart-whale/interfaces'
import { quoteName } from '../../adapter/table-columns.ts'
import { count, found, type Look, rowRule, tableOf } from '../rule.ts'

interface LeftBehindRow extends Row {
  database: string
  table: string
  column: string
  /** As a part of the table has it. */
  type: string
  parts: number
  rows: number
  /** Of mutations that aren't done. */
  commands: string[]
  /** What the failing ones of these fail by. */
  failures: string[]
}

/**
 * Patch parts have columns of their own, and some columns that no table names are kept by the server itself. A user may not be shown all columns of a table: one
 * that its definition names is there all the same.
 */
const leftBehind = (look: Look): string => `SELECT parts.database AS database, parts.table AS table, column, argMax(parts.type, modification_time) AS type, count() AS parts, sum(rows) AS rows,
    any(unfinished.commands) AS commands, any(unfinished.failures) AS failures
  FROM system.parts_columns AS parts
  INNER JOIN system.tables AS tables ON tables.database = parts.database AND tables.name = parts.table
  LEFT JOIN (SELECT database, table, groupArray(command) AS commands, groupArrayIf(latest_fail_reason, latest_fail_reason != '') AS failures FROM system.mutations WHERE NOT is_done AND NOT is_killed GROUP BY database, table) AS unfinished
    ON unfinished.database = parts.database AND unfinished.table = parts.table
  WHERE active AND ${look.inScope('parts.database')} AND NOT startsWith(parts.name, 'patch-') AND column NOT IN ('_row_exists', '_block_number', '_block_offset')
    AND (parts.database, parts.table, column) NOT IN (SELECT database, table, name FROM system.columns) AND position(create_table_query, concat('\`', column, '\`')) = 0
  GROUP BY database, table, column ORDER BY database, table, column LIMIT 100`

/** Columns that parts have and their table hasn't: those that were dropped while an insert ran. Mutations of such parts fail for ever. */
export const leftBehindColumns = rowRule<LeftBehindRow>({
  name: 'left-behind-columns',
  summary: 'parts with a column that was dropped while an insert ran: mutations of them fail for ever',
  read: async (look) => {
    const before = await look.ask<LeftBehindRow>(leftBehind(look))
    if (before.length === 0) return []
    // Parts and columns are read one after the other: what was added or dropped meanwhile is found once, and not again.
    const known = new Set(before.map(keyOf))
    return (await look.ask<LeftBehindRow>(leftBehind(look))).filter((row) => known.has(keyOf(row)))
  },
  judge: (rows) =>
    rows
      .filter(({ column, commands }) => !commands.some((command) => removesColumn(command, column)))
      .map((row) => {
        const { database, table, column, type, failures } = row
        const failing = failures.find((failure) => failure.includes(`\`${column}\``))
        const so = failing === undefined ? 'ALTER … DELETE, UPDATE and DROP COLUMN of such a part fail, and hold up those behind them' : `a mutation fails by it, and holds up those behind it: ${failing.slice(0, 200)}`
        return found(failing === undefined ? 'warning' : 'critical', `${database}.${table}.${column}`, `${count(row.parts)} parts of ${count(row.rows)} rows have the column, and the table hasn't: it was dropped while an insert ran; ${so}`, {
          figures: { parts: Number(row.parts), rows: Number(row.rows) },
          // One statement: no insert sees the column. It fails, and does nothing, where the table has the column after all.
          fixes: [{ sql: `ALTER TABLE ${tableOf(row)} ADD COLUMN ${quoteName(column)} ${type}, DROP COLUMN ${quoteName(column)}`, caution: 'deletes what these parts still have of the column' }],
        })
      }),
})

const keyOf = ({ database, table, column }: LeftBehindRow): string => JSON.stringify([database, table, column])

const REMOVED = /\b(?:DROP|CLEAR|RENAME) COLUMN (?:IF EXISTS )?(?:`((?:[^`\\]|\\.)*)`|([\w.]+))/gi

/** Whether a mutation is about to take the column out of the parts; a nested one goes with all that it has. */
function removesColumn(command: string, column: string): boolean {
  return [...command.matchAll(REMOVED)].some(([, quoted, plain]) => column === (quoted ?? plain) || column.startsWith(`${quoted ?? plain}.`))
}
