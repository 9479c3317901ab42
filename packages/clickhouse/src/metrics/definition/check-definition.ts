import { ConfigurationError, type ValidationIssue } from '@smart-whale/interfaces'
import type { z } from 'zod'
import { quoteName } from '../../adapter/table-columns.ts'
import type { ClickHouseErrorCode } from '../../errors.ts'
import { zoneProblem } from '../periods/zoned-time.ts'
import { definitionShape, type ShapedDefinition } from './definition-shape.ts'
import { type Formula, metricsIn, parseFormula } from './formula.ts'
import type { ComputedModel, DimensionModel, MeasureModel, MetricModel, MetricsModel, RollupModel } from './metrics-model.ts'

type Complain = (path: readonly (string | number)[], message: string) => void
type ShapedMetric = ShapedDefinition['metrics'][string]

/** Names that every row of an answer has a use for. */
const TAKEN = new Set(['time', 'date', 'other', 'previous', 'value'])

/**
 * Checks a definition and resolves what its parts say of each other.
 * @throws ConfigurationError `ERR_CLICKHOUSE_METRIC_DEFINITION` whose message names every wrong place
 */
export function checkDefinition(definition: unknown): MetricsModel {
  const shaped = definitionShape.safeParse(definition)
  if (!shaped.success) throw refusal(shaped.error.issues.map(issueOf))
  const issues: ValidationIssue[] = []
  const model = resolve(shaped.data, (path, message) => issues.push({ path, message }))
  if (issues.length > 0) throw refusal(issues)
  return model
}

function issueOf(issue: z.core.$ZodIssue): ValidationIssue {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  return issue.code === 'unrecognized_keys' ? { path: [...path, issue.keys[0] as string], message: 'is not known here; leave it out' } : { path, message: issue.message }
}

function refusal(issues: readonly ValidationIssue[]): ConfigurationError<ClickHouseErrorCode> {
  const sentence = issues.map(({ path, message }) => `${path.join('.') || 'the definition'}: ${message}`).join('; ')
  return new ConfigurationError<ClickHouseErrorCode>(`metrics: ${sentence}`, { code: 'ERR_CLICKHOUSE_METRIC_DEFINITION', context: { issues } })
}

function resolve(shaped: ShapedDefinition, complain: Complain): MetricsModel {
  const sources = new Map(
    Object.entries(shaped.sources).map(([name, { table, time, timeType }]) => [name, { name, table, time, isDate: timeType === 'date' }]),
  )
  const dimensions = new Map(Object.entries(shaped.dimensions).map(([name, dimension]) => [name, dimensionModel(name, dimension)]))
  for (const dimension of dimensions.values()) {
    if (!sources.has(dimension.source)) complain(['dimensions', dimension.name, 'source'], `there is no source "${dimension.source}"`)
    if (TAKEN.has(dimension.name)) complain(['dimensions', dimension.name], 'is a name that answers use themselves; take another')
  }
  const metrics = new Map<string, MetricModel>()
  for (const [name, metric] of Object.entries(shaped.metrics)) {
    if (TAKEN.has(name) || dimensions.has(name)) complain(['metrics', name], 'is the name of a dimension, or one that answers use themselves; take another')
    if ('source' in metric) metrics.set(name, measureModel(name, metric, shaped, dimensions, complain))
  }
  for (const [name, metric] of Object.entries(shaped.metrics)) {
    const computed = 'source' in metric ? undefined : computedModel(name, metric, shaped, metrics, complain)
    if (computed !== undefined) metrics.set(name, computed)
  }
  const rollups = new Map<string, RollupModel>()
  for (const [name, rollup] of Object.entries(shaped.rollups ?? {})) rollups.set(name, rollupModel(name, rollup, { sources, dimensions, metrics }, complain))
  return { sources, dimensions, metrics, rollups }
}

function dimensionModel(name: string, { source, of = name, description }: ShapedDefinition['dimensions'][string]): DimensionModel {
  return { name, source, column: typeof of === 'string' ? of : undefined, sql: sqlOf(of), description }
}

const sqlOf = (of: string | { sql: string }): string => (typeof of === 'string' ? quoteName(of) : `(${of.sql})`)

function measureModel(
  name: string,
  metric: Extract<ShapedMetric, { source: string }>,
  shaped: ShapedDefinition,
  dimensions: ReadonlyMap<string, DimensionModel>,
  complain: Complain,
): MeasureModel {
  const { source, where = {}, description } = metric
  if (shaped.sources[source] === undefined) complain(['metrics', name, 'source'], `there is no source "${source}"`)
  const ofSource = [...dimensions.values()].filter((dimension) => dimension.source === source).map((dimension) => dimension.name)
  const check = (dimension: string, path: readonly (string | number)[]): void => {
    if (!ofSource.includes(dimension)) complain(path, `the source "${source}" has no dimension "${dimension}"`)
  }
  metric.dimensions?.forEach((dimension, index) => check(dimension, ['metrics', name, 'dimensions', index]))
  for (const dimension of Object.keys(where)) check(dimension, ['metrics', name, 'where', dimension])
  return {
    kind: 'measure',
    name,
    source,
    measure: metric.measure,
    of: 'of' in metric ? sqlOf(metric.of as string | { sql: string }) : '',
    level: 'level' in metric ? (metric.level as number) : 0.5,
    accuracy: 'accuracy' in metric ? (metric.accuracy as number | undefined) : undefined,
    where,
    dimensions: new Set(metric.dimensions ?? ofSource),
    description,
  }
}

function computedModel(
  name: string,
  metric: Exclude<ShapedMetric, { source: string }>,
  shaped: ShapedDefinition,
  metrics: ReadonlyMap<string, MetricModel>,
  complain: Complain,
): ComputedModel | undefined {
  const path = ['metrics', name, metric.measure === 'ratio' ? 'of' : 'formula']
  const formula = expand(name, shaped, [], (message) => complain(path, message))
  if (formula === undefined) return undefined
  const measures = [...new Set(metricsIn(formula))]
  const models = measures.map((measure) => metrics.get(measure) as MeasureModel)
  const sources = [...new Set(models.map((model) => model.source))]
  if (sources.length !== 1) {
    complain(path, sources.length === 0 ? 'names no metric' : `its metrics read different sources (${sources.join(', ')}); one source each`)
    return undefined
  }
  const [first, ...others] = models as [MeasureModel, ...MeasureModel[]]
  const dimensions = new Set([...first.dimensions].filter((dimension) => others.every((other) => other.dimensions.has(dimension))))
  return { kind: 'computed', name, source: first.source, measure: metric.measure, formula, measures, dimensions, description: metric.description }
}

/** The formula of a metric, down to measured ones. */
function expand(name: string, shaped: ShapedDefinition, above: readonly string[], complain: (message: string) => void): Formula | undefined {
  const metric = shaped.metrics[name]
  if (metric === undefined) return void complain(`there is no metric "${name}"`)
  if (above.includes(name)) return void complain(`"${name}" is computed of itself, by way of ${above.join(', ')}`)
  if ('source' in metric) return { kind: 'metric', name }
  const parsed = metric.measure === 'ratio' ? ratioOf(metric.of, metric.per) : parseFormula(metric.formula)
  if ('problem' in parsed) return void complain(parsed.problem)
  return expandFormula(parsed, (inner) => expand(inner, shaped, [...above, name], complain))
}

const ratioOf = (of: string, per: string): Formula => ({ kind: 'operation', operator: '/', left: { kind: 'metric', name: of }, right: { kind: 'metric', name: per } })

function expandFormula(formula: Formula, expandMetric: (name: string) => Formula | undefined): Formula | undefined {
  if (formula.kind === 'number') return formula
  if (formula.kind === 'metric') return expandMetric(formula.name)
  const left = expandFormula(formula.left, expandMetric)
  const right = expandFormula(formula.right, expandMetric)
  return left === undefined || right === undefined ? undefined : { ...formula, left, right }
}

function rollupModel(
  name: string,
  rollup: NonNullable<ShapedDefinition['rollups']>[string],
  { sources, dimensions, metrics }: Pick<MetricsModel, 'sources' | 'dimensions' | 'metrics'>,
  complain: Complain,
): RollupModel {
  const { source, grain, timeZone = 'UTC', metrics: names } = rollup
  const found = sources.get(source)
  if (found === undefined) complain(['rollups', name, 'source'], `there is no source "${source}"`)
  const wrongZone = zoneProblem(timeZone)
  if (wrongZone !== undefined) complain(['rollups', name, 'timeZone'], wrongZone)
  if (found?.isDate && (timeZone !== 'UTC' || ['minute', 'fifteen_minutes', 'hour'].includes(grain)))
    complain(['rollups', name, 'grain'], `the source "${source}" has days as they stand: take a grain from day on, and no time zone`)
  rollup.dimensions?.forEach((dimension, index) => {
    if (dimensions.get(dimension)?.source !== source) complain(['rollups', name, 'dimensions', index], `the source "${source}" has no dimension "${dimension}"`)
  })
  const measures = names.flatMap((metric, index) => {
    const model = metrics.get(metric)
    if (model?.source === source) return model.kind === 'measure' ? [metric] : model.measures
    complain(['rollups', name, 'metrics', index], `the source "${source}" has no metric "${metric}"`)
    return []
  })
  return { name, source, grain, timeZone, dimensions: [...new Set(rollup.dimensions)], measures: [...new Set(measures)] }
}
