import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { createLifecycleManager, type LifecycleManager } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let manager: LifecycleManager
const NOW = new Date('2001-06-15T12:00:00Z')
beforeAll(async () => {
  database = await ownDatabase()
  manager = createLifecycleManager(database.owner, { retentionDays: 30, clock: new FakeClock({ startMs: NOW.getTime() }) })
})
afterAll(() => database.drop())

/** One row an hour from January on, 4,000 in all, in four parts; the last lie in June. */
async function makeTable(name: string, more = ''): Promise<void> {
  await database.owner.execute(`CREATE TABLE ${name} (id UInt64, at DateTime64(6, 'UTC'), day Nullable(Date), word String ${more}) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY id`)
  await database.owner.execute(`INSERT INTO ${name} (id, at, day, word) SELECT number, toDateTime64('2001-01-01', 6, 'UTC') + number * 3600, toDate('2001-01-01') + intDiv(number, 24), 'w' FROM numbers(4000)`)
}

const statistics = async (table: string): Promise<unknown> => (await database.owner.execute(`SELECT count() AS rows, toString(min(at)) AS first FROM ${table}`)).rows[0]

describe('expired rows', () => {
  it('go by whole partitions where all of one is old, else row by row', async () => {
    await makeTable('hours')

    const planned = await manager.expire('hours', 'at', { dryRun: true })
    expect(await statistics('hours')).toEqual({ rows: 4000n, first: '2001-01-01 00:00:00.000000' })
    const report = await manager.expire('hours', 'at')

    // Thirty days before the clock's now: the sixteenth of May, at noon.
    const old = BigInt((Date.parse('2001-05-16T12:00:00Z') - Date.parse('2001-01-01T00:00:00Z')) / 3_600_000)
    expect(report).toMatchObject({ rows: old, dryRun: false, droppedPartitions: ['200101', '200102', '200103', '200104'], deletedRows: old - 2880n })
    expect({ ...planned, dryRun: false }).toEqual(report)
    expect(await statistics('hours')).toEqual({ rows: 4000n - old, first: '2001-05-16 12:00:00.000000' })
    await expect(manager.deleteExpiredData('hours', 'at')).resolves.toBe(0n)
  })

  it('take no row with them that is stored meanwhile', async () => {
    await database.owner.execute('CREATE TABLE mixed (id UInt64, at DateTime) ENGINE = MergeTree PARTITION BY id % 2 ORDER BY id')
    await database.owner.execute("INSERT INTO mixed SELECT number, toDateTime('2001-01-01') FROM numbers(100)")
    // As if somebody stored a row of today between the look at the partitions and their drop.
    const adapter = database.connect()
    const execute = adapter.execute.bind(adapter)
    let stored = false
    Object.assign(adapter, {
      execute: async (query: string, ...rest: []) => {
        if (query.includes('DROP PART') && !stored) {
          stored = true
          await execute("INSERT INTO mixed VALUES (1000, '2001-06-15 11:00:00')")
        }
        return execute(query, ...rest)
      },
    })

    await createLifecycleManager(adapter, { clock: new FakeClock({ startMs: NOW.getTime() }) }).deleteExpiredData('mixed', 'at', { olderThan: new Date('2001-06-01') })

    const { rows } = await database.owner.execute('SELECT id FROM mixed')
    expect({ rows, stored }).toEqual({ rows: [{ id: 1000n }], stored: true })
  })

  it('of a table with a projection and a column that may be null', async () => {
    await makeTable('projected', ', PROJECTION p (SELECT word, count() GROUP BY word)')
    await database.owner.execute("INSERT INTO projected SELECT 9000, toDateTime64('2001-01-01', 6, 'UTC'), NULL, 'n'")

    const rows = await manager.deleteExpiredData('projected', 'day', { olderThan: new Date('2001-01-15') })

    expect(rows).toBe(14n * 24n)
    expect(await statistics('projected')).toEqual({ rows: 4001n - rows, first: '2001-01-01 00:00:00.000000' })
  })

  it('are not guessed: a wrong column, a moment to come, or no age at all are refused', async () => {
    await expect(manager.deleteExpiredData('hours', 'word')).rejects.toThrow('must be a Date or DateTime column, "word" is String')
    await expect(manager.deleteExpiredData('hours', 'when')).rejects.toThrow('has no "when"')
    await expect(manager.deleteExpiredData('hours', 'at', { olderThan: new Date('2002-01-01') })).rejects.toThrow('not in the future')
    await expect(createLifecycleManager(database.owner).deleteExpiredData('hours', 'at')).rejects.toThrow('CLICKHOUSE_RETENTION_DAYS')
    await expect(manager.deleteExpiredData('nowhere', 'at')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_DATA_MANAGEMENT', status: 404 })
  })
})

describe('sizes and merges', () => {
  it('tell what a table takes, and that a merge made it less', async () => {
    await database.owner.execute('CREATE TABLE twice (id UInt64, word String) ENGINE = MergeTree ORDER BY id')
    for (const offset of [0, 500]) await database.owner.execute(`INSERT INTO twice SELECT number + ${offset}, 'word' FROM numbers(1000)`)

    const report = await manager.optimizeTable('twice', { final: true, deduplicate: true })

    expect(report).toMatchObject({ partsBefore: 2, partsAfter: 1, rowsBefore: 2000n, rowsAfter: 1500n })
    const size = await manager.getTableSizeInfo('twice')
    expect(size).toMatchObject({ table: 'twice', rows: 1500n, parts: 1, partitions: 1 })
    expect(size.columns.map(({ name }) => name).sort()).toEqual(['id', 'word'])
    expect(size.compressionRatio).toBeGreaterThan(1)
    const all = await manager.analyzeDatabaseSize()
    expect(all.tables.find(({ table }) => table === 'twice')).toEqual({ ...size, columns: undefined })
    expect(all.bytesOnDisk).toBe(all.tables.reduce((sum, { bytesOnDisk }) => sum + bytesOnDisk, 0n))
    await manager.optimizeTable('hours', { partition: '200106', final: true })
    await expect(manager.optimizeTable('hours', { partition: '209901' })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_DATA_MANAGEMENT' })
  })
})

describe('TTLs', () => {
  it('are set, shown and removed, for rows and for a column; a dry run tells the statement', async () => {
    await database.owner.execute("CREATE TABLE aged (id UInt64, at DateTime64(3), secret String, other String) ENGINE = MergeTree ORDER BY id TTL toDateTime(at) + toIntervalDay(900) RECOMPRESS CODEC(ZSTD(9))")
    await database.owner.execute("INSERT INTO aged SELECT number, now64(3) - number * 86400, 's', 'o' FROM numbers(100)")

    const planned = await manager.setTtl('aged', { dateColumn: 'at', afterSeconds: 49.5 * 86_400 }, { dryRun: true })
    expect(planned.statements[0]).toMatch(/MODIFY TTL toDateTime\(at\) \+ toIntervalDay\(900\) RECOMPRESS CODEC\(ZSTD\(9\)\), toDateTime\(`at`\) \+ toIntervalSecond\(4276800\)$/)
    expect(planned.expiredRows).toBe(50n)
    expect(await manager.getTtlRules('aged')).toHaveLength(1)

    await manager.setTtl('aged', { dateColumn: 'at', afterSeconds: 49.5 * 86_400 }, { materialize: true })
    await manager.setTtl('aged', { dateColumn: 'at', afterSeconds: 86_400, column: 'secret' })

    expect((await database.owner.execute('SELECT count() AS n FROM aged')).rows).toEqual([{ n: 50n }])
    expect(await manager.getTtlRules('aged')).toEqual([
      { column: 'secret', expression: 'toDateTime(at) + toIntervalDay(1)' },
      { column: null, expression: 'toDateTime(at) + toIntervalDay(900) RECOMPRESS CODEC(ZSTD(9))' },
      { column: null, expression: 'toDateTime(at) + toIntervalSecond(4276800)' },
    ])
    await manager.removeTtl('aged', 'secret')
    await manager.removeTtl('aged')
    expect(await manager.getTtlRules('aged')).toEqual([])
    expect((await manager.removeTtl('aged')).statements).toEqual([])
  })
})
