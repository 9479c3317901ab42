import { type AccessControl, type AnalyticsService, createMetricsLayer, createRollupManager, type DefinedMetrics, type MetricsLayer, readMetrics } from '@smart-whale/clickhouse'
import type { Logger } from '@smart-whale/interfaces'
import type { StandaloneConfig } from './config.ts'
import type { Stores } from './open-stores.ts'
import { FLIGHT_METRICS } from './sample/sample-metrics.ts'

/** What is needed to answer questions about metrics. */
export interface OpenMetricsOptions {
  /** The owner makes the rollups, the reader sees which there are. @default none, required */
  readonly stores: Pick<Stores, 'owner' | 'reader'>
  /** Which rollups each trust level may read; null where there are no levels. @default none, required */
  readonly access: AccessControl | null
  /** Asks the questions. @default none, required */
  readonly analyticsService: AnalyticsService
  /** Hears of each rollup that is made. @default none, required */
  readonly logger: Logger
  /** Gives up the start; a rollup that is half made is finished by the next one. @default none, required */
  readonly signal: AbortSignal
}

/** The user's metrics, or else the sample's; null when there are neither. */
export async function metricsOf({ sample, metricsFile }: Pick<StandaloneConfig, 'sample' | 'metricsFile'>): Promise<DefinedMetrics | null> {
  if (metricsFile !== null) return readMetrics(metricsFile)
  return sample === null ? null : FLIGHT_METRICS
}

/** Makes the rollups, and what answers questions from them. The tables of the metrics must be there. */
export async function openMetrics(metrics: DefinedMetrics | null, options: OpenMetricsOptions): Promise<MetricsLayer | null> {
  const { stores, access, analyticsService, logger, signal } = options
  if (metrics === null) return null
  await createRollupManager(metrics, { adapter: stores.owner, logger }).apply({ signal })
  return createMetricsLayer(metrics, { analyticsService, adapter: stores.reader, mayReadRollups: access?.mayReadRollups })
}
