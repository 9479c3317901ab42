import { TimescaleConfigurationError } from '../errors.ts'
import { quoteIdentifier } from '../quote-identifier.ts'
import { type CursorScope, decodeCursor, encodeCursor, type TimeOrder } from './range-cursor.ts'
import { type RangeBounds, rangeConditions, whereAll } from './range-conditions.ts'
import { BoundValues, filterConditions, type RowFilter } from './row-filter.ts'
import { type TableDescription, tableName } from './table-description.ts'

/** Which page of a table's rows. */
export interface RangePage {
  readonly range: RangeBounds
  readonly filter?: RowFilter | undefined
  readonly order: TimeOrder
  readonly limit: number
  readonly cursor?: string | undefined
}

/** A statement with its values. */
export interface BoundStatement {
  readonly sql: string
  readonly params: readonly unknown[]
}

/** Name of the column that carries a row's position; no table that this package makes has such a name. */
export const POSITION_COLUMN = '~position'

interface OrderingColumn {
  readonly sql: string
  /** The column as a text that comes back exactly. */
  readonly text: string
  readonly castType: string
}

/**
 * The statement of one page, which asks for one row more than the page holds: if it comes, there is a next page.
 * Rows are ordered by time and then by the table's key, so that a page ends between two rows also when many share a moment.
 */
export function rangeStatement(table: TableDescription, page: RangePage): BoundStatement {
  const values = new BoundValues()
  const ordering = orderingColumns(table)
  if (table.tiebreak.length === 0 && !table.hasRowIds) {
    throw new TimescaleConfigurationError(`${table.name} is a view: name the columns that make a row of it unique as "tiebreak"`)
  }
  const conditions = [
    ...rangeConditions(table, page.range, values),
    ...filterConditions(table, page.filter, values),
    ...afterCursor(table, page, ordering, values),
  ]
  const columns = table.columns.map(({ name }) => quoteIdentifier(name))
  const position = `json_build_array(${ordering.map(({ text }) => text).join(', ')}) as ${quoteIdentifier(POSITION_COLUMN)}`
  const order = ordering.map(({ sql }) => `${sql} ${page.order}`).join(', ')
  const rows = `select ${columns.join(', ')}, ${position} from ${tableName(table)} ${whereAll(conditions)}`
  const sql = `${rows} order by ${order} limit ${values.add(page.limit + 1)}::int`
  return { sql, params: values.list }
}

/** The cursor after a row that {@link rangeStatement} gave. */
export function cursorAfter(table: TableDescription, order: TimeOrder, position: readonly string[]): string {
  return encodeCursor(cursorScope(table, order), position)
}

function afterCursor(table: TableDescription, page: RangePage, ordering: readonly OrderingColumn[], values: BoundValues): string[] {
  if (page.cursor === undefined) return []
  const position = decodeCursor(cursorScope(table, page.order), page.cursor)
  const bound = ordering.map(({ castType }, index) => `${values.add(position[index])}::text::${castType}`)
  const [first, time] = [ordering[0]?.sql, bound[0]]
  const [after, notBefore] = page.order === 'asc' ? ['>', '>='] : ['<', '<=']
  // The second condition says nothing new, but alone lets the server skip partitions.
  return [`(${ordering.map(({ sql }) => sql).join(', ')}) ${after} (${bound.join(', ')})`, `${first} ${notBefore} ${time}`]
}

/** What puts rows into one order: the time, then the table's key, else where a row lies. */
function orderingColumns(table: TableDescription): OrderingColumn[] {
  const time = quoteIdentifier(table.timeColumn.name)
  // As JSON a time is ISO 8601 with microseconds, whatever the session's settings are.
  const first = { sql: time, text: `to_json(${time}) #>> '{}'`, castType: table.timeColumn.castType }
  if (table.tiebreak.length === 0) {
    return [first, { sql: 'tableoid', text: 'tableoid::text', castType: 'oid' }, { sql: 'ctid', text: 'ctid::text', castType: 'tid' }]
  }
  return [first, ...table.tiebreak.map(orderingColumn)]
}

function orderingColumn({ name, kind, castType }: TableDescription['columns'][number]): OrderingColumn {
  const sql = quoteIdentifier(name)
  return { sql, text: kind === 'timestamp' || kind === 'date' ? `to_json(${sql}) #>> '{}'` : `${sql}::text`, castType }
}

function cursorScope(table: TableDescription, order: TimeOrder): CursorScope {
  const columns = table.tiebreak.length > 0 ? table.tiebreak.map(({ name }) => name) : ['tableoid', 'ctid']
  return { table: tableName(table), order, columns }
}
