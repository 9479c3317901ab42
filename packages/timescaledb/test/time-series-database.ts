import { createMigrationManager, createTimescaleAdapter, IngestLedger, type TimescaleDBStorage, type TimescaleStorage } from '@smart-whale/timescaledb'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { TestEngine } from './each-engine.ts'

/** A database of a test's own. */
export interface TestDatabase {
  /** Its address, for another process. */
  readonly url: string
  readonly storage: TimescaleDBStorage
  /** Another pool on the same database, as another process would have. */
  connect(options?: { maxConnections?: number }): Promise<TimescaleDBStorage>
  /** A pool on another database of a test's, closed with the others. */
  connectTo(url: string): Promise<TimescaleDBStorage>
  close(): Promise<void>
}

/** Opens an empty database on a server of the run; `close` ends every connection and drops it. */
export async function openTestDatabase(engine: TestEngine): Promise<TestDatabase> {
  const database = await engine.freshDatabase()
  const opened: TimescaleDBStorage[] = []
  const connect = (options: { maxConnections?: number } = {}): Promise<TimescaleDBStorage> => open({ url: database.url, ...options })
  const open = async (options: { url: string; maxConnections?: number }): Promise<TimescaleDBStorage> => {
    const storage = createTimescaleAdapter(options)
    opened.push(storage)
    await storage.connect()
    return storage
  }
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((storage) => storage.disconnect()))
    await database.drop()
  }
  return { url: database.url, storage: await connect(), connect, connectTo: (url) => open({ url }), close }
}

/** A database with what migrations make, and the ledger in it. */
export interface LedgerDatabase extends TestDatabase {
  readonly ledger: IngestLedger
}

/** Opens one for slices to be written to. */
export async function openLedgerDatabase(engine: TestEngine): Promise<LedgerDatabase> {
  const database = await openTestDatabase(engine)
  await createMigrationManager(database.storage).up()
  return { ...database, ledger: new IngestLedger(database.storage) }
}

/** Waits until a condition holds, for at most a minute unless told otherwise. */
export async function until(condition: () => Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > deadline) expect.fail(`it did not happen within ${limitMs} ms: ${what}`)
    await sleep(10)
  }
}

/** Waits until some session of the database waits for another one's lock. */
export function untilSomebodyWaits(storage: Pick<TimescaleStorage, 'execute'>): Promise<void> {
  return until(async () => {
    const waiting = await storage.execute(`select 1 as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
    return waiting.length > 0
  }, 'a session waits for a lock')
}
