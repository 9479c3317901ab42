import { type CachingInterface, ConfigurationError, type Logger, type MetricsSink } from '@smart-whale/interfaces'
import { createAdapter } from './create-adapter.ts'
import type { ClickHouseAdapter } from './adapter-options.ts'
import type { AnalyticsServiceOptions } from './analytics/analytics-options.ts'
import { type AnalyticsService, createAnalyticsService } from './analytics/analytics-service.ts'
import type { ClickHouseOptions } from './clickhouse-config.ts'
import type { ClickHouseErrorCode } from './errors.ts'
import type { GraphQLLayer, GraphqlLayerOptions } from './graphql/graphql-options.ts'

/** What {@link setupClickHouse} puts together, and what it takes ready-made. */
export interface ClickHouseSetup {
  /** Where the server is, and who asks; for queries that users write, a read-only user. @default `CLICKHOUSE_*` variables */
  connection?: ClickHouseOptions | undefined
  /** An adapter to use instead of making one; it stays open when the setup is closed. @default made from `connection` */
  adapter?: ClickHouseAdapter | undefined
  /** Where answers are kept; `false` keeps none. @default an in-process cache of `@smart-whale/core-cache` */
  cache?: CachingInterface | false | undefined
  /** More for the analytics service. @default {} */
  analytics?: Omit<AnalyticsServiceOptions, 'cache' | 'logger'> | undefined
  /** A service to use instead of making one; it stays open when the setup is closed. @default made over the adapter */
  analyticsService?: AnalyticsService | undefined
  /** More for the GraphQL layer. @default {} */
  graphql?: Omit<GraphqlLayerOptions, 'analyticsService' | 'logger'> | undefined
  /** @default silentLogger */
  logger?: Logger | undefined
  /** @default silentMetrics */
  metrics?: MetricsSink | undefined
}

/** The parts by name. */
export interface NamedClickHouseParts extends AsyncDisposable {
  readonly adapter: ClickHouseAdapter
  readonly analyticsService: AnalyticsService
  readonly graphqlLayer: GraphQLLayer
  /** Closes what the setup made, in reverse order; what was handed in stays open. May be called twice. */
  close(): Promise<void>
}

/** The parts, put together: by name, and in order as `[adapter, analyticsService, graphqlLayer]`. */
export type ClickHouseParts = NamedClickHouseParts & readonly [ClickHouseAdapter, AnalyticsService, GraphQLLayer]

/**
 * Puts adapter, analytics service and GraphQL layer together with their defaults, and checks that the server answers.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_MISSING_PEER` when the package `graphql` is not installed
 * @example
 * await using clickhouse = await setupClickHouse({ connection: { url: 'http://reader:secret@localhost:8123/app' } })
 * const { data } = await clickhouse.analyticsService.executeAnalyticsQuery({ query: 'SELECT count() AS n FROM flights' })
 */
export async function setupClickHouse(setup: ClickHouseSetup = {}): Promise<ClickHouseParts> {
  const { logger, metrics } = setup
  const createGraphqlLayer = await loadGraphql()
  const adapter = setup.adapter ?? createAdapter(setup.connection, { logger, metrics })
  try {
    await adapter.connect()
    const analyticsService = setup.analyticsService ?? createAnalyticsService(adapter, { ...setup.analytics, cache: setup.cache, logger })
    const graphqlLayer = createGraphqlLayer({ ...setup.graphql, analyticsService, logger })
    const close = async (): Promise<void> => {
      if (setup.analyticsService === undefined) await analyticsService.close()
      if (setup.adapter === undefined) await adapter.close()
    }
    const named: NamedClickHouseParts = { adapter, analyticsService, graphqlLayer, close, [Symbol.asyncDispose]: close }
    return Object.assign([adapter, analyticsService, graphqlLayer] as const, named)
  } catch (error) {
    if (setup.adapter === undefined) await adapter.close()
    throw error
  }
}

/** On first use: `graphql` is an optional peer, and the rest of the package works without it. */
async function loadGraphql(): Promise<(options: GraphqlLayerOptions) => GraphQLLayer> {
  try {
    return (await import('./graphql/graphql-layer.ts')).createGraphqlLayer
  } catch (cause) {
    throw new ConfigurationError<ClickHouseErrorCode>(
      'the GraphQL layer needs the package graphql, which is not installed; add it, or use createAnalyticsService by itself',
      {
        code: 'ERR_CLICKHOUSE_MISSING_PEER',
        cause,
      },
    )
  }
}
