import { quoteIdentifier } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import { bindValue, type ColumnDescription, type ColumnValue } from './column-kind.ts'
import { kindOf } from './parse-time.ts'
import { columnOf, type TableDescription } from './table-description.ts'

/** Comparisons with one column; all of them must hold. */
export interface ColumnComparison {
  /** Equal; `null` for "has no value". */
  readonly eq?: ColumnValue
  /** Not equal; a row without a value counts as not equal. */
  readonly ne?: ColumnValue
  readonly gt?: ColumnValue
  readonly gte?: ColumnValue
  readonly lt?: ColumnValue
  readonly lte?: ColumnValue
  /** Equal to one of these. */
  readonly in?: readonly ColumnValue[]
}

/** Which rows: column to value, list of values, or comparisons. All columns must agree. */
export type RowFilter = Readonly<Record<string, ColumnValue | readonly ColumnValue[] | ColumnComparison>>

/** Collects the values of a statement and hands out their places. */
export class BoundValues {
  readonly list: unknown[] = []

  /** `$3` for the third. */
  add(value: unknown): string {
    this.list.push(value)
    return `$${this.list.length}`
  }
}

const ORDERED = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const
const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in']
const MAX_LIST = 1000

/**
 * The conditions of a filter, to be joined by `and`. Column names are checked against the table, values are bound.
 *
 * @throws TimescaleValidationError naming the column, or the operator, that is wrong
 */
export function filterConditions(table: TableDescription, filter: RowFilter | undefined, values: BoundValues): string[] {
  return Object.entries(filter ?? {}).flatMap(([name, wanted]) => {
    const path = ['filter', name]
    const column = columnOf(table, name, path)
    return Object.entries(comparisonsOf(wanted, path)).map(([operator, value]) => condition(column, { operator, value, path }, values))
  })
}

function comparisonsOf(wanted: RowFilter[string], path: readonly string[]): Record<string, unknown> {
  if (Array.isArray(wanted)) return { in: wanted }
  if (typeof wanted !== 'object' || wanted === null || wanted instanceof Date) return { eq: wanted }
  const entries = Object.entries(wanted).filter(([, value]) => value !== undefined)
  const unknown = entries.find(([operator]) => !OPERATORS.includes(operator))
  if (unknown) refuseInput([...path, unknown[0]], `is no comparison; there are ${OPERATORS.join(', ')}`)
  return Object.fromEntries(entries)
}

function condition(column: ColumnDescription, wanted: { operator: string; value: unknown; path: readonly string[] }, values: BoundValues): string {
  const { operator, value } = wanted
  const path = operator === 'eq' ? wanted.path : [...wanted.path, operator]
  const left = column.kind === 'enum' ? `${quoteIdentifier(column.name)}::text` : quoteIdentifier(column.name)
  const bind = (item: unknown): string => {
    const bound = bindValue(column, item as Exclude<ColumnValue, null>, path)
    return column.kind === 'enum' ? `${values.add(bound)}::text` : `${values.add(bound)}::text::${column.castType}`
  }
  if (operator === 'in') return inList(left, value, { bind, path })
  if (operator === 'eq') return value === null ? `${left} is null` : `${left} = ${bind(value)}`
  if (operator === 'ne') return value === null ? `${left} is not null` : `${left} is distinct from ${bind(value)}`
  if (value === null) refuseInput(path, 'must be a value; nothing is larger or smaller than null')
  return `${left} ${ORDERED[operator as keyof typeof ORDERED]} ${bind(value)}`
}

function inList(left: string, value: unknown, { bind, path }: { bind: (item: unknown) => string; path: readonly string[] }): string {
  if (!Array.isArray(value)) refuseInput(path, `must be a list, found ${kindOf(value)}`)
  const list = value as readonly unknown[]
  if (list.length > MAX_LIST) refuseInput(path, `must not have more than ${MAX_LIST} values, found ${list.length}`)
  const present = list.filter((item) => item !== null)
  const alternatives = [
    ...(present.length > 0 ? [`${left} in (${present.map(bind).join(', ')})`] : []),
    ...(present.length < list.length ? [`${left} is null`] : []),
  ]
  return alternatives.length > 0 ? `(${alternatives.join(' or ')})` : 'false'
}
