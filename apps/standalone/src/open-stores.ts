import { type ClickHouseAdapter, createAdapter } from '@smart-whale/clickhouse'
import { createMigrationManager, createTimescaleAdapter, type TimescaleDBStorage } from '@smart-whale/timescaledb'
import type { Closers } from '@smart-whale/app-process'
import { startEngines, type StartEnginesOptions } from './start-engines.ts'

/** Connections to both engines. */
export interface Stores {
  readonly owner: ClickHouseAdapter
  readonly reader: ClickHouseAdapter
  readonly storage: TimescaleDBStorage
  /** Address of ClickHouse. */
  readonly clickhouseUrl: string
}

/** Both engines, and connections to them: ClickHouse as its owner and as the read-only user who runs what callers send. */
export async function openStores(options: StartEnginesOptions, closers: Closers): Promise<Stores> {
  const { logger, signal } = options
  const engines = await startEngines(options)
  closers.add('engines', () => engines.stop())
  const { url, database, owner: ownerAccount, reader: readerAccount } = engines.clickhouse.current()
  const owner = createAdapter({ url, database, user: ownerAccount.username, password: ownerAccount.password }, { logger })
  closers.add('ClickHouse (owner)', () => owner.close())
  const reader = createAdapter({ url, database, user: readerAccount.username, password: readerAccount.password }, { logger })
  closers.add('ClickHouse (reader)', () => reader.close())
  const storage = createTimescaleAdapter({ url: engines.postgres.current().url }, { logger })
  closers.add('PostgreSQL', () => storage.disconnect())
  await Promise.all([owner.connect({ signal }), reader.connect({ signal }), storage.connect()])
  await createMigrationManager(storage, { logger }).up({ signal })
  return { owner, reader, storage, clickhouseUrl: url }
}
