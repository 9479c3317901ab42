import type { Scenario } from './scenario.ts'

/** Every run, in the order of `all`. What a run works with is loaded when it begins: one that is broken stops no other. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'kill-ingestors',
    title: '2 ingestors on 4 partitions under 4,000 events/s, kill -9 at random moments',
    hasShortForm: true,
    load: async () => (await import('./scenarios/kill-ingestors.ts')).killIngestors,
  },
  {
    name: 'pause-ingestors',
    title: '2 ingestors, one or both suspended (SIGSTOP) for longer than their session and than PostgreSQL waits for them',
    hasShortForm: true,
    load: async () => (await import('./scenarios/pause-ingestors.ts')).pauseIngestors,
  },
  {
    name: 'kill-clickhouse',
    title: 'ClickHouse with 2 materialized views, kill -9 under load',
    hasShortForm: true,
    load: async () => (await import('./scenarios/kill-clickhouse.ts')).killClickHouse,
  },
  {
    name: 'clickhouse-servers',
    title: 'three ClickHouse servers under 200 reads/s: one killed every 2 s, one hung (SIGSTOP), all gone (no broker needed)',
    hasShortForm: true,
    load: async () => (await import('./scenarios/clickhouse-servers.ts')).clickhouseServers,
  },
  {
    name: 'migrations',
    title: '10 runners of the same migrations at once × 20, one killed at each statement: before, during and after it (no broker needed)',
    hasShortForm: true,
    load: async () => (await import('./scenarios/migrations.ts')).migrations,
  },
  {
    name: 'backups',
    title: 'backups damaged at random × 10,000, and the server killed during backups and restores × 40 (no broker needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/backups.ts')).backups,
  },
  {
    name: 'metric-rewriting',
    title: '10,000 random metric questions about random rows: rollups answer what the source answers (no broker needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/metric-rewriting.ts')).metricRewriting,
  },
  {
    name: 'kill-postgres',
    title: 'PostgreSQL, kill -9 and connections cut under load',
    hasShortForm: true,
    load: async () => (await import('./scenarios/kill-postgres.ts')).killPostgres,
  },
  {
    name: 'kill-broker',
    title: 'three brokers, each killed in turn under four concurrent producers, × 3',
    hasShortForm: false,
    load: async () => (await import('./scenarios/kill-broker.ts')).killBroker,
  },
  {
    name: 'transactions',
    title: 'three brokers, each killed in turn under three writers of transactions over nine partitions, and two processes that copy a topic',
    hasShortForm: false,
    load: async () => (await import('./scenarios/transactions.ts')).transactions,
  },
  {
    name: 'kill-all',
    title: 'ingestors × 40, ClickHouse × 8, a broker × 2, all at once',
    hasShortForm: false,
    load: async () => (await import('./scenarios/kill-all.ts')).killAll,
  },
  {
    name: 'any-two',
    title: 'each two of an ingestor, ClickHouse, PostgreSQL and the broker: one hangs (SIGSTOP), and meanwhile the other one hangs or dies',
    hasShortForm: true,
    load: async () => (await import('./scenarios/any-two.ts')).anyTwo,
  },
  {
    name: 'store-gone',
    title: 'ClickHouse away under load: once down, once a black hole',
    hasShortForm: true,
    load: async () => (await import('./scenarios/store-gone.ts')).storeGone,
  },
  {
    name: 'poison',
    title: '10 % malformed events, rows that one store alone refuses, dead letters without a topic for a while',
    hasShortForm: true,
    load: async () => (await import('./scenarios/poison.ts')).poison,
  },
  {
    name: 'clean-stops',
    title: 'SIGTERM in the middle of batches; a group scaled 1 → 4 → 1',
    hasShortForm: true,
    load: async () => (await import('./scenarios/clean-stops.ts')).cleanStops,
  },
  {
    name: 'partitions-added',
    title: 'partitions added to the topic under load, again and again, while 2 ingestors read it',
    hasShortForm: true,
    load: async () => (await import('./scenarios/partitions-added.ts')).partitionsAdded,
  },
  {
    name: 'clock-jumps',
    title: '3 ingestors: the clock of one jumps by an hour twice a second, one is a day ahead, one a day behind',
    hasShortForm: true,
    load: async () => (await import('./scenarios/clock-jumps.ts')).clockJumps,
  },
  {
    name: 'two-pipelines',
    title: 'two pipelines begin at once over four partitions of one topic, and the one that lost takes over from the one that won: killed, suspended, at work',
    hasShortForm: false,
    load: async () => (await import('./scenarios/two-pipelines.ts')).twoPipelines,
  },
  {
    name: 'models',
    title: 'policies beside their models, 100,000 random histories of each; a dead dependency, a burst, half-open (no engine needed)',
    // `npm test` runs a shorter one among the unit tests: without an engine there is nothing to wait for.
    hasShortForm: false,
    load: async () => (await import('./scenarios/models.ts')).models,
  },
  {
    name: 'pipeline-models',
    title: 'workers of a partition and their successors, 30,000 random histories of each set of stores: killed, suspended, failed over, held up (no engine needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/pipeline-models.ts')).pipelineModels,
  },
  {
    name: 'cache-models',
    title: 'fills and invalidations of several cache nodes, interleaved by schedule',
    hasShortForm: false,
    load: async () => (await import('./scenarios/cache-models.ts')).cacheModels,
  },
  {
    name: 'clickhouse-types',
    title: '10,000 random ClickHouse types with random values: into a server and back, and in its own words (no broker needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/clickhouse-types.ts')).clickhouseTypes,
  },
  {
    name: 'injection',
    title: '50,000 hostile texts as values and 100,000 as names, in every slot of a ClickHouse query (no broker needed)',
    // `npm test` runs hundreds among the integration tests.
    hasShortForm: false,
    load: async () => (await import('./scenarios/injection.ts')).injection,
  },
  {
    name: 'noisy-tenants',
    title: 'ten hostile tenants at their full allowed rate beside a good one (no broker needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/noisy-tenants.ts')).noisyTenants,
  },
  {
    name: 'query-builder',
    title: '10,000 random built queries beside plain code, and 100,000 hostile texts in every slot of one (no broker needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/query-builder.ts')).queryBuilder,
  },
  {
    name: 'optimizer',
    title: '10,000 random queries, as they are and as the optimizer makes them (no broker needed)',
    hasShortForm: false,
    load: async () => (await import('./scenarios/optimizer.ts')).optimizer,
  },
]
