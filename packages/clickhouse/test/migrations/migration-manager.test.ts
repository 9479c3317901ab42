import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import type { QueryOptions, QueryParams } from '../../src/index.ts'
import { takeMigrationLock } from '../../src/migrations/migration-lock.ts'
import { migrationWorld } from './migration-world.ts'

const world = migrationWorld()

const TWO = {
  '001_flights.up.sql':
    "-- the first; table\nCREATE TABLE flights (id UInt64, note String DEFAULT ';') ENGINE = MergeTree ORDER BY id;\nINSERT INTO flights VALUES (1, 'a;b'), (2, 'it''s');",
  '001_flights.down.sql': 'DROP TABLE flights;',
  '002_airports.up.sql': 'CREATE TABLE airports (code String) ENGINE = MergeTree ORDER BY code',
}

describe('a folder of migrations', () => {
  it('is applied in order, once', async () => {
    const folder = await world.folderWith(TWO)

    const first = await world.manage().runMigrations(folder)
    const second = await world.manage().runMigrations(folder)

    expect(first).toMatchObject({
      dryRun: false,
      succeeded: [
        { version: 1, name: 'flights', statements: 2 },
        { version: 2, name: 'airports', statements: 1 },
      ],
      failed: [],
      planned: [],
    })
    expect(second).toMatchObject({ succeeded: [], failed: [], planned: [] })
    expect(await world.tables()).toEqual(['airports', 'flights'])
    expect((await world.database.owner.execute('SELECT * FROM flights ORDER BY id')).rows).toEqual([
      { id: 1n, note: 'a;b' },
      { id: 2n, note: "it's" },
    ])
    expect(await world.lockTables()).toBe(0)
  })

  it('may make a view with parameters', async () => {
    const folder = await world.folderWith({ '001_view.up.sql': 'CREATE VIEW above AS SELECT number AS n FROM numbers(9) WHERE number > {least:UInt64}', '001_view.down.sql': 'DROP VIEW above' })

    expect(await world.manage().runMigrations(folder)).toMatchObject({ succeeded: [{ version: 1 }], failed: [] })

    expect((await world.database.owner.execute('SELECT count() AS n FROM above(least = {l:UInt64})', { l: 5 })).rows).toEqual([{ n: 3n }])
  })

  it('is told and not touched by a dry run', async () => {
    const folder = await world.folderWith(TWO)

    const report = await world.manage().runMigrations(folder, { dryRun: true })

    expect(report).toMatchObject({ dryRun: true, succeeded: [], failed: [] })
    expect(report.planned.map(({ version, statements }) => [version, statements.length])).toEqual([
      [1, 2],
      [2, 1],
    ])
    expect((await world.database.owner.execute('SELECT name FROM system.tables WHERE database = currentDatabase()')).rows).toEqual([])
  })

  it('says where each of its migrations stands', async () => {
    const folder = await world.folderWith(TWO)
    await world.manage().runMigrations(folder)
    await world.write(folder, { '001_flights.up.sql': 'SELECT 1', '003_more.up.sql': 'SELECT 1' })
    await rm(join(folder, '002_airports.up.sql'))

    const status = await world.manage().getStatus(folder)

    expect(status.map(({ version, name, state }) => [version, name, state])).toEqual([
      [1, 'flights', 'changed'],
      [2, 'airports', 'missing'],
      [3, 'more', 'pending'],
    ])
    await expect(world.manage().runMigrations(folder)).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_MIGRATION_CHANGED',
      message: expect.stringContaining('flights') as string,
    })
  })

  it('does not change by other line ends', async () => {
    const folder = await world.folderWith(TWO)
    await world.manage().runMigrations(folder)
    await world.write(folder, { '001_flights.up.sql': TWO['001_flights.up.sql'].replaceAll('\n', '\r\n') })

    expect((await world.manage().getStatus(folder))[0]).toMatchObject({ state: 'applied' })
  })

  it('may get a migration in between only where that is allowed', async () => {
    const folder = await world.folderWith({ '002_b.up.sql': 'CREATE TABLE b (x Int8) ENGINE = Memory' })
    await world.manage().runMigrations(folder)
    await world.write(folder, { '001_a.up.sql': 'CREATE TABLE a (x Int8) ENGINE = Memory' })

    await expect(world.manage().runMigrations(folder)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_ORDER' })
    await world.manage({ allowOutOfOrder: true }).runMigrations(folder)

    expect(await world.tables()).toEqual(['a', 'b'])
  })

  it.each([
    [{ 'first.sql': 'SELECT 1' }, 'first.sql'],
    [{ '1_a.up.sql': 'SELECT 1', '01_b.up.sql': 'SELECT 1' }, '1_a.up.sql'],
    [{ '1_a.down.sql': 'SELECT 1' }, '1_a.down.sql'],
    [{ '1_a.up.sql': ' \n' }, '1_a.up.sql'],
    [{ '1_a.up.sql': 'SELECT 1', '1_b.down.sql': 'SELECT 1' }, '1_b.down.sql'],
  ])('that is wrong is refused: %o', async (files, named) => {
    await expect(world.manage().runMigrations(await world.folderWith(files as Record<string, string>))).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_MIGRATION_FILE',
      message: expect.stringContaining(named) as string,
    })
  })

  it('that is not there is refused', async () => {
    await expect(world.manage().runMigrations('/nowhere')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_FILE' })
  })
})

describe('a migration that fails', () => {
  const THREE = {
    '1_a.up.sql': 'CREATE TABLE a (x Int8) ENGINE = Memory',
    '2_b.up.sql':
      'CREATE TABLE b (x Int8) ENGINE = Memory;\nCREATE TABLE c (x NoSuchType) ENGINE = Memory;\nCREATE TABLE d (x Int8) ENGINE = Memory',
    '3_e.up.sql': 'CREATE TABLE e (x Int8) ENGINE = Memory',
  }

  it('stops the run, and is gone on with where it stopped once its statement is mended', async () => {
    const folder = await world.folderWith(THREE)

    const failed = await world.manage().runMigrations(folder)
    const status = await world.manage().getStatus(folder)
    await world.write(folder, { '2_b.up.sql': THREE['2_b.up.sql'].replace('NoSuchType', 'Int8') })
    const mended = await world.manage().runMigrations(folder)

    expect(failed).toMatchObject({
      succeeded: [{ version: 1 }],
      failed: [{ version: 2, error: { code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' } }],
      planned: [{ version: 3 }],
    })
    expect(status[1]).toMatchObject({
      state: 'half-done',
      statementsDone: 1,
      uncertain: false,
      error: expect.stringContaining('NoSuchType') as string,
    })
    expect(mended).toMatchObject({ succeeded: [{ version: 2, statements: 2 }, { version: 3 }], failed: [] })
    expect(await world.tables()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('is not gone on with when what took effect reads differently', async () => {
    const folder = await world.folderWith(THREE)
    await world.manage().runMigrations(folder)
    await world.write(folder, { '2_b.up.sql': THREE['2_b.up.sql'].replace('TABLE b (x Int8)', 'TABLE b (x Int16)') })

    const report = await world.manage().runMigrations(folder)

    expect(report.failed).toMatchObject([
      { version: 2, error: { code: 'ERR_CLICKHOUSE_MIGRATION_CHANGED', message: expect.stringContaining('statement 1') as string } },
    ])
  })
})

describe('several runners at once', () => {
  it('apply each migration once', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 5 }, (_value, index) => [
        `${index + 1}_t.up.sql`,
        `CREATE TABLE t${index} (x Int8) ENGINE = Memory; INSERT INTO t${index} SELECT 1`,
      ]),
    )
    const folder = await world.folderWith(files)

    const reports = await Promise.all(Array.from({ length: 5 }, () => world.manage({}, world.database.connect()).runMigrations(folder)))

    expect(reports.flatMap(({ failed }) => failed)).toEqual([])
    expect(
      reports
        .flatMap(({ succeeded }) => succeeded)
        .map(({ version }) => version)
        .sort(),
    ).toEqual([1, 2, 3, 4, 5])
    for (let index = 0; index < 5; index++) expect((await world.database.owner.execute(`SELECT x FROM t${index}`)).rows).toEqual([{ x: 1 }])
    expect(await world.lockTables()).toBe(0)
  })

  const lock = (leaseSeconds: number, holder: string, lockTimeoutMs = 0) =>
    takeMigrationLock(
      { adapter: world.database.owner, prefix: 'smart_whale_migrations_lock_', holder, leaseSeconds, lockTimeoutMs, clock: systemClock },
      async () => 1,
      {},
    )

  it('wait for one that lives, and say who it is when that takes too long', async () => {
    const folder = await world.folderWith(TWO)
    const held = await lock(30, 'host-7:42')

    await expect(world.manage({ lockTimeoutMs: 300 }).runMigrations(folder)).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_MIGRATION_LOCKED',
      retryable: true,
      message: expect.stringContaining('host-7:42') as string,
    })
    const waiting = world.manage({ lockTimeoutMs: 60_000 }).runMigrations(folder)
    await held.release()

    expect((await waiting).succeeded).toHaveLength(2)
  })

  it('take over from one that died', async () => {
    const folder = await world.folderWith(TWO)
    // What a holder leaves behind that was killed: its table, and nobody who renews it.
    await world.database.owner.execute(
      "CREATE TABLE smart_whale_migrations_lock_5 (unused UInt8) ENGINE = Memory COMMENT 'dead:1; lease 1 s; renewed 0 times'",
    )

    const report = await world.manage({ lockTimeoutMs: 60_000 }).runMigrations(folder)

    expect(report.succeeded).toHaveLength(2)
    expect(await world.lockTables()).toBe(0)
  })

  it('lock also a database that keeps its tables in memory, which knows no time of modification', async () => {
    const name = `${world.database.name}_memory`
    await world.database.owner.execute(`CREATE DATABASE ${name} ENGINE = Memory`)
    const inMemory = new Proxy(world.database.owner, { get: (target, property) => (property === 'database' ? name : typeof Reflect.get(target, property) === 'function' ? (Reflect.get(target, property) as () => unknown).bind(target) : Reflect.get(target, property)) as unknown })
    const take = () => takeMigrationLock({ adapter: inMemory, prefix: 'lock_', holder: 'x', leaseSeconds: 30, lockTimeoutMs: 0, clock: systemClock }, async () => 1, {})
    const held = await take()

    await held.assertHeld()
    await expect(take()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_LOCKED' })
    await held.release()
    await (await take()).release()
    await world.database.owner.execute(`DROP DATABASE ${name}`)
  })

  it('leave alone one that renews its lease', async () => {
    const held = await lock(2, 'slow')

    await expect(lock(2, 'other', 4000)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_LOCKED' })
    await held.assertHeld()
    await held.release()
  })

  it('stop when their lock was taken over', async () => {
    const folder = await world.folderWith(TWO)
    const adapter = world.breaking(() => undefined)
    const execute = adapter.execute.bind(adapter)
    const losing = new Proxy(adapter, {
      get: (target, name) => {
        if (name !== 'execute') return Reflect.get(target, name) as unknown
        return async (query: string, params?: QueryParams, options?: QueryOptions) => {
          const result = await execute(query, params, options)
          if (query.startsWith('CREATE TABLE flights')) await dropLocks()
          return result
        }
      },
    })

    const report = await world.manage({}, losing).runMigrations(folder)
    const again = await world.manage().runMigrations(folder)

    expect(report.failed).toMatchObject([{ version: 1, error: { code: 'ERR_CLICKHOUSE_MIGRATION_LOCK_LOST', retryable: true } }])
    expect(again).toMatchObject({ succeeded: [{ version: 1, statements: 1 }, { version: 2 }], failed: [] })
  })

  async function dropLocks(): Promise<void> {
    const { rows } = await world.database.owner.execute<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'smart_whale_migrations_lock_%'",
    )
    for (const { name } of rows) await world.database.owner.execute(`DROP TABLE ${name} SYNC`)
  }
})

describe('a migration that is taken back', () => {
  it('is undone by the text that was there when it was applied, and may be applied again', async () => {
    const folder = await world.folderWith({ '1_a.up.sql': 'CREATE TABLE a (x Int8) ENGINE = Memory', '1_a.down.sql': 'DROP TABLE a' })
    await world.manage().runMigrations(folder)
    await world.write(folder, { '1_a.down.sql': 'DROP TABLE something_else' })

    const dry = await world.manage().rollbackMigration(1, { dryRun: true })
    const report = await world.manage().rollbackMigration(1)
    const afterwards = await world.tables()
    await world.manage().runMigrations(folder)

    expect(dry.planned).toMatchObject([{ statements: ['DROP TABLE a'] }])
    expect(report.succeeded).toMatchObject([{ version: 1, statements: 1 }])
    expect(afterwards).toEqual([])
    expect(await world.tables()).toEqual(['a'])
  })

  it('must be the latest, be applied, and have a way back', async () => {
    const folder = await world.folderWith(TWO)
    await world.manage().runMigrations(folder)

    await expect(world.manage().rollbackMigration(1)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_ORDER' })
    await expect(world.manage().rollbackMigration(2)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_IRREVERSIBLE' })
    await expect(world.manage().rollbackMigration(9)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_MIGRATION_ORDER' })
  })

  it('by halves is finished before anything else', async () => {
    const folder = await world.folderWith({
      '1_a.up.sql': 'CREATE TABLE a (x Int8) ENGINE = Memory',
      '1_a.down.sql': 'DROP TABLE IF EXISTS a; SELECT broken',
    })
    await world.manage().runMigrations(folder)

    const halves = await world.manage().rollbackMigration(1)

    expect(halves.failed).toMatchObject([{ error: { code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' } }])
    await expect(world.manage().runMigrations(folder)).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_MIGRATION_ORDER',
      message: expect.stringContaining('half taken back') as string,
    })
  })
})

describe('a single migration', () => {
  it('is applied without a folder', async () => {
    const migration = { version: 1, name: 'a', up: 'CREATE TABLE a (x Int8) ENGINE = Memory', down: null }

    await world.manage().initialize()
    const first = await world.manage().applyMigration(migration)
    const second = await world.manage().applyMigration(migration)

    expect([first.succeeded.length, second.succeeded.length]).toEqual([1, 0])
    expect(await world.tables()).toEqual(['a'])
  })

  it('is ended by its signal', async () => {
    const ending = new AbortController()
    const running = world.manage().applyMigration(
      {
        version: 1,
        name: 'slow',
        up: 'CREATE TABLE a (x UInt64) ENGINE = Memory; INSERT INTO a SELECT max(sipHash64(toString(number))) FROM numbers(1000000000)',
        down: null,
      },
      { signal: ending.signal },
    )
    while (!(await world.tables()).includes('a')) await new Promise((resolve) => setTimeout(resolve, 10))

    ending.abort()

    expect((await running).failed).toMatchObject([{ error: { code: 'ERR_ABORTED' } }])
    expect(await world.lockTables()).toBe(0)
  })
})
