import { type AnalyticsService, createMetricsLayer, createRollupManager, type DefinedMetrics, type MetricsLayer, readMetrics } from '@smart-whale/clickhouse'
import type { Logger } from '@smart-whale/interfaces'
import type { StandaloneConfig } from './config.ts'
import type { Stores } from './open-stores.ts'
import { FLIGHT_METRICS } from './sample/sample-metrics.ts'

/** What is needed to answer questions about metrics. */
export interface OpenMetricsOptions {
  /** The owner makes the rollups, the reader sees which there are. @default none, required */
  readonly stores: Pick<Stores, 'owner' | 'reader'>
  /** Asks the questions. @default none, required */
  readonly analyticsService: AnalyticsService
  /** Hears of each rollup that is made. @default none, required */
  readonly logger: Logger
  /** Gives up the start; a rollup that is half made is finished by the next one. @default none, required */
  readonly signal: AbortSignal
}

/** The user's metrics, or else the sample's; null when there are neither. Their tables must be there, for their rollups are made. */
export async function openMetrics({ sample, metricsFile }: Pick<StandaloneConfig, 'sample' | 'metricsFile'>, options: OpenMetricsOptions): Promise<MetricsLayer | null> {
  const { stores, analyticsService, logger, signal } = options
  const metrics: DefinedMetrics | null = metricsFile !== null ? await readMetrics(metricsFile) : sample !== null ? FLIGHT_METRICS : null
  if (metrics === null) return null
  await createRollupManager(metrics, { adapter: stores.owner, logger }).apply({ signal })
  return createMetricsLayer(metrics, { analyticsService, adapter: stores.reader })
}
