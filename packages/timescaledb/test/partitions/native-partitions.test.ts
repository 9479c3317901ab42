import { createPartitionManager, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { plainPostgres } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

let database: TestDatabase
let storage: TimescaleStorage

beforeAll(async () => {
  database = await openTestDatabase(plainPostgres)
  storage = database.storage
})
afterAll(() => database.close())
beforeEach(async () => {
  await storage.execute('drop table if exists readings cascade')
  await storage.execute('create table readings (at timestamptz not null, value float8)')
})

const at = (...times: string[]) => times.map((time) => ({ at: new Date(time), value: 1 }))
const insert = (time: string) => storage.execute('insert into readings values ($1, 1)', [new Date(time)])
const names = async (): Promise<string[]> => (await createPartitionManager(storage).list('readings')).map(({ name }) => name)

describe('native partitions', () => {
  it('are made for the moments of a batch, and no others', async () => {
    const partitions = createPartitionManager(storage)
    await partitions.partitionByTime('readings', 'at')

    await partitions.ensureForRows('readings', at('1970-01-01T00:00:00Z', '2001-01-03T00:00:00Z', '2001-01-07T23:59:59.999Z', '2001-01-08T00:00:00Z'))

    expect(await names()).toEqual(['readings_p19691229', 'readings_p20010101', 'readings_p20010108'])
    await insert('1970-01-01T00:00:00Z')
  })

  it('follow the interval, by the hour too, and say when they begin', async () => {
    const partitions = createPartitionManager(storage, { chunkInterval: '6 hours' })
    await partitions.partitionByTime('readings', 'at')
    await partitions.ensureForRows('readings', at('2001-01-01T07:00:00Z'))

    const [partition] = await partitions.list('readings')
    expect(partition).toMatchObject({ name: 'readings_p20010101_060000', from: new Date('2001-01-01T06:00:00Z'), to: new Date('2001-01-01T12:00:00Z') })
  })

  it('fit between older ones of another length', async () => {
    const partitions = createPartitionManager(storage)
    await partitions.partitionByTime('readings', 'at')
    await partitions.ensureForRows('readings', at('2001-01-10'))
    await partitions.setChunkInterval('readings', '1 month')

    await partitions.ensureForRows('readings', at('2001-01-02', '2001-01-20', '2001-02-01'))

    expect((await partitions.list('readings')).map(({ from, to }) => [from, to].map((time) => time?.toISOString().slice(0, 10)))).toEqual([
      ['2001-01-01', '2001-01-08'],
      ['2001-01-08', '2001-01-15'],
      ['2001-01-15', '2001-02-01'],
      ['2001-02-01', '2001-03-01'],
    ])
  })

  it('are made once by many that need them at the same time, while others read and write', async () => {
    await createPartitionManager(storage).partitionByTime('readings', 'at')
    await createPartitionManager(storage).ensureForRows('readings', at('2001-01-01'))
    await using writing = await storage.beginTransaction()
    await writing.execute('insert into readings values ($1, 1)', [new Date('2001-01-01')])
    await using reading = await storage.beginTransaction()
    await reading.execute('select count(*) as n from readings')

    await Promise.all(
      [0, 1, 2, 3, 4].map(async () => {
        const other = createPartitionManager(storage, { lockTimeoutMs: 60_000 })
        await other.ensureForRows('readings', at('2002-01-01', '2003-01-01', '2004-01-01', '2005-01-01'))
      }),
    )

    expect(await names()).toHaveLength(5)
    await writing.execute('insert into readings values ($1, 1)', [new Date('2003-01-01')])
    await writing.commit()
  })

  it('grow longer when a long, thin history comes, and their number stays bounded', async () => {
    const partitions = createPartitionManager(storage, { maxPartitions: 60 })
    await partitions.partitionByTime('readings', 'at')
    const days = Array.from({ length: 5000 }, (_, index) => ({ at: new Date(Date.UTC(2000, 0, 1) + index * 86_400_000), value: 1 }))
    for (let first = 0; first < days.length; first += 20) await partitions.ensureForRows('readings', days.slice(first, first + 20))

    expect((await names()).length).toBeLessThanOrEqual(60)
    await storage.bulkInsert('readings', days)
  })

  it('are refused beyond their bound, with the interval that would do', async () => {
    const partitions = createPartitionManager(storage, { maxPartitions: 3 })
    await partitions.partitionByTime('readings', 'at')

    await expect(partitions.ensureForRows('readings', at('1900-01-01', '1950-01-01', '2000-01-01', '2050-01-01'))).rejects.toMatchObject({
      code: 'ERR_TIMESCALEDB_TOO_MANY_PARTITIONS',
      retryable: false,
      message: expect.stringContaining('longer chunk interval') as unknown,
    })
  })

  it('refuse rows without a time that they could hold, by index', async () => {
    const partitions = createPartitionManager(storage)
    await partitions.partitionByTime('readings', 'at')

    await expect(partitions.ensureForRows('readings', [...at('2001-01-01'), { at: null, value: 1 }])).rejects.toMatchObject({ issues: [{ path: [1, 'at'] }] })
  })

  it('are made ahead of time', async () => {
    const now = Date.UTC(2001, 0, 3)
    const clock = { now: () => now, monotonic: () => 0, setTimeout: () => 0, clearTimeout: () => {} }
    const partitions = createPartitionManager(storage, { clock })
    await partitions.partitionByTime('readings', 'at')

    await partitions.createAhead('readings', { count: 2 })

    expect(await names()).toEqual(['readings_p20010101', 'readings_p20010108', 'readings_p20010115'])
  })

  it('keep long names apart', async () => {
    const [one, two] = ['a', 'b'].map((letter) => `${'long_name_'.repeat(6)}${letter}`) as [string, string]
    const partitions = createPartitionManager(storage)
    for (const table of [one, two]) {
      await storage.execute(`create table ${table} (at timestamptz not null)`)
      await partitions.partitionByTime(table, 'at')
      await partitions.ensureForRows(table, at('2001-01-01').map(({ at: time }) => ({ at: time })))
    }

    expect(new Set([...(await partitions.list(one)), ...(await partitions.list(two))].map(({ name }) => name)).size).toBe(2)
  })
})

describe('a table that becomes natively partitioned', () => {
  const partition = (options = {}) => createPartitionManager(storage, options).partitionByTime('readings', 'at', { chunkInterval: '1 month' })

  it.each(['timestamp', 'date'])('has whole months by a time of type %s', async (type) => {
    await storage.execute(`alter table readings alter at type ${type}`)
    await storage.execute(`insert into readings values ('2001-01-01', 1), ('2001-02-01', 2)`)
    await partition()
    await createPartitionManager(storage).ensureForRows('readings', [{ at: '2001-03-31' }])

    const bounds = (await createPartitionManager(storage).list('readings')).map(({ from }) => from?.toISOString())
    expect(bounds).toEqual(['2001-01-01T00:00:00.000Z', '2001-02-01T00:00:00.000Z', '2001-03-01T00:00:00.000Z'])
    await storage.execute(`insert into readings values ('2001-03-31', 3)`)
  })

  it('is refused, and left alone, when something hangs on it that would be lost', async () => {
    await storage.execute('create view seen_readings as select value from readings')
    await storage.execute(`create function nothing_new() returns trigger language plpgsql as 'begin return new; end'`)
    await storage.execute('create trigger watch before insert on readings for each row execute function nothing_new()')

    await expect(partition()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', message: expect.stringMatching(/trigger watch, view seen_/) as unknown })
    expect(await storage.execute(`select relkind::text as kind from pg_class where oid = 'readings'::regclass`)).toEqual([{ kind: 'r' }])
  })

  it('is left alone when its history would need too many partitions', async () => {
    await storage.execute(`insert into readings select '1900-01-01'::timestamptz + i * interval '1 year' from generate_series(1, 100) i`)

    await expect(partition({ maxPartitions: 50 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TOO_MANY_PARTITIONS' })
    expect(await storage.execute('select count(*) as n from readings')).toEqual([{ n: 100n }])
  })
})
