import { abortedError } from '@smart-whale/interfaces'
import type { Options, PostgresType, Sql } from 'postgres'
import { TimescaleConfigurationError } from '../errors.ts'
import { mapError } from '../map-error.ts'
import type { SqlConnection, SqlConnectionOptions, SqlDriver } from '../sql-driver.ts'
import { BoundedConnection } from './bounded-connection.ts'
import { decodedTypes } from './decode-value.ts'
import { connectTimeoutError } from './pg-driver.ts'
import { PostgresSession } from './postgres-session.ts'

type Library = (options: Options<Record<string, PostgresType>>) => Sql

/** The driver over `postgres` (porsager's), an optional peer that is loaded on first use. */
export function createPostgresDriver(): SqlDriver {
  return { name: 'postgres', connect }
}

async function connect(options: SqlConnectionOptions): Promise<SqlConnection> {
  const { signal } = options
  const library = await loadLibrary()
  if (signal?.aborted) throw abortedError('connecting to PostgreSQL', signal)
  const closed = Promise.withResolvers<unknown>()
  let whyClosed: Error | undefined
  const onclose = (): void => closed.resolve((whyClosed ??= Object.assign(new RangeError('connection closed'), { code: 'CONNECTION_CLOSED' })))
  const client = library({ ...libraryOptions(options), onclose })
  const giveUp = (): void => void client.end({ timeout: 0 }).catch(() => {})
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    // Opens the connection; reserving one that isn't open yet would wait forever where array types aren't fetched.
    const { state } = await client.unsafe('select 1')
    const session = await client.reserve()
    const parts = { client, session, closed: closed.promise, whyClosed: () => whyClosed, prepare: options.prepare ?? false, processId: state.pid, secretKey: state.secret }
    return await BoundedConnection.open(new PostgresSession(parts), options)
  } catch (error) {
    giveUp()
    if (signal?.aborted) throw abortedError('connecting to PostgreSQL', signal)
    throw (error as { code?: unknown }).code === 'CONNECT_TIMEOUT' ? connectTimeoutError(options, error) : mapError(error)
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

function libraryOptions(options: SqlConnectionOptions): Options<Record<string, PostgresType>> {
  return {
    host: options.host,
    port: options.port,
    database: options.database,
    username: options.user,
    password: options.password ?? '',
    ssl: options.tls || false,
    max: 1,
    idle_timeout: 0,
    max_lifetime: 0,
    connect_timeout: options.connectTimeoutMs / 1000,
    prepare: true,
    fetch_types: false,
    onnotice: () => {},
    // Parameters are text by then; results are read by our own rules.
    types: Object.fromEntries([...decodedTypes()].map(([typeId, parse]) => [String(typeId), { to: typeId, from: [typeId], serialize: String, parse }])),
  }
}

async function loadLibrary(): Promise<Library> {
  try {
    return ((await import('postgres')) as unknown as { default: Library }).default
  } catch (cause) {
    throw new TimescaleConfigurationError('the driver "postgres" needs the package postgres, which is not installed; add it: npm install postgres', {
      code: 'ERR_TIMESCALEDB_PEER_MISSING',
      cause,
      context: { package: 'postgres' },
    })
  }
}
