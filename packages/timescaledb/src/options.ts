import type { SqlTlsOptions } from './sql-driver.ts'

/** A read replica. Login, database and TLS are the primary's. */
export interface ReplicaOptions {
  /** Host name or address. @default none, required */
  host: string
  /** TCP port. @default the primary's */
  port?: number | undefined
}

/** How the database is reached and how its connections are kept. */
export interface TimescaleDBOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`; the single options below win over its parts. @default none */
  url?: string | undefined
  /** Host name, address, or the folder of a unix socket. @default 'localhost' */
  host?: string | undefined
  /** TCP port. @default 5432 */
  port?: number | undefined
  /** Database to open. @default 'postgres' */
  database?: string | undefined
  /** Role to log in as. @default 'postgres' */
  user?: string | undefined
  /** Its password. @default none */
  password?: string | undefined
  /** TLS: `false` for plain text, `true` for a verified certificate, or details. @default false */
  tls?: boolean | SqlTlsOptions | undefined
  /** Client library: `'pg'`, or `'postgres'` (an optional peer). @default 'pg' */
  driver?: 'pg' | 'postgres' | undefined
  /** How the server lists our sessions. @default 'smart-whale' */
  applicationName?: string | undefined
  /** Connections at most, for the primary and for each replica. @default 10 */
  maxConnections?: number | undefined
  /** Calls that may wait for a connection; more are refused at once. @default 1000 */
  maxWaiting?: number | undefined
  /** How long a call may wait for a connection. @default 10000 */
  acquireTimeoutMs?: number | undefined
  /** How long opening a connection may take. @default 10000 */
  connectTimeoutMs?: number | undefined
  /** After how long without use a connection is closed. @default 60000 */
  idleTimeoutMs?: number | undefined
  /** After how long a connection is replaced, between two uses; up to a tenth less, so that not all go at once. @default 1800000 */
  maxLifetimeMs?: number | undefined
  /** How long closing waits for connections in use before it drops them. @default 10000 */
  closeTimeoutMs?: number | undefined
  /** How long a statement may take that names no limit of its own; the server enforces it too. 0 for no limit. @default 30000 */
  statementTimeoutMs?: number | undefined
  /** How long a statement may wait for a lock. 0 for no limit but the statement's. @default 0 */
  lockTimeoutMs?: number | undefined
  /** After how long without a statement the server ends an open transaction. 0 for never. @default 300000 */
  idleInTransactionTimeoutMs?: number | undefined
  /** Whether statements are prepared once per connection and text. Leave it off behind PgBouncer. @default false */
  prepare?: boolean | undefined
  /** Read replicas; calls with `readOnly` go to them in turn. @default [] */
  replicas?: readonly (string | ReplicaOptions)[] | undefined
}

/** What {@link TimescaleDBOptions} come to when they are left out. */
export const TIMESCALEDB_DEFAULTS = {
  host: 'localhost',
  port: 5432,
  database: 'postgres',
  user: 'postgres',
  tls: false,
  driver: 'pg',
  applicationName: 'smart-whale',
  maxConnections: 10,
  maxWaiting: 1_000,
  acquireTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  maxLifetimeMs: 1_800_000,
  closeTimeoutMs: 10_000,
  statementTimeoutMs: 30_000,
  lockTimeoutMs: 0,
  idleInTransactionTimeoutMs: 300_000,
  prepare: false,
  replicas: [],
} as const satisfies TimescaleDBOptions
