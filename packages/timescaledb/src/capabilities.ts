import type { CallOptions } from '@smart-whale/interfaces'
import { type FeatureReport, reportFeatures, type TimescaleFeature } from './features.ts'
import type { SqlConnection } from './sql-driver.ts'

/** Which PostgreSQL this is, as far as time series are concerned. */
export type TimescaleEdition = 'postgresql' | 'timescaledb-apache' | 'timescaledb-community'

/** What tells one server's abilities from another's. */
export interface ServerIdentity {
  readonly edition: TimescaleEdition
  /** The server's version as a number: 180004 is 18.4. */
  readonly serverVersion: number
  /** Version of the extension in this database, `null` without it. */
  readonly timescaledbVersion: string | null
  /** Version of the extension that this server can install here or update to, `null` when it has none to offer, `undefined` when nobody has asked. */
  readonly availableVersion?: string | null
  /** Version of `timescaledb_toolkit` in this database, `null` without it. */
  readonly toolkitVersion: string | null
}

/** What the server can do; detected once at connect. */
export interface TimescaleCapabilities extends ServerIdentity {
  /** `create_hypertable`, `time_bucket`, `drop_chunks`. */
  readonly hypertables: boolean
  /** Native continuous aggregates, compression, retention policies, gap filling. */
  readonly community: boolean
  /** Each thing that one edition can do: whether this one can, by what means, and what would provide it. */
  readonly features: Readonly<Record<TimescaleFeature, FeatureReport>>
}

/** Asks a server what it can do. */
export async function detectCapabilities(connection: Pick<SqlConnection, 'query'>, options?: CallOptions): Promise<TimescaleCapabilities> {
  const { rows } = await connection.query<{ version: number; extension: string | null; available: string | null; toolkit: string | null; license: string | null }>(
    `select current_setting('server_version_num')::int as version,
            (select extversion from pg_extension where extname = 'timescaledb') as extension,
            (select default_version from pg_available_extensions where name = 'timescaledb') as available,
            (select extversion from pg_extension where extname = 'timescaledb_toolkit') as toolkit,
            current_setting('timescaledb.license', true) as license`,
    [],
    options,
  )
  const [found] = rows
  return describeCapabilities({
    edition: editionOf(found?.extension ?? null, found?.license ?? null),
    serverVersion: found?.version ?? 0,
    timescaledbVersion: found?.extension ?? null,
    availableVersion: found?.available ?? null,
    toolkitVersion: found?.toolkit ?? null,
  })
}

/** Everything that follows from what a server is. */
export function describeCapabilities(server: ServerIdentity): TimescaleCapabilities {
  const { edition } = server
  return { ...server, hypertables: edition !== 'postgresql', community: edition === 'timescaledb-community', features: reportFeatures(server) }
}

/** The edition that the extension's version and license come to. */
export function editionOf(extension: string | null, license: string | null): TimescaleEdition {
  if (extension === null) return 'postgresql'
  return license === 'timescale' ? 'timescaledb-community' : 'timescaledb-apache'
}
