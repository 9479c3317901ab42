import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach } from 'vitest'
import { type ClickHouseAdapter, ConnectionError, createMigrationManager, type MigrationManager, type MigrationManagerOptions, type QueryOptions, type QueryParams } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

/** Folders of migrations and a database for each test, and connections that break. */
export interface MigrationWorld {
  readonly database: OwnDatabase
  folderWith(files: Record<string, string>): Promise<string>
  write(folder: string, files: Record<string, string>): Promise<void>
  manage(options?: MigrationManagerOptions, adapter?: ClickHouseAdapter): MigrationManager
  /** Tables of the database, without the migrations' own. */
  tables(): Promise<string[]>
  lockTables(): Promise<number>
  runningQueries(): Promise<string[]>
  /** The real adapter with another `execute`. */
  withExecute(execute: ClickHouseAdapter['execute']): ClickHouseAdapter
  /** The real adapter, which breaks where the test says: before a statement is sent, or after it took effect and before anybody hears of it. */
  breaking(where: (query: string) => 'before' | 'after' | undefined): ClickHouseAdapter
}

/** Call it once at the top of a test file. */
export function migrationWorld(): MigrationWorld {
  const folders: string[] = []
  let database: OwnDatabase
  beforeEach(async () => {
    database = await ownDatabase()
  })
  afterEach(() => database.drop())
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

  const names = async (query: string): Promise<string[]> => (await database.owner.execute<{ name: string }>(query)).rows.map(({ name }) => name)
  const write = async (folder: string, files: Record<string, string>): Promise<void> => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  }
  const withExecute = (execute: ClickHouseAdapter['execute']): ClickHouseAdapter =>
    new Proxy(database.owner, {
      get: (target, name) => {
        if (name === 'execute') return execute
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return {
    get database() {
      return database
    },
    write,
    withExecute,
    folderWith: async (files) => {
      const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
      folders.push(folder)
      await write(folder, files)
      return folder
    },
    manage: (options = {}, adapter = database.owner) => createMigrationManager(adapter, options),
    tables: () => names("SELECT name FROM system.tables WHERE database = currentDatabase() AND name NOT LIKE 'smart_whale_%' ORDER BY name"),
    lockTables: async () => (await names("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'smart_whale_migrations_lock_%'")).length,
    runningQueries: () => names('SELECT query_id AS name FROM system.processes'),
    breaking: (where) =>
      withExecute((async (query: string, params?: QueryParams, options?: QueryOptions) => {
        const place = where(query)
        if (place === 'before') throw new ConnectionError('the connection broke')
        const result = await database.owner.execute(query, params, options)
        if (place === 'after') throw new ConnectionError('the connection broke')
        return result
      }) as ClickHouseAdapter['execute']),
  }
}
