import type { ServerIdentity, TimescaleEdition } from './capabilities.ts'
import { TimescaleConfigurationError } from './errors.ts'

/** Something that at least one edition can do. */
export type TimescaleFeature =
  | 'time-partitions'
  | 'drop-by-age'
  | 'time-buckets'
  | 'first-last'
  | 'gap-filling'
  | 'percentiles'
  | 'histograms'
  | 'space-partitions'
  | 'continuous-aggregates'
  | 'compression'
  | 'retention-policies'
  | 'jobs'
  | 'approximate-percentiles'

/** By what means a feature is there: `own SQL` and `own code` are this package's, on servers that lack a function of their own. */
export type FeatureProvider = 'hypertable' | 'native partition' | 'server function' | 'own SQL' | 'own code' | 'not at all'

/** How one feature stands on one server. */
export interface FeatureReport {
  readonly available: boolean
  readonly providedBy: FeatureProvider
  /** In words: `create_hypertable`, `date_bin in place of time_bucket`. */
  readonly how: string
  /** Calls of this package that rest on it; empty where it takes SQL of your own. */
  readonly calls: readonly string[]
  /** What would provide it; `null` when it is available. */
  readonly remedy: string | null
}

type Provision = readonly [providedBy: FeatureProvider, how: string]

interface FeatureDefinition {
  readonly calls: readonly string[]
  /** `null` where it isn't there at all. */
  readonly on: Readonly<Record<TimescaleEdition, Provision | null>>
}

const everywhere = (provision: Provision): FeatureDefinition['on'] => ({ postgresql: provision, 'timescaledb-apache': provision, 'timescaledb-community': provision })
const either = (plain: Provision | null, timescale: Provision): FeatureDefinition['on'] => ({ postgresql: plain, 'timescaledb-apache': timescale, 'timescaledb-community': timescale })
const communityOnly = (how: string): FeatureDefinition => ({
  calls: [],
  on: { postgresql: null, 'timescaledb-apache': null, 'timescaledb-community': ['server function', how] },
})

const DEFINITIONS: Readonly<Record<TimescaleFeature, FeatureDefinition>> = {
  'time-partitions': {
    calls: ['createHypertable', 'partitions.partitionByTime', 'partitions.list', 'partitions.setChunkInterval', 'partitions.advise'],
    on: either(['native partition', 'range partitions, made as rows need them'], ['hypertable', 'create_hypertable; the server makes chunks']),
  },
  'drop-by-age': {
    calls: ['partitions.dropBefore'],
    on: either(['native partition', 'drop table, partition by partition'], ['hypertable', 'drop_chunks, chunk by chunk']),
  },
  'time-buckets': {
    calls: ['getAggregated', 'smart_whale_time_bucket'],
    on: either(['own SQL', 'date_bin with the origins of time_bucket'], ['server function', 'time_bucket; date_bin for days of a zone']),
  },
  'first-last': {
    calls: ['getAggregated'],
    on: either(['own SQL', 'array_agg in order'], ['server function', 'first, last']),
  },
  'gap-filling': { calls: ['getAggregated'], on: everywhere(['own code', 'generate_series and a pass over the rows']) },
  percentiles: { calls: ['getAggregated'], on: everywhere(['server function', 'percentile_cont']) },
  histograms: { calls: [], on: either(null, ['server function', 'histogram']) },
  'space-partitions': { calls: [], on: either(null, ['hypertable', 'add_dimension']) },
  'continuous-aggregates': communityOnly('create materialized view … with (timescaledb.continuous)'),
  compression: communityOnly('compress_chunk, add_compression_policy'),
  'retention-policies': communityOnly('add_retention_policy'),
  jobs: communityOnly('add_job'),
  'approximate-percentiles': { calls: [], on: everywhere(['server function', 'percentile_agg, approx_percentile']) },
}

/** The features, in the order in which they are reported. */
export const timescaleFeatures = Object.keys(DEFINITIONS) as readonly TimescaleFeature[]

/** How every feature stands on a server. */
export function reportFeatures(server: ServerIdentity): Readonly<Record<TimescaleFeature, FeatureReport>> {
  return Object.fromEntries(timescaleFeatures.map((feature) => [feature, reportOf(feature, server)])) as Record<TimescaleFeature, FeatureReport>
}

/**
 * Does nothing when the server has the feature.
 *
 * @throws TimescaleConfigurationError `ERR_TIMESCALEDB_EDITION` naming edition, version and what would provide it
 */
export function requireFeature(server: ServerIdentity, feature: TimescaleFeature): void {
  if (!reportOf(feature, server).available) throw missingFeature(server, feature)
}

/**
 * The refusal of what an edition can't do.
 *
 * @param what the function or option that was asked for; without it the feature itself
 */
export function missingFeature(server: ServerIdentity, feature: TimescaleFeature, { what, cause }: { what?: string; cause?: unknown } = {}): TimescaleConfigurationError {
  const { available, calls } = reportOf(feature, server)
  const instead = available && calls.length > 0 ? `; ${calls.join(', ')} can do without` : ''
  const message = `${describeServer(server)} has no ${what ?? feature.replaceAll('-', ' ')}: it takes ${remedyFor(feature, server)}${instead}`
  return new TimescaleConfigurationError(message, {
    code: 'ERR_TIMESCALEDB_EDITION',
    status: 501,
    context: { feature, edition: server.edition, serverVersion: server.serverVersion, timescaledbVersion: server.timescaledbVersion },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The server as a reader would name it: `TimescaleDB 2.19.3 (Apache edition) on PostgreSQL 17.6`. */
export function describeServer({ edition, serverVersion, timescaledbVersion }: Pick<ServerIdentity, 'edition' | 'serverVersion' | 'timescaledbVersion'>): string {
  const postgres = `PostgreSQL ${Math.floor(serverVersion / 10_000)}.${serverVersion % 10_000}`
  if (edition === 'postgresql') return `${postgres} without TimescaleDB`
  return `TimescaleDB ${timescaledbVersion} (${edition === 'timescaledb-community' ? 'Community' : 'Apache'} edition) on ${postgres}`
}

function reportOf(feature: TimescaleFeature, server: ServerIdentity): FeatureReport {
  const { calls, on } = DEFINITIONS[feature]
  const provision = feature === 'approximate-percentiles' && server.toolkitVersion === null ? null : on[server.edition]
  if (!provision) return { available: false, providedBy: 'not at all', how: 'not at all', calls, remedy: remedyFor(feature, server) }
  const [providedBy, how] = provision
  return { available: true, providedBy, how, calls, remedy: null }
}

function remedyFor(feature: TimescaleFeature, { edition, availableVersion }: ServerIdentity): string {
  if (feature === 'approximate-percentiles') return 'the extension timescaledb_toolkit, a package of its own: create extension timescaledb_toolkit'
  const needsCommunity = DEFINITIONS[feature].on['timescaledb-apache'] === null
  const build = needsCommunity ? `TimescaleDB's Community edition: its own build of the extension, and timescaledb.license = 'timescale'` : 'TimescaleDB'
  if (edition !== 'postgresql') return build
  if (availableVersion === undefined) return `${build}, and in this database: create extension timescaledb`
  return availableVersion === null
    ? `${build}; this server doesn't have the extension installed`
    : `${build}; this server has ${availableVersion} installed: create extension timescaledb, in this database`
}
