import type { SelectQuery } from '../../src/index.ts'
import { db } from './query-data.ts'
import { dayText } from './fill-rows.ts'
import type { ConditionPlan, OutputPlan, QueryPlan } from './random-query.ts'

// A plan is made at run time, where the compiler can't follow: here the types end.
/* eslint-disable @typescript-eslint/no-explicit-any */
type AnyExpressions = any
type AnyQuery = SelectQuery<any, any, any>

/** Builds a plan with the query builder. */
export function buildPlan(plan: QueryPlan): AnyQuery {
  let query: AnyQuery = source(plan)
  if (plan.sample !== null) query = query.sample(plan.sample.share, plan.sample.offset)
  if (plan.arrays?.isBefore === true) query = arraysJoined(query, plan.arrays)
  if (plan.prewhere !== null) query = query.prewhere((expressions: AnyExpressions) => buildCondition(expressions, plan.prewhere as ConditionPlan))
  if (plan.join !== null) query = plan.join.kind.includes(' ') ? query.join(plan.join.kind as never, 'u' as never, plan.join.on as never) : (query as AnyExpressions)[`${plan.join.kind}Join`]('u', plan.join.on)
  if (plan.arrays?.isBefore === false) query = arraysJoined(query, plan.arrays)
  for (const condition of plan.where) query = query.where((expressions: AnyExpressions) => buildCondition(expressions, condition))
  query = query.select(Object.fromEntries(Object.entries(plan.outputs).map(([name, output]) => [name, (expressions: AnyExpressions) => buildOutput(expressions, output)])) as never)
  // Columns by their full names: an output may have the bare one.
  if (plan.groupBy !== null && plan.groupBy.length > 0) query = query.groupBy(...(plan.groupBy as never[]))
  if (plan.havingMoreThan !== null) query = query.having((expressions: AnyExpressions) => expressions.compare(expressions.count(), '>', plan.havingMoreThan))
  if (plan.isDistinct) query = query.distinct()
  if (plan.isDoubled) query = query.unionAll(query as never)
  const outer: AnyQuery = plan.isDoubled ? db.from(query as never, 'both').select(...(Object.keys(plan.outputs) as never[])) : query
  return bounded(outer, plan)
}

function arraysJoined(query: AnyQuery, { isLeft, names }: NonNullable<QueryPlan['arrays']>): AnyQuery {
  const arrays = Object.fromEntries(names.map((name) => [name, ARRAY_OF[name]])) as never
  return (isLeft ? query.leftArrayJoin(arrays) : query.arrayJoin(arrays)) as AnyQuery
}

const ARRAY_OF = { e: 't.l', x: (expressions: AnyExpressions) => expressions.col('t.n') }

function source({ from }: QueryPlan): AnyQuery {
  if (from.kind === 'table') return db.from('t') as AnyQuery
  const kept = (builder: typeof db): AnyQuery =>
    builder.from('t', 'inside').where((expressions: AnyExpressions) => buildCondition(expressions, from.where, 'inside')).select('id', 'a', 'b', 's', 'f', 'd', 'm', 'h', 'l', 'n') as AnyQuery
  if (from.kind === 'subquery') return db.from(kept(db) as never, 't') as AnyQuery
  return db.with('kept', kept as never).from('kept', 't') as AnyQuery
}

function bounded(query: AnyQuery, plan: QueryPlan): AnyQuery {
  let ordered = query
  for (const [index, name] of Object.keys(plan.outputs).entries()) if (!Object.hasOwn(plan.carried, name)) ordered = plan.gaps?.at === index ? ordered.orderBy(name as never, plan.orders[index] as never, { fill: fillOf(plan.gaps) as never }) : ordered.orderBy(name as never, plan.orders[index])
  for (const [name, how] of Object.entries(plan.carried)) ordered = how === 'keep' ? ordered.interpolate(name as never) : ordered.interpolate({ [name]: (e: AnyExpressions) => e.fn('plus', name, e.value(3)) } as never)
  if (plan.limit !== null) ordered = ordered.limit(plan.limit)
  return plan.offset === null ? ordered : ordered.offset(plan.offset)
}

function fillOf({ from, to, step, isDay }: NonNullable<QueryPlan['gaps']>): object {
  const value = (edge: number | null): unknown => (edge === null ? undefined : isDay ? dayText(edge) : edge)
  return { from: value(from), to: value(to), step: isDay ? [step, 'day'] : step }
}

function buildOutput(expressions: AnyExpressions, output: OutputPlan): unknown {
  switch (output.kind) {
    case 'column':
      return expressions.col(output.column)
    case 'countIf':
      return expressions.countIf(buildCondition(expressions, output.when))
    case 'aggregate':
      return expressions[output.aggregate](output.column)
    case 'rowNumber':
      return expressions.over(expressions.rowNumber(), { partitionBy: [output.partition], orderBy: [[output.order, output.direction], 't.id'] })
    case 'runningSum':
      return expressions.over(expressions.sum('t.f'), { partitionBy: [output.partition], orderBy: ['t.id'], rows: { preceding: output.preceding, following: output.following } })
  }
}

function buildCondition(expressions: AnyExpressions, plan: ConditionPlan, alias = 't'): any {
  const inner = (condition: ConditionPlan): unknown => buildCondition(expressions, condition, alias)
  const column = 'column' in plan ? plan.column.replace(/^t\./, `${alias}.`) : ''
  switch (plan.kind) {
    case 'and':
    case 'or':
      return expressions[plan.kind](...plan.all.map(inner))
    case 'not':
      return expressions.not(inner(plan.of))
    case 'null':
      return plan.isNegated ? expressions.isNotNull(column) : expressions.isNull(column)
    case 'list':
      return expressions.compare(column, plan.isNegated ? 'not in' : 'in', plan.values)
    case 'match':
      return expressions.compare(column, plan.operator, plan.pattern)
    case 'columns':
      return expressions.compare(column, plan.operator, expressions.col(plan.other.replace(/^t\./, `${alias}.`)))
    case 'scalar':
      return expressions.compare(column, plan.operator, expressions.scalar(db.from('u').select({ most: (own) => own.max('k') }).where((own: AnyExpressions) => buildCondition(own, plan.inner))))
    case 'query':
      return expressions.compare(column, plan.isNegated ? 'not in' : 'in', db.from('u').select('k').where((own: AnyExpressions) => buildCondition(own, plan.inner)))
    default:
      return expressions.compare(column, plan.operator, plan.value)
  }
}
