import { quoteName } from '../../adapter/table-columns.ts'
import type { Grain } from '../definition/metric-definition.ts'
import type { MetricsModel } from '../definition/metrics-model.ts'
import type { Span } from '../periods/grain-edges.ts'
import { dateOf } from '../periods/grain-edges.ts'
import { type Bind, BoundValues } from './bind-values.ts'
import { filterSql } from './filter-sql.ts'
import type { RowCondition } from './metric-question.ts'
import type { QuestionPlan } from './question-plan.ts'
import type { Relation } from './relation.ts'

/** A statement and the values that travel apart from it. */
export interface CompiledQuestion {
  readonly query: string
  readonly params: Readonly<Record<string, unknown>>
}

/** What the columns of an answer are called; definitions can't give such names. */
export const answerColumns = {
  bucket: 'sw_bucket',
  isOther: 'sw_other',
  isTotal: 'sw_total',
  key: (index: number): string => `sw_key_${index}`,
  value: (index: number): string => `sw_value_${index}`,
}

/**
 * Makes the statement that answers a question from a relation. Names come from the definition alone, every value is bound.
 * @param span the period to read; that of the plan, or the one that it is compared with
 */
export function compileQuestion(
  model: MetricsModel,
  plan: QuestionPlan,
  makeRelation: (bind: Bind) => Relation,
  span: Span = plan.span,
): CompiledQuestion {
  const values = new BoundValues()
  const relation = makeRelation(values.bind)
  const times: Record<string, unknown> = {}
  const rows = (within: Span, name: string): string => rowsSql(model, plan, relation, values.bind, within, name, times)

  const keys = keysOf(plan, relation, rows)
  const selected = [
    ...keys.map(({ sql, name }) => `${sql} AS ${name}`),
    ...(isTotalled(plan, keys) ? [`grouping(${(keys[0] as Key).name}) AS ${answerColumns.isTotal}`] : []),
    ...plan.metrics.map((metric, index) => `${relation.metric(metric)} AS ${answerColumns.value(index)}`),
  ]
  const query = [
    `SELECT ${selected.join(', ')}`,
    `FROM ${relation.table}`,
    `WHERE ${rows(span, 'sw')}${plan.top === undefined || tellsOther(plan) ? '' : ` AND ${inTop(plan, relation, rows)}`}`,
    ...groupSql(plan, relation, keys),
    `LIMIT ${plan.limit + (isTotalled(plan, keys) ? 2 : 1)}`,
  ].join('\n')
  const zone = query.includes('{sw_zone:String}') ? { sw_zone: plan.zone } : {}
  return { query, params: { ...values.params, ...times, ...zone } }
}

interface Key {
  readonly name: string
  readonly sql: string
}

/** Whether there are parts at all that a total could differ from. */
function isTotalled(plan: QuestionPlan, keys: readonly Key[]): boolean {
  return plan.totals && keys.length > 0
}

/** Whether groups that are not among the largest are read at all: as one, or for the totals. */
function tellsOther({ top, totals }: QuestionPlan): boolean {
  return top !== undefined && (top.other || totals)
}

function keysOf(plan: QuestionPlan, relation: Relation, rows: RowsSql): Key[] {
  const keys: Key[] = []
  if (plan.grain !== undefined) keys.push({ name: answerColumns.bucket, sql: bucketSql(relation.time, plan.grain) })
  const withOther = tellsOther(plan)
  const among = withOther ? inTop(plan, relation, rows) : ''
  if (withOther) keys.push({ name: answerColumns.isOther, sql: `NOT (${among})` })
  plan.by.forEach((dimension, index) => {
    const sql = relation.dimension(dimension)
    keys.push({ name: answerColumns.key(index), sql: withOther ? `if(${among}, toNullable(${sql}), NULL)` : sql })
  })
  return keys
}

function groupSql(plan: QuestionPlan, relation: Relation, keys: readonly Key[]): string[] {
  if (keys.length === 0) return []
  const names = keys.map(({ name }) => name).join(', ')
  const isRanked = plan.top !== undefined && plan.grain === undefined
  const order = [
    ...(isTotalled(plan, keys) ? [`${answerColumns.isTotal} DESC`] : []),
    ...(isRanked && plan.top?.other === true ? [answerColumns.isOther] : []),
    ...(isRanked ? [`${relation.metric((plan.top as NonNullable<QuestionPlan['top']>).by)} DESC NULLS LAST`] : []),
    names,
  ]
  return [
    `GROUP BY ${isTotalled(plan, keys) ? `GROUPING SETS ((${names}), ())` : names}`,
    // Rows that no metric counts make no group.
    `HAVING ${relation.rowsOf(plan.metrics)} > 0${tellsOther(plan) && plan.top?.other === false ? ` AND NOT ${answerColumns.isOther}` : ''}`,
    `ORDER BY ${order.join(', ')}`,
  ]
}

/** SQL for where a bucket begins: a date for days and longer, else an instant. */
export function bucketSql(time: string, grain: Grain): string {
  const zone = '{sw_zone:String}'
  switch (grain) {
    case 'minute':
      return `toStartOfMinute(${time}, ${zone})`
    case 'fifteen_minutes':
      return `toStartOfFifteenMinutes(${time}, ${zone})`
    case 'hour':
      return `toStartOfHour(${time}, ${zone})`
    case 'day':
      return `toDate(${time}, ${zone})`
    case 'week':
      return `toStartOfWeek(${time}, 1, ${zone})`
    case 'month':
      return `toStartOfMonth(${time}, ${zone})`
    case 'quarter':
      return `toStartOfQuarter(${time}, ${zone})`
    case 'year':
      return `toStartOfYear(${time}, ${zone})`
  }
}

type RowsSql = (within: Span, name: string) => string

/** Which rows are read: those of the period, those that the caller may see, and those that he asks for. */
function rowsSql(
  model: MetricsModel,
  plan: Pick<QuestionPlan, 'where' | 'rowConditions' | 'source'>,
  relation: Relation,
  bind: Bind,
  within: Span,
  name: string,
  times: Record<string, unknown>,
): string {
  return [
    ...spanSql(relation, within, name, times),
    ...plan.rowConditions.map((condition) => rowConditionSql(model, plan.source.name, relation, condition, bind)),
    ...filterSql(plan.where, relation.dimension, bind),
  ].join(' AND ')
}

/** Half-open: what happened at the end belongs to the next period. */
export function spanSql(relation: Pick<Relation, 'timeColumn' | 'isDateColumn'>, { fromMs, toMs }: Span, name: string, times: Record<string, unknown>): string[] {
  const bounds = { [`${name}_from`]: fromMs, [`${name}_to`]: toMs }
  return Object.entries(bounds).map(([parameter, instantMs]) => {
    const operator = parameter.endsWith('_from') ? '>=' : '<'
    times[parameter] = relation.isDateColumn ? dateOf(instantMs, 'UTC') : new Date(instantMs)
    // Never a DateTime: for `column < DateTime` of a DateTime64 column the server's primary key looks no further than the last whole second.
    const type = relation.isDateColumn ? 'Date' : "DateTime64(3, 'UTC')"
    return `${relation.timeColumn} ${operator} {${parameter}:${type}}`
  })
}

/** What a caller may see, by the dimension that keeps the column where there is one: a rollup has no other columns. */
export function rowConditionSql(model: MetricsModel, source: string, relation: Relation, { column, is }: RowCondition, bind: Bind): string {
  const dimension = [...model.dimensions.values()].find((found) => found.source === source && found.column === column)
  const sql = dimension === undefined ? quoteName(column) : relation.dimension(dimension.name)
  if (!Array.isArray(is)) return `${sql} = ${bind(is as string)}`
  return is.length === 0 ? '0' : `${sql} IN ${bind(is as readonly string[])}`
}

/** Whether a row belongs to one of the largest groups of the plan's own period. */
function inTop(plan: QuestionPlan, relation: Relation, rows: RowsSql): string {
  const top = plan.top as NonNullable<QuestionPlan['top']>
  // As texts, in which null is one value among others: `IN` finds no null.
  const ids = plan.by.map((dimension) => `ifNull(concat('=', toString(${relation.dimension(dimension)})), '')`)
  const list = ids.join(', ')
  const subject = ids.length === 1 ? list : `(${list})`
  return `${subject} IN (SELECT ${list} FROM ${relation.table} WHERE ${rows(plan.span, 'sw_top')} GROUP BY ${list} HAVING ${relation.rowsOf(plan.metrics)} > 0 ORDER BY ${relation.metric(top.by)} DESC NULLS LAST, ${list} LIMIT ${top.n})`
}

