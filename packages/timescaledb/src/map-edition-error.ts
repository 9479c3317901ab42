import { TimescaleConfigurationError, TimescaleConnectionError, TimescaleOperationError } from './errors.ts'
import { editionOf, type ServerIdentity } from './capabilities.ts'
import { describeServer, missingFeature, type TimescaleFeature } from './features.ts'

/** What a session knows of its server from the moment it is opened. */
export interface SessionServer {
  readonly serverVersion: number
  /** Version of the extension in this database, `null` without it. */
  readonly extension: string | null
  /** `apache` or `timescale` once the extension's library is loaded, `null` before. */
  readonly license: string | null
  /** Whether the database is in TimescaleDB's restore mode. */
  readonly restoring: boolean
}

/** Functions, options and views by which a statement shows what it wants. */
const WANTED: readonly (readonly [RegExp, TimescaleFeature])[] = [
  [/\b(approx_percentile|percentile_agg|uddsketch|tdigest|stats_agg|counter_agg|time_weight)\b/, 'approximate-percentiles'],
  [/\btime_bucket_gapfill\b|\b(locf|interpolate)\(/, 'gap-filling'],
  [/continuous_aggregate|cagg_migrate/, 'continuous-aggregates'],
  [/compress_chunk|columnstore|compression_(policy|stats)/, 'compression'],
  [/retention_policy/, 'retention-policies'],
  [/\b(add|alter|delete|run)_job\b/, 'jobs'],
  [/\bhistogram\(/, 'histograms'],
  [/\badd_dimension\b/, 'space-partitions'],
  [/\bdrop_chunks\b/, 'drop-by-age'],
  [/\btime_bucket\b/, 'time-buckets'],
  [/\b(first|last)\(/, 'first-last'],
  [/\b(create_hypertable|show_chunks|set_chunk_time_interval|hypertable_size|chunks_detailed_size|by_range)\b|timescaledb_information\.|namespace "(timescaledb|tsdb)"/, 'time-partitions'],
]

/** How the server complains of a name that it doesn't know: function, table, schema, option. */
const UNDEFINED_STATES = new Set(['42883', '42P01', '3F000', '22023'])

/**
 * Why the extension, or the lack of it, made the server refuse; `undefined` when it is about something else.
 *
 * @param server `undefined` while a session is being opened
 */
export function mapEditionError(report: { readonly code?: string; readonly message?: string }, server: SessionServer | undefined, cause: unknown): Error | undefined {
  const words = report.message ?? ''
  const state = report.code ?? ''
  const library = /could not access file "(?:\$libdir\/)?timescaledb-([^"]+)"/.exec(words)
  if (library) return outdatedExtension(library[1] as string, cause)
  if (/extension "timescaledb" must be preloaded/.test(words)) return notLoaded(cause)
  if (/already loaded with a different version/.test(words)) return updatedExtension(cause)
  if (state === '0A000' && /during restore/.test(words)) return restoring(cause)
  if (!server) return undefined
  const license = state === '0A000' ? /under the current "(\w+)" license/.exec(words)?.[1] : undefined
  if (license !== undefined) return refusedByLicense(words, { ...server, license }, cause)
  const feature = UNDEFINED_STATES.has(state) ? featureIn(words) : undefined
  // Where the extension is there, only the functions of another one can be missing: the rest is a slip in their arguments.
  if (!feature || (server.extension !== null && feature !== 'approximate-percentiles')) return undefined
  return missingFeature(identityOf(server), feature, { what: describeWanted(words), cause })
}

/**
 * Refuses a session in which TimescaleDB isn't whole: newer versions would take rows there that nobody ever sees again,
 * because without its library they go into the table itself and into no chunk.
 *
 * @throws TimescaleConfigurationError, TimescaleOperationError `ERR_TIMESCALEDB_RESTORING`
 */
export function checkSession({ extension, license, restoring: isRestoring }: SessionServer): void {
  if (extension !== null && license === null) throw notLoaded(undefined)
  if (isRestoring) throw restoring(undefined)
}

function featureIn(words: string): TimescaleFeature | undefined {
  return WANTED.find(([pattern]) => pattern.test(words))?.[1]
}

/** `function time_bucket`, `relation "timescaledb_information.chunks"`; of the arguments nothing. */
function describeWanted(words: string): string {
  return /^((?:function|procedure) [\w.]+)/.exec(words)?.[1] ?? /((?:relation|schema|namespace) "[^"]*")/.exec(words)?.[1] ?? 'what the statement asks for'
}

function identityOf({ serverVersion, extension, license }: SessionServer): ServerIdentity {
  return { edition: editionOf(extension, license), serverVersion, timescaledbVersion: extension, toolkitVersion: null }
}

function refusedByLicense(words: string, server: SessionServer, cause: unknown): TimescaleConfigurationError {
  const identity = identityOf(server)
  const what = /function "([^"]+)"/.exec(words)?.[1] ?? 'what the statement asks for'
  const feature = featureIn(`${what}(`)
  const message = `${describeServer(identity)} refuses ${what}: it takes TimescaleDB's Community edition, that is its own build of the extension and timescaledb.license = 'timescale' (0A000)`
  const { edition, serverVersion, timescaledbVersion } = identity
  return new TimescaleConfigurationError(message, {
    code: 'ERR_TIMESCALEDB_EDITION',
    status: 501,
    cause,
    context: { sqlState: '0A000', edition, serverVersion, timescaledbVersion, ...(feature ? { feature } : {}) },
  })
}

function outdatedExtension(version: string, cause: unknown): TimescaleConfigurationError {
  const message = `this database has version ${version} of the extension timescaledb, for which the server has no library any more: run "alter extension timescaledb update" in it, as the first statement of a new session`
  return new TimescaleConfigurationError(message, { code: 'ERR_TIMESCALEDB_EXTENSION', status: 503, cause, context: { extension: version } })
}

/** The server ends every session that began before an update, at its next statement and before that runs. */
function updatedExtension(cause: unknown): TimescaleConnectionError {
  const message = 'the extension timescaledb was updated after this session began, so the server ended the session: a new one takes its place'
  return new TimescaleConnectionError(message, { code: 'ERR_TIMESCALEDB_CONNECTION_LOST', cause })
}

function notLoaded(cause: unknown): TimescaleConfigurationError {
  const message = `the extension timescaledb is installed in this database but its library is not loaded, so rows would be stored where no query finds them: add timescaledb to shared_preload_libraries, switch timescaledb.disable_load off, and restart the server`
  return new TimescaleConfigurationError(message, { code: 'ERR_TIMESCALEDB_EXTENSION', status: 503, ...(cause === undefined ? {} : { cause }) })
}

function restoring(cause: unknown): TimescaleOperationError {
  const message = `this database is in TimescaleDB's restore mode, in which rows would be stored where no query finds them: wait for the restore, or end it by "select timescaledb_post_restore()"`
  return new TimescaleOperationError(message, { code: 'ERR_TIMESCALEDB_RESTORING', status: 503, retryable: true, ...(cause === undefined ? {} : { cause }) })
}
