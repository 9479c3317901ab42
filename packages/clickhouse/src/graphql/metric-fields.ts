import type { MetricAnswer, MetricRow } from '../metrics/answer/metric-answer.ts'
import type { MetricsLayer } from '../metrics/answer/metrics-layer.ts'
import type { AskOptions } from '../metrics/compile/metric-question.ts'
import { questionRefusal } from '../metrics/compile/question-shape.ts'
import type { MetricModel } from '../metrics/definition/metrics-model.ts'
import type { GraphqlContext } from './graphql-context.ts'
import type { GraphqlExtension, GraphqlResolver, GraphqlResolvers } from './graphql-options.ts'

/** How the fields of metrics are made. */
export interface MetricFieldsOptions {
  /** Rows that a request may see. @default those of the layer */
  rowFilterOf?: ((context: GraphqlContext) => AskOptions['rowFilter']) | undefined
  /** What one metric costs, of the cost that a request may have. @default 100 */
  cost?: number | undefined
}

/** A layer over whatever metrics. */
export type AskableMetrics = Pick<MetricsLayer, 'metrics'> & { ask(question: never, options?: AskOptions): Promise<unknown> }

/** The arguments of a question. */
export const QUESTION = `period: String, from: String, to: String, grain: MetricGrain, timeZone: String, by: [MetricDimension!], where: JSON,
    top: MetricTop, compare: MetricComparison, fillGaps: Boolean, totals: Boolean, limit: Int, route: MetricRouting`

/**
 * A field of `analytics` for each metric, for `createGraphqlLayer({ extend })`:
 * `{ analytics { userRegistrations(period: "last_month") { date count } } }`. Without a grain, a metric is asked by day.
 */
export function metricFields(layer: AskableMetrics, options: MetricFieldsOptions = {}): GraphqlExtension {
  const { metrics, dimensions } = layer.metrics.model
  const all = [...metrics.values()]
  const types = [...new Map(all.map((metric) => [typeName(metric), pointType(metric, [...metric.dimensions])])).values()]
  const typeDefs = `
    enum MetricGrain { minute fifteen_minutes hour day week month quarter year all }
    enum MetricComparison { previous_period previous_year }
    enum MetricRouting { auto raw }
    enum MetricDimension { ${dimensions.size === 0 ? 'none' : [...dimensions.keys()].join(' ')} }
    input MetricTop { n: Int!, other: Boolean }
    type DegradedMetrics {
      "The kind of quota that is spent."
      quota: String!
      "When there is some again, in milliseconds."
      retryAfterMs: Float!
      "How old the answer is, in milliseconds."
      ageMs: Float!
    }
    extend type AnalyticsResult {
      ${all.map((metric) => `${descriptionOf(metric)}${metric.name}(${QUESTION}): [${typeName(metric)}!]!`).join('\n      ')}
      "Any question over metrics of one source: its rows, totals, period and route."
      metrics(metrics: [String!]!, ${QUESTION}): JSON!
    }
    ${types.join('\n')}`
  const fields = Object.fromEntries(all.map((metric) => [metric.name, metricResolver(layer, metric, options)]))
  const resolvers: GraphqlResolvers = { AnalyticsResult: { ...fields, metrics: metricsResolver(layer, options) } }
  const costs = Object.fromEntries([...all.map(({ name }) => name), 'metrics'].map((name) => [`AnalyticsResult.${name}`, options.cost ?? 100]))
  return { typeDefs, resolvers, costs }
}

const typeName = ({ name }: MetricModel): string => `Metric_${name}`

const descriptionOf = ({ description }: MetricModel): string => (description === undefined ? '' : `${JSON.stringify(description)}\n      `)

/** A point has its value under two names: `value`, and what was measured. */
function pointType(metric: MetricModel, dimensions: readonly string[]): string {
  return `type ${typeName(metric)} {
      "The bucket's start, as a day where the grain is one or longer."
      date: String
      time: String
      value: JSON
      ${dimensions.includes(metric.measure) ? '' : `${metric.measure}: JSON`}
      previous: JSON
      "Whether it is all groups but the largest."
      other: Boolean!
      "Set when the quota is spent: the answer that the point is of is the one from before."
      degraded: DegradedMetrics
      ${dimensions.map((dimension) => `${dimension}: JSON`).join('\n      ')}
    }`
}

function metricResolver(layer: AskableMetrics, metric: MetricModel, options: MetricFieldsOptions): GraphqlResolver {
  return async (_source, args, context) => {
    const { rows, degraded } = await ask(layer, [metric.name], args, context, options)
    return rows.map((row) => pointOf(row, metric, degraded))
  }
}

function pointOf(row: MetricRow, metric: MetricModel, degraded: MetricAnswer['degraded']): Record<string, unknown> {
  const value = row[metric.name]
  return { [metric.measure]: value, ...row, date: row.time?.slice(0, 10), value, previous: row.previous?.[metric.name], other: row.other ?? false, degraded }
}

function metricsResolver(layer: AskableMetrics, options: MetricFieldsOptions): GraphqlResolver {
  return async (_source, { metrics, ...args }, context) => {
    const { cache: _cache, ...answer } = await ask(layer, metrics as string[], args, context, options)
    return answer
  }
}

async function ask(layer: AskableMetrics, metrics: readonly string[], args: Record<string, unknown>, context: GraphqlContext, options: MetricFieldsOptions): Promise<MetricAnswer> {
  return (await layer.ask(questionOf(metrics, args) as never, readerOf(context, options))) as MetricAnswer
}

/** The question that a field's arguments ask; by day, unless they say otherwise. */
export function questionOf(metrics: readonly string[], args: Record<string, unknown>): Record<string, unknown> {
  const { grain = 'day', ...rest } = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null && value !== undefined))
  if (rest['top'] !== undefined && rest['by'] === undefined) throw questionRefusal([{ path: ['top'], message: 'needs dimensions in by, of which the largest are taken' }])
  return { metrics, ...rest, ...(grain === 'all' ? {} : { grain }) }
}

/** As whom a request asks. */
export function readerOf(context: GraphqlContext, { rowFilterOf }: MetricFieldsOptions): AskOptions {
  const { role, scope, tenant, level, budget, signal } = context
  const rowFilter = rowFilterOf?.(context)
  return { role, scope, tenant, level, budget, signal, ...(rowFilter === undefined ? {} : { rowFilter }) }
}
