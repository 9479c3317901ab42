import { abortedError } from '@smart-whale/interfaces'
import { Client } from 'pg'
import { TimescaleTimeoutError } from '../errors.ts'
import { mapError } from '../map-error.ts'
import type { SqlConnection, SqlConnectionOptions, SqlDriver } from '../sql-driver.ts'
import { BoundedConnection } from './bounded-connection.ts'
import { type ClientInternals, PgSession } from './pg-session.ts'

/** The default driver: `pg`, with `pg-cursor` and `pg-copy-streams`. */
export function createPgDriver(): SqlDriver {
  return { name: 'pg', connect }
}

async function connect(options: SqlConnectionOptions): Promise<SqlConnection> {
  const { signal, connectTimeoutMs } = options
  if (signal?.aborted) throw abortedError('connecting to PostgreSQL', signal)
  const client = new Client({
    host: options.host,
    port: options.port,
    database: options.database,
    user: options.user,
    // An empty one rather than none, for which the library would look into the environment and the home folder.
    password: options.password ?? '',
    ssl: options.tls ?? false,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
  })
  client.on('error', () => {})
  // A goodbye would wait for the server's answer: one that says nothing would hold the caller up for all of the time to connect.
  const giveUp = (): void => (client as unknown as ClientInternals).connection.stream.destroy()
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    await client.connect()
    return await BoundedConnection.open(new PgSession(client, options.prepare ?? false), options)
  } catch (error) {
    giveUp()
    if (signal?.aborted) throw abortedError('connecting to PostgreSQL', signal)
    throw isTimeout(error) ? connectTimeoutError(options, error) : mapError(error)
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

const isTimeout = (error: unknown): boolean => error instanceof Error && error.message === 'timeout expired'

/** The failure to open a connection in time. */
export function connectTimeoutError(options: SqlConnectionOptions, cause: unknown): TimescaleTimeoutError {
  return new TimescaleTimeoutError(`connecting to PostgreSQL at ${options.host}:${options.port} took longer than ${options.connectTimeoutMs} ms; check that it runs and is reachable`, {
    cause,
    context: { host: options.host, port: options.port, timeoutMs: options.connectTimeoutMs },
  })
}
