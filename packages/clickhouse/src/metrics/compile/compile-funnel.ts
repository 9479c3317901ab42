import type { ValidationIssue } from '@smart-whale/interfaces'
import { z } from 'zod'
import type { Filters } from '../definition/metric-definition.ts'
import type { MetricsModel } from '../definition/metrics-model.ts'
import type { PeriodName } from '../periods/resolve-period.ts'
import { BoundValues } from './bind-values.ts'
import { type CompiledQuestion, spanSql, rowConditionSql } from './compile-question.ts'
import { filterSql } from './filter-sql.ts'
import type { RowFilter } from './metric-question.ts'
import { checkOfSource, planSpan, type SpanPlan } from './plan-span.ts'
import { filtersShape, questionRefusal, shape, timeShape } from './question-shape.ts'
import { rawRelation } from './relation.ts'

/** How far entities get through steps that must follow each other. */
export interface FunnelQuestion<Source extends string = string, Dimension extends string = string> {
  readonly source: Source
  /** Dimension that says who takes the steps: a user, a session. */
  readonly entity: Dimension
  /** What must happen, in order. */
  readonly steps: readonly { readonly name: string; readonly where: Filters<Dimension> }[]
  /** How long after the first step the last one may come. */
  readonly withinSeconds: number
  readonly period?: PeriodName | undefined
  readonly from?: Date | string | undefined
  readonly to?: Date | string | undefined
  readonly timeZone?: string | undefined
  /** What every row must fulfil. */
  readonly where?: Filters<Dimension> | undefined
}

const funnelShape = z.strictObject({
  ...timeShape,
  source: z.string().max(64),
  entity: z.string().max(64),
  steps: z.array(z.strictObject({ name: z.string().min(1).max(100), where: filtersShape })).min(2).max(20),
  withinSeconds: z.number().min(1).max(366 * 86_400),
  where: filtersShape.optional(),
})

/** A funnel as a statement. */
export interface CompiledFunnel extends CompiledQuestion {
  readonly plan: SpanPlan
  readonly steps: readonly string[]
}

/** @throws ValidationError `ERR_CLICKHOUSE_METRIC_QUESTION` that names each wrong field */
export function compileFunnel(model: MetricsModel, asked: unknown, rowFilter: RowFilter | undefined, nowMs: number): CompiledFunnel {
  const question = shape(funnelShape, asked)
  const issues: ValidationIssue[] = []
  const complain = (path: readonly (string | number)[], message: string): void => void issues.push({ path, message })
  const check = checkOfSource(model, question.source, complain)
  check(question.entity, ['entity'])
  for (const name of Object.keys(question.where ?? {})) check(name, ['where', name])
  question.steps.forEach(({ where }, index) => {
    for (const name of Object.keys(where)) check(name, ['steps', index, 'where', name])
    if (Object.keys(where).length === 0) complain(['steps', index, 'where'], 'must say what the step is')
  })
  const plan = planSpan(model, question, nowMs, complain)
  if (plan === undefined || issues.length > 0) throw questionRefusal(issues)

  const values = new BoundValues()
  const relation = rawRelation(model, plan.source, values.bind)
  const times: Record<string, unknown> = {}
  const entity = relation.dimension(question.entity)
  const steps = question.steps.map(({ where }) => `ifNull(${filterSql(where as Filters, relation.dimension, values.bind).join(' AND ')}, 0)`)
  const rows = [
    ...spanSql(relation, plan.span, 'sw', times),
    `isNotNull(${entity})`,
    ...(rowFilter?.(plan.source.name) ?? []).map((condition) => rowConditionSql(model, plan.source.name, relation, condition, values.bind)),
    ...filterSql((question.where ?? {}) as Filters, relation.dimension, values.bind),
    `(${steps.join(' OR ')})`,
  ]
  const withinMs = Math.round(question.withinSeconds * 1000)
  // The window is a constant of the function, which takes no parameter there: a number that was checked.
  const level = `windowFunnel(${withinMs})(toUInt64(toUnixTimestamp64Milli(toDateTime64(${relation.time}, 3, 'UTC'))), ${steps.join(', ')})`
  const query = `SELECT sw_level, count() AS sw_entities FROM (SELECT ${level} AS sw_level FROM ${relation.table} WHERE ${rows.join(' AND ')} GROUP BY ${entity}) WHERE sw_level > 0 GROUP BY sw_level`
  return { query, params: { ...values.params, ...times }, plan, steps: question.steps.map(({ name }) => name) }
}
