import { createPartitionManager, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

let database: TestDatabase
let storage: TimescaleStorage

beforeAll(async () => {
  database = await openTestDatabase()
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

describe('partitions', () => {
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

  it('are as long as the table was told, whatever another process has for its default', async () => {
    await createPartitionManager(storage).partitionByTime('readings', 'at', { chunkInterval: '1 year' })
    await createPartitionManager(storage, { chunkInterval: '1 day' }).ensureForRows('readings', at('2001-06-01'))

    expect(await names()).toEqual(['readings_p20010101'])
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
        const other = createPartitionManager(storage, { lockTimeoutMs: 10_000 })
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

  it('are dropped when all that they hold is old; a dry run only says which', async () => {
    const partitions = createPartitionManager(storage)
    await partitions.partitionByTime('readings', 'at')
    await partitions.ensureForRows('readings', at('2001-01-01', '2001-01-08', '2001-01-15'))
    for (const time of ['2001-01-01', '2001-01-08', '2001-01-15']) await insert(time)

    const planned = await partitions.dropBefore('readings', new Date('2001-01-20'), { dryRun: true })
    expect([planned.dropped.map(({ name }) => name), planned.bytes > 0n, await names()]).toEqual([['readings_p20010101', 'readings_p20010108'], true, ['readings_p20010101', 'readings_p20010108', 'readings_p20010115']])
    await partitions.dropBefore('readings', new Date('2001-01-20'))

    expect(await names()).toEqual(['readings_p20010115'])
    expect(await storage.execute('select at from readings')).toEqual([{ at: new Date('2001-01-15') }])
  })

  it('are not waited for longer than allowed when somebody reads them', async () => {
    const partitions = createPartitionManager(storage, { lockTimeoutMs: 100 })
    await partitions.partitionByTime('readings', 'at')
    await partitions.ensureForRows('readings', at('2001-01-01'))
    await using reading = await storage.beginTransaction()
    await reading.execute('select count(*) as n from readings')

    await expect(partitions.dropBefore('readings', new Date('2002-01-01'))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_LOCKED', retryable: true })
    expect(await names()).toHaveLength(1)
  })

  it('get advice when they are many and almost empty', async () => {
    const partitions = createPartitionManager(storage, { chunkInterval: '1 day' })
    await partitions.partitionByTime('readings', 'at')
    for (let day = 1; day <= 60; day++) await partitions.ensureForRows('readings', [{ at: new Date(Date.UTC(2001, 0, day)), value: 1 }])

    expect(await partitions.advise('readings')).toMatchObject({ partitions: 60, advice: { chunkInterval: '1 month' } })
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
