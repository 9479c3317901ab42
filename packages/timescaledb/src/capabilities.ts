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
