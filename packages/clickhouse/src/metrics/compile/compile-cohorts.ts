import type { ValidationIssue } from '@smart-whale/interfaces'
import { z } from 'zod'
import type { Filters } from '../definition/metric-definition.ts'
import type { MetricsModel } from '../definition/metrics-model.ts'
import { addLocal, bucketStarts, floorLocal } from '../periods/grain-edges.ts'
import type { PeriodName } from '../periods/resolve-period.ts'
import { toInstant, toLocal } from '../periods/zoned-time.ts'
import { BoundValues } from './bind-values.ts'
import { bucketSql, type CompiledQuestion, rowConditionSql, spanSql } from './compile-question.ts'
import { filterSql } from './filter-sql.ts'
import type { RowFilter } from './metric-question.ts'
import { checkOfSource, planSpan, type SpanPlan } from './plan-span.ts'
import { FIRST_MS } from './question-plan.ts'
import { filtersShape, questionRefusal, shape, timeShape } from './question-shape.ts'
import { rawRelation } from './relation.ts'

/** A grain of cohorts. */
export type CohortGrain = 'day' | 'week' | 'month' | 'quarter' | 'year'

/** Who came for the first time when, and who of them was there again later: a retention table. */
export interface CohortQuestion<Source extends string = string, Dimension extends string = string> {
  readonly source: Source
  /** Dimension that says who comes: a user, a customer. */
  readonly entity: Dimension
  readonly grain: CohortGrain
  /** How many buckets after the first one are looked at. */
  readonly steps: number
  /** When the cohorts began: those are in whose first row ever lies there. */
  readonly period?: PeriodName | undefined
  readonly from?: Date | string | undefined
  readonly to?: Date | string | undefined
  readonly timeZone?: string | undefined
  /** What makes a beginning; by default any row. */
  readonly start?: Filters<Dimension> | undefined
  /** What makes a return; by default any row. */
  readonly activity?: Filters<Dimension> | undefined
  /** What every row must fulfil. */
  readonly where?: Filters<Dimension> | undefined
}

const cohortShape = z.strictObject({
  ...timeShape,
  source: z.string().max(64),
  entity: z.string().max(64),
  grain: z.enum(['day', 'week', 'month', 'quarter', 'year']),
  steps: z.int().min(1).max(400),
  start: filtersShape.optional(),
  activity: filtersShape.optional(),
  where: filtersShape.optional(),
})

/** Cohorts as a statement, and where the buckets of cohorts and returns begin. */
export interface CompiledCohorts extends CompiledQuestion {
  readonly plan: SpanPlan
  readonly starts: readonly number[]
  readonly steps: number
  readonly grain: CohortGrain
}

/** @throws ValidationError `ERR_CLICKHOUSE_METRIC_QUESTION` that names each wrong field */
export function compileCohorts(model: MetricsModel, asked: unknown, rowFilter: RowFilter | undefined, nowMs: number): CompiledCohorts {
  const question = shape(cohortShape, asked)
  const { grain, steps } = question
  const issues: ValidationIssue[] = []
  const complain = (path: readonly (string | number)[], message: string): void => void issues.push({ path, message })
  const check = checkOfSource(model, question.source, complain)
  check(question.entity, ['entity'])
  for (const field of ['start', 'activity', 'where'] as const) for (const name of Object.keys(question[field] ?? {})) check(name, [field, name])
  const plan = planSpan(model, question, nowMs, complain)
  const starts = plan && bucketStarts(plan.span, grain, plan.zone, 400)
  if (plan !== undefined && starts === undefined) complain(['grain'], 'cuts the period into more than 400 cohorts; take a longer one')
  if (plan === undefined || starts === undefined || issues.length > 0) throw questionRefusal(issues)

  const { source, span, zone } = plan
  const values = new BoundValues()
  const relation = rawRelation(model, source, values.bind)
  const times: Record<string, unknown> = {}
  const entity = relation.dimension(question.entity)
  const common = [
    `isNotNull(${entity})`,
    ...(rowFilter?.(source.name) ?? []).map((condition) => rowConditionSql(model, source.name, relation, condition, values.bind)),
    ...filterSql((question.where ?? {}) as Filters, relation.dimension, values.bind),
  ]
  const conditions = (filters: unknown): string[] => [...common, ...filterSql((filters ?? {}) as Filters, relation.dimension, values.bind)]
  const lastStart = starts.at(-1) as number
  const untilMs = toInstant(addLocal(floorLocal(toLocal(lastStart, zone), grain), grain, steps + 1), zone)
  const beginning = [...spanSql(relation, { fromMs: FIRST_MS, toMs: span.toMs }, 'sw_first', times), ...conditions(question.start)]
  const [fromSql] = spanSql({ timeColumn: `min(${relation.timeColumn})`, isDateColumn: relation.isDateColumn }, span, 'sw', times) as [string]
  const returning = [...spanSql(relation, { fromMs: span.fromMs, toMs: untilMs }, 'sw_until', times), ...conditions(question.activity)]
  const firsts = `SELECT ${entity} AS sw_entity, ${bucketSql(`min(${relation.time})`, grain)} AS sw_cohort FROM ${relation.table} WHERE ${beginning.join(' AND ')} GROUP BY sw_entity HAVING ${fromSql}`
  const returns = `SELECT DISTINCT ${entity} AS sw_entity, ${bucketSql(relation.time, grain)} AS sw_bucket FROM ${relation.table} WHERE ${returning.join(' AND ')}`
  const apart = grain === 'week' ? "intDiv(dateDiff('day', sw_cohort, sw_bucket), 7)" : `dateDiff('${grain}', sw_cohort, sw_bucket)`
  const query = [
    `SELECT sw_cohort, toInt64(-1) AS sw_step, count() AS sw_entities FROM (${firsts}) GROUP BY sw_cohort`,
    'UNION ALL',
    `SELECT sw_cohort, toInt64(${apart}) AS sw_step, count() AS sw_entities FROM (${returns}) AS returns INNER JOIN (${firsts}) AS firsts ON returns.sw_entity = firsts.sw_entity`,
    `WHERE sw_bucket >= sw_cohort AND ${apart} <= ${steps} GROUP BY sw_cohort, sw_step`,
  ].join('\n')
  const { sw_to: _unused, ...used } = times
  return { query, params: { ...values.params, ...used, sw_zone: zone }, plan, starts, steps, grain }
}
