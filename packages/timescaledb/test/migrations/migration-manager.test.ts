import { builtInMigrations, createMigrationManager, createTimescaleAdapter, type Migration, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

const migration = (id: string, up: Migration['up'], down: Migration['down'] = []): Migration => ({ id, description: `makes ${id}`, up, down })

/** Each test migrates a bookkeeping table of its own, so that they don't see each other. */
let tables = 0
const ownTable = (): { table: string } => ({ table: `migrations_${tables++}` })

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
  })
  afterAll(() => database.close())

  const exists = async (name: string): Promise<boolean> => (await storage.execute<{ there: boolean }>('select to_regclass($1) is not null as there', [name]))[0]?.there === true
  const ids = (report: { ran: readonly { id: string }[] }): string[] => report.ran.map(({ id }) => id)

  describe('the built-in migrations', () => {
    it('are applied once by many deployers that start together', async () => {
      const own = await openTestDatabase(engine)
      try {
        const storages = await Promise.all([0, 1, 2, 3].map(() => own.connect()))
        const reports = await Promise.all(storages.map((one) => createMigrationManager(one).up()))

        expect(reports.flatMap(ids).sort()).toEqual(builtInMigrations.map(({ id }) => id))
        expect((await createMigrationManager(own.storage).status()).map(({ state }) => state)).toEqual(builtInMigrations.map(() => 'applied'))
        await createMigrationManager(own.storage).verify()
        expect(ids(await createMigrationManager(own.storage).up())).toEqual([])
      } finally {
        await own.close()
      }
    })

    it('make do with a single connection that was never used before', async () => {
      const own = await engine.freshDatabase()
      const single = createTimescaleAdapter({ url: own.url, maxConnections: 1, acquireTimeoutMs: 30_000 })
      await createMigrationManager(single).up()
      await single.execute('create table single (at timestamptz not null)')
      await single.createHypertable('single', 'at')
      await single.disconnect()
      await own.drop()
    })

    it('go back and forth and keep the points', async () => {
      const own = await openTestDatabase(engine)
      try {
        const manager = createMigrationManager(own.storage)
        await manager.up({ to: 'v002_add_indexes' })
        const insert = `insert into time_series_data select 's' || i % 3, '2001-01-01'::timestamptz + i * interval '1 day', i from generate_series(1, 100) i`
        await own.storage.execute(insert)
        const points = () => own.storage.execute('select id, "timestamp", value, metadata from time_series_data order by "timestamp"')
        const shape = () =>
          own.storage.execute(
            `select relkind::text as kind, array(select indexname::text from pg_indexes where tablename = 'time_series_data' order by 1) as indexes from pg_class where relname = 'time_series_data'`,
          )
        const [before, plain] = [await points(), await shape()]

        expect(ids(await manager.up({ to: 'v003_partitioning' }))).toEqual(['v003_partitioning'])
        const { hypertables } = await own.storage.capabilities()
        expect([await points(), (await shape())[0]?.['kind']]).toEqual([before, hypertables ? 'r' : 'p'])
        expect(ids(await manager.down())).toEqual(['v003_partitioning'])
        expect([await points(), await shape()]).toEqual([before, plain])
        expect(ids(await manager.down({ steps: 5 }))).toEqual(['v002_add_indexes', 'v001_initial_schema'])
        const left = await own.storage.execute(`select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1`)
        expect(left.map(({ relname }) => relname)).toEqual(['smart_whale_migrations', ...(hypertables ? [] : ['smart_whale_partitioning'])])
        expect(ids(await manager.up())).toHaveLength(builtInMigrations.length)
      } finally {
        await own.close()
      }
    })

    it('bring time_bucket for SQL that has to run without TimescaleDB', async () => {
      const own = await openTestDatabase(engine)
      try {
        await createMigrationManager(own.storage).up()
        const bucket = async (width: string, at: string, zone = 'UTC') =>
          ((await own.storage.execute<{ bucket: Date }>('select smart_whale_time_bucket($1::text::interval, $2::timestamptz, $3) as bucket', [width, new Date(at), zone]))[0]?.bucket as Date).toISOString()

        expect(await bucket('7 days', '2001-01-03T12:00:00Z')).toBe('2001-01-01T00:00:00.000Z')
        expect(await bucket('3 months', '1999-12-31T00:00:00Z')).toBe('1999-10-01T00:00:00.000Z')
        expect(await bucket('1 day', '2001-07-01T23:00:00Z', 'Europe/Berlin')).toBe('2001-07-01T22:00:00.000Z')
        expect(await bucket('1 month', '2001-07-31T22:30:00Z', 'Europe/Berlin')).toBe('2001-07-31T22:00:00.000Z')
        await expect(bucket('1 month 1 day', '2001-01-01T00:00:00Z')).rejects.toThrow()
      } finally {
        await own.close()
      }
    })
  })

  describe('MigrationManager', () => {
    it('says what a dry run would do, and does nothing', async () => {
      const manager = createMigrationManager(storage, { ...ownTable(), migrations: [migration('v001_a', ['create table dry (id int)', { name: 'fill it', revision: 2, run: async () => {} }])] })

      const report = await manager.up({ dryRun: true })

      expect(report).toEqual({ direction: 'up', dryRun: true, ran: [{ id: 'v001_a', steps: ['create table dry (id int)', '-- fill it (revision 2)'], durationMs: 0 }] })
      expect([await exists('dry'), (await manager.status())[0]?.state]).toEqual([false, 'pending'])
    })

    it('keeps nothing of a migration that fails, and everything before it', async () => {
      const manager = createMigrationManager(storage, { ...ownTable(), migrations: [migration('v001_a', ['create table kept (id int)']), migration('v002_b', ['create table lost (id int)', 'select nonsense'])] })

      await expect(manager.up()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_MIGRATION', message: expect.stringMatching(/v002_b failed at step 2/) as unknown, context: { migration: 'v002_b' } })

      expect([await exists('kept'), await exists('lost')]).toEqual([true, false])
      expect((await manager.status()).map(({ state }) => state)).toEqual(['applied', 'pending'])
    })

    it('refuses to go on when an applied migration was altered', async () => {
      const own = ownTable()
      await createMigrationManager(storage, { ...own, migrations: [migration('v001_a', ['select 1'])] }).up()
      const altered = createMigrationManager(storage, { ...own, migrations: [migration('v001_a', ['select 2']), migration('v002_b', ['create table never (id int)'])] })

      await expect(altered.up()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_MIGRATION_CHANGED' })
      await expect(altered.verify()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_MIGRATION_CHANGED' })
      expect((await altered.status())[0]?.state).toBe('changed')
      expect(await exists('never')).toBe(false)
    })

    it('refuses one that comes before an applied one, unless told otherwise', async () => {
      const own = ownTable()
      const late = [migration('v001_a', ['select 1']), migration('v002_b', ['select 1'])]
      await createMigrationManager(storage, { ...own, migrations: late.slice(1) }).up()

      await expect(createMigrationManager(storage, { ...own, migrations: late }).up()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_MIGRATION_ORDER' })
      expect(ids(await createMigrationManager(storage, { ...own, migrations: late, allowOutOfOrder: true }).up())).toEqual(['v001_a'])
    })

    it('starts over a database that a newer program has migrated, and names what it does not know', async () => {
      const own = ownTable()
      const all = [migration('v001_a', ['select 1']), migration('v002_b', ['select 1'])]
      await createMigrationManager(storage, { ...own, migrations: all }).up()
      const older = createMigrationManager(storage, { ...own, migrations: all.slice(0, 1) })

      expect(ids(await older.up())).toEqual([])
      expect((await older.status()).map(({ id, state }) => [id, state])).toEqual([['v001_a', 'applied'], ['v002_b', 'unknown']])
    })

    it('goes up and down to where it is told', async () => {
      const names = ['v001_a', 'v002_b', 'v003_c']
      const manager = createMigrationManager(storage, { ...ownTable(), migrations: names.map((id) => migration(id, ['select 1'], ['select 1'])) })

      expect(ids(await manager.up({ to: 'v002_b' }))).toEqual(['v001_a', 'v002_b'])
      await expect(manager.verify()).rejects.toMatchObject({ message: expect.stringContaining('v003_c') as unknown })
      expect(ids(await manager.up())).toEqual(['v003_c'])
      expect(ids(await manager.down({ to: 'v001_a', dryRun: true }))).toEqual(['v003_c', 'v002_b'])
      expect(ids(await manager.down({ to: 'v001_a' }))).toEqual(['v003_c', 'v002_b'])
      await expect(manager.up({ to: 'v009_nowhere' })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_MIGRATION' })
    })

    it('refuses to take back what has no way back', async () => {
      const manager = createMigrationManager(storage, { ...ownTable(), migrations: [migration('v001_a', ['select 1'])] })
      await manager.up()

      await expect(manager.down()).rejects.toMatchObject({ message: expect.stringContaining('no way back') as unknown })
    })

    it('does not wait for another deployer for ever', async () => {
      const own = ownTable()
      await using holder = await storage.beginTransaction()
      await holder.execute(`select pg_advisory_xact_lock(hashtextextended($1, 0))::text as locked`, [`smart_whale.migrations:"${own.table}"`])
      const manager = createMigrationManager(storage, { ...own, lockTimeoutMs: 100, migrations: [migration('v001_a', ['select 1'])] })

      await expect(manager.up()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_LOCKED', retryable: true })
    })
  })
})
