import type { CallOptions } from '@smart-whale/interfaces'
import type { SqlConnection } from './sql-driver.ts'

/** Which PostgreSQL this is, as far as time series are concerned. */
export type TimescaleEdition = 'postgresql' | 'timescaledb-apache' | 'timescaledb-community'

/** What the server can do; detected once at connect. */
export interface TimescaleCapabilities {
  readonly edition: TimescaleEdition
  /** The server's version as a number: 180004 is 18.4. */
  readonly serverVersion: number
  /** Version of the extension, `null` without it. */
  readonly timescaledbVersion: string | null
  /** `create_hypertable`, `time_bucket`, `drop_chunks`. */
  readonly hypertables: boolean
  /** Native continuous aggregates, compression, retention policies, gap filling. */
  readonly community: boolean
}

/** Asks a server what it can do. */
export async function detectCapabilities(connection: Pick<SqlConnection, 'query'>, options?: CallOptions): Promise<TimescaleCapabilities> {
  const { rows } = await connection.query<{ version: number; extension: string | null; license: string | null }>(
    `select current_setting('server_version_num')::int as version,
            (select extversion from pg_extension where extname = 'timescaledb') as extension,
            current_setting('timescaledb.license', true) as license`,
    [],
    options,
  )
  const [found] = rows
  const timescaledbVersion = found?.extension ?? null
  const community = timescaledbVersion !== null && found?.license === 'timescale'
  return {
    edition: timescaledbVersion === null ? 'postgresql' : community ? 'timescaledb-community' : 'timescaledb-apache',
    serverVersion: found?.version ?? 0,
    timescaledbVersion,
    hypertables: timescaledbVersion !== null,
    community,
  }
}
