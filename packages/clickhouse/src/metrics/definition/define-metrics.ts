import { checkDefinition } from './check-definition.ts'
import type {
  DimensionDefinition,
  MetricDefinition,
  MetricsDefinition,
  RollupDefinition,
  SourceDefinition,
} from './metric-definition.ts'
import type { MetricsModel } from './metrics-model.ts'

/** Metrics that were defined and checked. Its type carries every name, so that a wrong one doesn't compile. */
export interface DefinedMetrics<D extends MetricsDefinition = MetricsDefinition> {
  readonly definition: D
  /** The definition with its references resolved. */
  readonly model: MetricsModel
}

type Sources = Readonly<Record<string, SourceDefinition>>
type Dimensions<S> = Readonly<Record<string, DimensionDefinition<keyof S & string>>>
type Metrics<S, D> = Readonly<Record<string, MetricDefinition<keyof S & string, keyof D & string>>>
type Rollups<S, D, M> = Readonly<Record<string, RollupDefinition<keyof S & string, keyof D & string, keyof M & string>>>

/**
 * Defines metrics over tables: what is measured, of which rows, split by what, and which rollups ClickHouse keeps of it.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_METRIC_DEFINITION` that names every wrong place
 * @example
 * const shop = defineMetrics({
 *   sources: { orders: { table: 'orders', time: 'created_at' } },
 *   dimensions: { country: { source: 'orders' } },
 *   metrics: {
 *     orders: { source: 'orders', measure: 'count' },
 *     revenue: { source: 'orders', measure: 'sum', of: 'amount' },
 *     basket: { measure: 'ratio', of: 'revenue', per: 'orders' },
 *   },
 *   rollups: { hourly: { source: 'orders', grain: 'hour', dimensions: ['country'], metrics: ['orders', 'revenue'] } },
 * })
 */
export function defineMetrics<
  const S extends Sources,
  const D extends Dimensions<S>,
  const M extends Metrics<S, D>,
  const R extends Rollups<S, D, M> = Record<never, never>,
>(definition: {
  readonly sources: S
  readonly dimensions: D
  readonly metrics: M
  readonly rollups?: R
}): DefinedMetrics<{ readonly sources: S; readonly dimensions: D; readonly metrics: M; readonly rollups: R }> {
  const model = checkDefinition(definition)
  return { definition: { rollups: {} as R, ...definition }, model }
}
