import { TimescaleDBConfig } from './config.ts'
import type { TimescaleDBOptions } from './options.ts'
import { ConnectionPool, type ConnectionPoolDependencies } from './pool/connection-pool.ts'
import { TimescaleDBStorage, type TimescaleDBStorageOptions } from './storage/timescaledb-storage.ts'

/**
 * A storage with its pool, ready to `connect()`. Without a config it is read from the environment (`TIMESCALEDB_*`, `DATABASE_URL`).
 *
 * @throws TimescaleConfigurationError naming the option or variable that is wrong
 */
export function createTimescaleAdapter(
  config?: TimescaleDBConfig | TimescaleDBOptions,
  options: ConnectionPoolDependencies & TimescaleDBStorageOptions = {},
): TimescaleDBStorage {
  const complete = config instanceof TimescaleDBConfig ? config : config === undefined ? TimescaleDBConfig.load() : new TimescaleDBConfig(config)
  return new TimescaleDBStorage(new ConnectionPool(complete, options), options)
}
