import { quoteName, quoteTableName } from '../../adapter/table-columns.ts'
import { digest, canonical } from '../../stable-digest.ts'
import type { Filters } from '../definition/metric-definition.ts'
import type { MeasureModel, MetricModel, MetricsModel, RollupModel, SourceModel } from '../definition/metrics-model.ts'
import type { Bind } from './bind-values.ts'
import { filterSql } from './filter-sql.ts'
import { countSql, formulaSql, measureSql } from './measure-sql.ts'

/** Where a question's rows come from: the source itself, or a rollup of it. Both are asked in the same words. */
export interface Relation {
  readonly table: string
  /** The time of a row, or of the bucket that it is. */
  readonly time: string
  /** Column whose order the table is read in; compared with the period. */
  readonly timeColumn: string
  readonly isDateColumn: boolean
  dimension(name: string): string
  metric(metric: MetricModel): string
  /** How many source rows there are that any of the metrics counts. */
  rowsOf(metrics: readonly MetricModel[]): string
}

/** A dimension's column in a rollup, not quoted. */
export const rollupDimension = (name: string): string => `d_${name}`

/** Columns of a rollup. Their prefixes keep them apart from each other, whatever a definition calls its parts. */
export const rollupColumns = {
  part: 'sw_part',
  start: 'sw_start',
  dimension: (name: string): string => quoteName(rollupDimension(name)),
  measure: (name: string): string => quoteName(`m_${name}`),
  /** Counts the source rows that fulfil a filter. */
  rows: (where: Filters): string => (Object.keys(where).length === 0 ? 'sw_rows' : `sw_rows_${digest(canonical(where)).slice(0, 8)}`),
}

/** The source's own rows. */
export function rawRelation(model: MetricsModel, source: SourceModel, bind: Bind): Relation {
  const dimension = (name: string): string => (model.dimensions.get(name) as { sql: string }).sql
  const metric = (asked: MetricModel): string =>
    asked.kind === 'measure' ? measureSql(asked, conditionOf(asked, dimension, bind)).raw : formulaSql(asked.formula, (name) => metric(model.metrics.get(name) as MetricModel))
  return {
    table: quoteTableName(source.table),
    time: source.isDate ? `toDateTime(${quoteName(source.time)}, 'UTC')` : quoteName(source.time),
    timeColumn: quoteName(source.time),
    isDateColumn: source.isDate,
    dimension,
    metric,
    rowsOf: (metrics) =>
      distinctFilters(model, metrics)
        .map((measure) => countSql(conditionOf(measure, dimension, bind)).raw)
        .join(' + '),
  }
}

/** A rollup's states, in a table that keeps everything that the question needs. */
export function rollupRelation(model: MetricsModel, _rollup: RollupModel, table: string): Relation {
  const metric = (asked: MetricModel): string =>
    asked.kind === 'measure'
      ? measureSql(asked, Object.keys(asked.where).length === 0 ? undefined : '1').merge(rollupColumns.measure(asked.name))
      : formulaSql(asked.formula, (name) => metric(model.metrics.get(name) as MetricModel))
  return {
    table: quoteTableName(table),
    time: rollupColumns.start,
    timeColumn: rollupColumns.start,
    isDateColumn: false,
    dimension: (name) => rollupColumns.dimension(name),
    metric,
    rowsOf: (metrics) =>
      distinctFilters(model, metrics)
        .map((measure) => `sum(${rollupColumns.rows(measure.where)})`)
        .join(' + '),
  }
}

/** Rows that a measure counts at all; undefined when it counts every one. */
export function conditionOf(measure: MeasureModel, dimension: (name: string) => string, bind: Bind): string | undefined {
  const conditions = filterSql(measure.where, dimension, bind)
  return conditions.length === 0 ? undefined : `ifNull(${conditions.join(' AND ')}, 0)`
}

/** One measure for each filter among those that the metrics come down to; the one without a filter stands for all. */
function distinctFilters(model: MetricsModel, metrics: readonly MetricModel[]): MeasureModel[] {
  const measures = metrics.flatMap((metric) => (metric.kind === 'measure' ? [metric] : metric.measures.map((name) => model.metrics.get(name) as MeasureModel)))
  const byFilter = new Map(measures.map((measure) => [rollupColumns.rows(measure.where), measure]))
  const unfiltered = byFilter.get(rollupColumns.rows({}))
  return unfiltered === undefined ? [...byFilter.values()] : [unfiltered]
}
