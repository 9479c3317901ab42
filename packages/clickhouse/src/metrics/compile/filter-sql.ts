import type { FilterComparison, FilterCondition, Filters, FilterValue } from '../definition/metric-definition.ts'
import type { Bind } from './bind-values.ts'

/**
 * What rows must fulfil, each condition a text; all of them must hold. A row without a value fulfils `not`, and nothing else but null.
 * @param sqlOf where a dimension's value is found
 */
export function filterSql(filters: Filters, sqlOf: (dimension: string) => string, bind: Bind): string[] {
  return Object.entries(filters).flatMap(([dimension, condition]) => (condition === undefined ? [] : conditionSql(sqlOf(dimension), condition, bind)))
}

/** One condition of one value. */
export function conditionSql(sql: string, condition: FilterCondition, bind: Bind): string[] {
  if (condition === null) return [`isNull(${sql})`]
  if (Array.isArray(condition)) return [`${sql} IN ${bind(condition as readonly FilterValue[])}`]
  if (typeof condition !== 'object' || condition instanceof Date) return [`${sql} = ${bind(condition)}`]
  return comparisonSql(sql, condition as FilterComparison, bind)
}

const OPERATORS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

function comparisonSql(sql: string, comparison: FilterComparison, bind: Bind): string[] {
  const found: string[] = []
  const { eq, not, in: among, contains, startsWith } = comparison
  if (eq !== undefined) found.push(...conditionSql(sql, eq, bind))
  if (not !== undefined) found.push(...conditionSql(sql, not, bind).map((held) => `NOT ifNull(${held}, 0)`))
  if (among !== undefined) found.push(...conditionSql(sql, among, bind))
  for (const [name, operator] of Object.entries(OPERATORS)) {
    const bound = comparison[name as keyof typeof OPERATORS]
    if (bound !== undefined) found.push(`${sql} ${operator} ${bind(bound)}`)
  }
  if (contains !== undefined) found.push(`position(${sql}, ${bind(contains)}) > 0`)
  if (startsWith !== undefined) found.push(`startsWith(${sql}, ${bind(startsWith)})`)
  return found
}
