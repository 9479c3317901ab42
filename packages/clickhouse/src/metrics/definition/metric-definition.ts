/** A grain that time is cut into. A week begins on Monday. */
export type Grain = 'minute' | 'fifteen_minutes' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

/** A column of the source, by name, or an expression of ClickHouse's over its columns. Written by whoever defines the metric, never by a caller. */
export type MetricExpression = string | { readonly sql: string }

/** A value that a dimension is compared with. */
export type FilterValue = string | number | bigint | boolean | Date

/** What a dimension must fulfil: a value, one of several values, null, or comparisons that must all hold. */
export type FilterCondition = FilterValue | readonly FilterValue[] | null | FilterComparison

/** Comparisons of one dimension; all of them must hold. */
export interface FilterComparison {
  readonly eq?: FilterValue | null | undefined
  readonly not?: FilterValue | readonly FilterValue[] | null | undefined
  readonly in?: readonly FilterValue[] | undefined
  readonly gt?: FilterValue | undefined
  readonly gte?: FilterValue | undefined
  readonly lt?: FilterValue | undefined
  readonly lte?: FilterValue | undefined
  readonly contains?: string | undefined
  readonly startsWith?: string | undefined
}

/** Conditions by dimension; all of them must hold. */
export type Filters<Dimension extends string = string> = { readonly [D in Dimension]?: FilterCondition | undefined }

/** A table of events: one row each, with the time at which it happened. */
export interface SourceDefinition {
  /** `table` or `database.table`. */
  readonly table: string
  /** Column of that time. */
  readonly time: string
  /** `date` for a column of type `Date`: its days are days as they stand, in no time zone. `instant` by default. */
  readonly timeType?: 'instant' | 'date'
  readonly description?: string
}

/** What metrics can be split and filtered by. */
export interface DimensionDefinition<Source extends string = string> {
  readonly source: Source
  /** Its column; by default the one of the dimension's own name. */
  readonly of?: MetricExpression
  readonly description?: string
}

interface MeasureOfSource<Source extends string, Dimension extends string> {
  readonly source: Source
  /** Dimensions that it may be split and filtered by; by default all of its source. */
  readonly dimensions?: readonly Dimension[]
  /** Rows that it counts at all. */
  readonly where?: Filters<Dimension>
  readonly description?: string
}

/** A metric: a measure of the rows of a source, or one that is computed of other metrics. */
export type MetricDefinition<Source extends string = string, Dimension extends string = string> =
  | (MeasureOfSource<Source, Dimension> & { readonly measure: 'count' })
  | (MeasureOfSource<Source, Dimension> & { readonly measure: 'sum' | 'min' | 'max' | 'avg' | 'uniq' | 'uniqExact'; readonly of: MetricExpression })
  | (MeasureOfSource<Source, Dimension> & {
      readonly measure: 'quantile'
      readonly of: MetricExpression
      /** 0.5 for the median. */
      readonly level: number
      /** Relative error that is good enough, e.g. 0.01; the sketch of a rollup stays small then. Exact by default. */
      readonly accuracy?: number
    })
  | { readonly measure: 'ratio'; readonly of: string; readonly per: string; readonly description?: string }
  | { readonly measure: 'formula'; readonly formula: string; readonly description?: string }

/** A table that ClickHouse keeps beside the source: its rows brought together by time and dimensions. */
export interface RollupDefinition<Source extends string = string, Dimension extends string = string, Metric extends string = string> {
  readonly source: Source
  readonly grain: Grain
  /** Zone in which days and longer begin; for shorter ones it matters where offsets are no whole hours. `UTC` by default. */
  readonly timeZone?: string
  /** Dimensions that it keeps. */
  readonly dimensions?: readonly Dimension[]
  readonly metrics: readonly Metric[]
}

/** Everything that `defineMetrics` takes. */
export interface MetricsDefinition {
  readonly sources: Readonly<Record<string, SourceDefinition>>
  readonly dimensions: Readonly<Record<string, DimensionDefinition>>
  readonly metrics: Readonly<Record<string, MetricDefinition>>
  readonly rollups?: Readonly<Record<string, RollupDefinition>>
}

/** Names of the metrics of a definition. */
export type MetricName<D extends MetricsDefinition> = keyof D['metrics'] & string
/** Names of the dimensions of a definition. */
export type DimensionName<D extends MetricsDefinition> = keyof D['dimensions'] & string
/** Names of the sources of a definition. */
export type SourceName<D extends MetricsDefinition> = keyof D['sources'] & string
