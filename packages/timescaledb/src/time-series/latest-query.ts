import { TimescaleValidationError } from '../errors.ts'
import { quoteIdentifier } from '../quote-identifier.ts'
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

/** The newest rows of a table, or of each of its series, newest first. */
export function latestStatement(table: TableDescription, plan: LatestPlan): BoundStatement {
  const values = new BoundValues()
  const where = whereAll([...rangeConditions(table, plan.range, values), ...filterConditions(table, plan.filter, values)])
  const columns = table.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  const key = table.tiebreak.map(({ name }) => quoteIdentifier(name))
  const place = table.hasRowIds ? ['tableoid', 'ctid'] : []
  const order = [quoteIdentifier(table.timeColumn.name), ...(key.length > 0 ? key : place)].map((sql) => `${sql} desc`).join(', ')
  // Nulls come first in descending order, and a row without a time is not the newest.
  const present = table.timeColumn.notNull ? where : `${where === '' ? 'where' : `${where} and`} ${quoteIdentifier(table.timeColumn.name)} is not null`
  if (plan.perSeries.length === 0) {
    return { sql: `select ${columns} from ${tableName(table)} ${present} order by ${order} limit ${values.add(plan.limit)}::int`, params: values.list }
  }
  const series = plan.perSeries.map((name, index) => seriesColumn(table, name, index))
  const ranked = `select ${columns}, row_number() over (partition by ${series.join(', ')} order by ${order}) as "~rank" from ${tableName(table)} ${present}`
  const sql = `select ${columns} from (${ranked}) as ranked where "~rank" <= ${values.add(plan.limit)} order by ${series.join(', ')}, "~rank" limit ${values.add(plan.maxRows + 1)}::int`
  return { sql, params: values.list }
}

function seriesColumn(table: TableDescription, name: string, index: number): string {
  const column = columnOf(table, name, ['perSeries', index])
  if (column.kind !== 'json' && column.kind !== 'other') return quoteIdentifier(column.name)
  const message = `can't be ${name}: rows can't be grouped by ${column.type}`
  throw new TimescaleValidationError(`perSeries.${index} ${message}`, { issues: [{ path: ['perSeries', index], message }] })
}
