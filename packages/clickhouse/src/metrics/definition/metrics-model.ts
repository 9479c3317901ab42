import type { Filters, Grain } from './metric-definition.ts'
import type { Formula } from './formula.ts'

/** A definition that was checked, with its references resolved and its defaults filled in. */
export interface MetricsModel {
  readonly sources: ReadonlyMap<string, SourceModel>
  readonly dimensions: ReadonlyMap<string, DimensionModel>
  readonly metrics: ReadonlyMap<string, MetricModel>
  readonly rollups: ReadonlyMap<string, RollupModel>
}

/** A table of events. */
export interface SourceModel {
  readonly name: string
  readonly table: string
  readonly time: string
  readonly isDate: boolean
}

/** What rows are split and filtered by. */
export interface DimensionModel {
  readonly name: string
  readonly source: string
  /** The column, when it is nothing but one. */
  readonly column: string | undefined
  /** SQL over the source's columns. */
  readonly sql: string
  readonly description: string | undefined
}

/** A metric that is measured, or computed of such. */
export type MetricModel = MeasureModel | ComputedModel

/** What is measured of a source's rows. */
export interface MeasureModel {
  readonly kind: 'measure'
  readonly name: string
  readonly source: string
  readonly measure: 'count' | 'sum' | 'min' | 'max' | 'avg' | 'uniq' | 'uniqExact' | 'quantile'
  /** SQL over the source's columns; empty for a count. */
  readonly of: string
  readonly level: number
  readonly accuracy: number | undefined
  readonly where: Filters
  /** Dimensions that it may be split and filtered by. */
  readonly dimensions: ReadonlySet<string>
  readonly description: string | undefined
}

/** What is computed of measured metrics, always of their values over the same rows. */
export interface ComputedModel {
  readonly kind: 'computed'
  readonly name: string
  readonly source: string
  readonly measure: 'ratio' | 'formula'
  readonly formula: Formula
  /** Measures that it comes down to. */
  readonly measures: readonly string[]
  readonly dimensions: ReadonlySet<string>
  readonly description: string | undefined
}

/** A table of states beside a source. */
export interface RollupModel {
  readonly name: string
  readonly source: string
  readonly grain: Grain
  readonly timeZone: string
  readonly dimensions: readonly string[]
  /** Measures that it keeps. */
  readonly measures: readonly string[]
}
