import { createPgDriver, createPostgresDriver, type SqlConnection, type SqlConnectionOptions, type SqlDriver } from '@smart-whale/timescaledb'

/** Both drivers: every suite runs with each. */
export const drivers: readonly (() => SqlDriver)[] = [createPgDriver, createPostgresDriver]

/** How to connect to what an address names. */
export function optionsFor(address: string, change: Partial<SqlConnectionOptions> = {}): SqlConnectionOptions {
  const url = new URL(address)
  return {
    host: url.hostname,
    port: Number(url.port),
    database: url.pathname.slice(1),
    user: url.username,
    password: decodeURIComponent(url.password),
    connectTimeoutMs: 60_000,
    statementTimeoutMs: 60_000,
    ...change,
  }
}

/** Opens a connection, and hands it to `use`; closed afterwards. */
export async function withConnection<T>(driver: SqlDriver, options: SqlConnectionOptions, use: (connection: SqlConnection) => Promise<T>): Promise<T> {
  const connection = await driver.connect(options)
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}
