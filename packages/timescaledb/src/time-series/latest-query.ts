import { quoteIdentifier } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import { type RangeBounds, rangeConditions, whereAll } from './range-conditions.ts'
import type { BoundStatement } from './range-query.ts'
import { BoundValues, filterConditions, type RowFilter } from './row-filter.ts'
import { columnOf, type TableDescription, tableName } from './table-description.ts'

/** Which newest rows. */
export interface LatestPlan {
  readonly limit: number
  /** Columns that name a series; the newest rows of each are wanted. */
  readonly perSeries: readonly string[]
  readonly filter: RowFilter | undefined
  readonly range: RangeBounds
  readonly maxRows: number
}

/** The parts that the statements have in common. */
interface LatestParts {
  readonly table: string
  readonly columns: string
  readonly time: string
  readonly conditions: readonly string[]
  readonly series: readonly string[]
  /** Newest first; then by the table's key, else by where rows lie. */
  readonly order: string
}

/** The newest rows of a table, or of each of its series, newest first. */
export function latestStatement(table: TableDescription, plan: LatestPlan): BoundStatement {
  const values = new BoundValues()
  const time = quoteIdentifier(table.timeColumn.name)
  // Nulls come first in descending order, and a row without a time is not the newest.
  const present = table.timeColumn.notNull ? [] : [`${time} is not null`]
  const parts: LatestParts = {
    table: tableName(table),
    columns: table.columns.map(({ name }) => quoteIdentifier(name)).join(', '),
    time,
    conditions: [...rangeConditions(table, plan.range, values), ...filterConditions(table, plan.filter, values), ...present],
    series: plan.perSeries.map((name, index) => seriesColumn(table, name, index)),
    order: [time, ...tiebreakOf(table)].map((sql) => `${sql} desc`).join(', '),
  }
  if (parts.series.length === 0) return { sql: `${newest(parts)} limit ${values.add(plan.limit)}::int`, params: values.list }
  const rows = plan.limit === 1 && table.timeIndexed ? newestOfEach(parts) : newestRanks(parts, values.add(plan.limit))
  return { sql: `${rows} limit ${values.add(plan.maxRows + 1)}::int`, params: values.list }
}

function newest({ columns, table, conditions, order }: LatestParts): string {
  return `select ${columns} from ${table} ${whereAll(conditions)} order by ${order}`
}

/** Finds each series' last moment, which needs no sorting, and then looks up the row: several times as fast as ranking all rows. */
function newestOfEach(parts: LatestParts): string {
  const { table, time, conditions, series, columns } = parts
  const names = series.map((_, index) => `"~series ${index}"`)
  const named = series.map((column, index) => `${column} as ${names[index]}`).join(', ')
  const last = `select ${named}, max(${time}) as "~last" from ${table} ${whereAll(conditions)} group by ${series.join(', ')}`
  const same = series.map((column, index) => `${column} is not distinct from "~moments".${names[index]}`)
  const row = newest({ ...parts, conditions: [...conditions, `${time} = "~moments"."~last"`, ...same] })
  return `select ${columns} from (${last}) as "~moments" cross join lateral (${row} limit 1) as newest order by ${series.join(', ')}`
}

function newestRanks({ columns, table, conditions, series, order }: LatestParts, limit: string): string {
  const ranked = `select ${columns}, row_number() over (partition by ${series.join(', ')} order by ${order}) as "~rank" from ${table} ${whereAll(conditions)}`
  return `select ${columns} from (${ranked}) as ranked where "~rank" <= ${limit}::int order by ${series.join(', ')}, "~rank"`
}

function tiebreakOf({ tiebreak, hasRowIds }: TableDescription): string[] {
  if (tiebreak.length > 0) return tiebreak.map(({ name }) => quoteIdentifier(name))
  return hasRowIds ? ['tableoid', 'ctid'] : []
}

function seriesColumn(table: TableDescription, name: string, index: number): string {
  const column = columnOf(table, name, ['perSeries', index])
  if (column.kind !== 'json' && column.kind !== 'other') return quoteIdentifier(column.name)
  return refuseInput(['perSeries', index], `can't be ${name}: rows can't be grouped by ${column.type}`)
}
