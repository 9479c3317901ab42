import { type CounterMetric, type GaugeMetric, type HistogramMetric, InfrastructureError, type MetricsSink } from '@smart-whale/interfaces'
import type { UndeclaredFieldCount } from './schema-drift.ts'
import type { SliceOutcome } from './write-slice.ts'

/** `paused`: a store, the broker or the topic is away; it goes on by itself when that is back. `halted`: somebody has to look. */
export type PipelineState = 'starting' | 'running' | 'paused' | 'halted' | 'stopped'

/** Where one partition stands. */
export interface PartitionStatus {
  readonly partition: number
  readonly state: 'running' | 'paused'
  /** First offset that is not in every store. */
  readonly nextOffset: bigint
  /** Code of the failure that it waits out; null while it runs. */
  readonly waitingFor: string | null
  /** How long the first event of the slice that was stored last had been in the topic by then, in milliseconds; null before the first slice. */
  readonly queryableAfterMs: number | null
}

/** Records that the topic removed before they were stored. */
export interface LostRange {
  readonly partition: number
  readonly firstOffset: bigint
  readonly lastOffset: bigint
}

/** What the partitions of a pipeline come to together, since the start of this process. */
export interface PipelineTotals {
  stored: number
  deadLettered: number
  leftOut: number
  readonly lost: LostRange[]
}

/** Where a pipeline stands. Counts are since the start of this process. */
export interface PipelineStatus {
  readonly name: string
  readonly topic: string
  readonly table: string
  readonly state: PipelineState
  readonly stored: number
  readonly deadLettered: number
  /** Records that a transform or a route left out on purpose. */
  readonly leftOut: number
  /** Events by version; empty in a pipeline without versions. */
  readonly versions: Readonly<Record<string, number>>
  /** Fields that events carry beyond the declared ones, the most frequent first; their values are left out. */
  readonly undeclared: readonly UndeclaredFieldCount[]
  /** What retention removed before it was stored, as far as this process came upon it. */
  readonly lost: readonly LostRange[]
  readonly partitions: readonly PartitionStatus[]
  /** Why it halted, or that its topic is gone; null otherwise. */
  readonly reason: string | null
}

/** What every pipeline of a process measures, under one set of names. */
export interface PipelineMetrics {
  readonly stored: CounterMetric
  readonly deadLettered: CounterMetric
  readonly leftOut: CounterMetric
  readonly lost: CounterMetric
  readonly versions: CounterMetric
  readonly undeclared: CounterMetric
  readonly failures: CounterMetric
  readonly lag: GaugeMetric
  readonly queryableAfter: HistogramMetric
}

/** Registers the metrics of pipelines. */
export function pipelineMetrics(sink: MetricsSink): PipelineMetrics {
  const labelNames = ['pipeline']
  return {
    stored: sink.counter({ name: 'smart_whale_pipeline_records_stored_total', help: 'Records that every store of the pipeline has', labelNames }),
    deadLettered: sink.counter({ name: 'smart_whale_pipeline_dead_letters_total', help: 'Records that went to the dead letters', labelNames }),
    leftOut: sink.counter({ name: 'smart_whale_pipeline_left_out_total', help: 'Records that a transform or a route left out on purpose', labelNames }),
    lost: sink.counter({ name: 'smart_whale_pipeline_lost_records_total', help: 'Offsets that the topic removed before they were stored; the status names them', labelNames }),
    versions: sink.counter({ name: 'smart_whale_pipeline_events_by_version_total', help: 'Events that were read, by the version that they name', labelNames: ['pipeline', 'version'] }),
    undeclared: sink.counter({ name: 'smart_whale_pipeline_undeclared_fields_total', help: 'Fields of events that no version declares; the status names them', labelNames }),
    failures: sink.counter({ name: 'smart_whale_pipeline_failures_total', help: 'Attempts that failed and paused a partition, by error code', labelNames: ['pipeline', 'code'] }),
    lag: sink.gauge({ name: 'smart_whale_pipeline_lag_records', help: 'Records in the topic that are not yet in every store', labelNames }),
    queryableAfter: sink.histogram({
      name: 'smart_whale_pipeline_queryable_after_seconds',
      help: 'From when the topic had the first event of a slice until every store had it',
      labelNames: ['pipeline', 'table'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
    }),
  }
}

/** Keeps the status of one partition while it is worked on. */
export class PartitionProgress {
  readonly #pipeline: { readonly name: string; readonly table: string }
  readonly #partition: number
  readonly #metrics: PipelineMetrics
  readonly #totals: PipelineTotals
  #nextOffset = 0n
  #waitingFor: string | null = null
  #queryableAfterMs: number | null = null

  constructor(pipeline: { readonly name: string; readonly table: string }, partition: number, metrics: PipelineMetrics, totals: PipelineTotals) {
    this.#pipeline = pipeline
    this.#partition = partition
    this.#metrics = metrics
    this.#totals = totals
  }

  /** @param ageMs how long ago the topic got the slice's first event; a producer whose clock is ahead makes it negative */
  done(nextOffset: bigint, { stored, deadLettered, leftOut }: SliceOutcome, ageMs: number): void {
    this.#nextOffset = nextOffset
    this.#queryableAfterMs = Math.max(0, ageMs)
    if (stored > 0) this.#metrics.queryableAfter.observe({ pipeline: this.#pipeline.name, table: this.#pipeline.table }, this.#queryableAfterMs / 1000)
    this.#totals.stored += stored
    this.#totals.deadLettered += deadLettered
    this.#totals.leftOut += leftOut
    this.#metrics.stored.inc({ pipeline: this.#pipeline.name }, stored)
    if (deadLettered > 0) this.#metrics.deadLettered.inc({ pipeline: this.#pipeline.name }, deadLettered)
    if (leftOut > 0) this.#metrics.leftOut.inc({ pipeline: this.#pipeline.name }, leftOut)
  }

  /** Tells once of a range that it is gone; false when that is known. */
  lost(firstOffset: bigint, lastOffset: bigint): boolean {
    if (this.#totals.lost.some((range) => range.partition === this.#partition && range.lastOffset >= lastOffset)) return false
    this.#totals.lost.push({ partition: this.#partition, firstOffset, lastOffset })
    this.#metrics.lost.inc({ pipeline: this.#pipeline.name }, Number(lastOffset - firstOffset) + 1)
    return true
  }

  paused(error: unknown): void {
    this.#waitingFor = InfrastructureError.isInstance(error) ? error.code : 'ERR_INTERNAL'
    this.#metrics.failures.inc({ pipeline: this.#pipeline.name, code: this.#waitingFor })
  }

  resumed(): void {
    this.#waitingFor = null
  }

  status(): PartitionStatus {
    return { partition: this.#partition, state: this.#waitingFor === null ? 'running' : 'paused', nextOffset: this.#nextOffset, waitingFor: this.#waitingFor, queryableAfterMs: this.#queryableAfterMs }
  }
}
