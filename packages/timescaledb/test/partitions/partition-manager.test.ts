import { createPartitionManager, type PartitionInfo, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

const DAY_MS = 86_400_000
const at = (...times: string[]) => times.map((time) => ({ at: new Date(time), value: 1 }))
const lengthDays = ({ from, to }: PartitionInfo): number => ((to?.getTime() ?? Number.NaN) - (from?.getTime() ?? Number.NaN)) / DAY_MS
const holds = (time: Date) => ({ from, to }: PartitionInfo): boolean => from !== null && to !== null && from <= time && time < to

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
  })
  afterAll(() => database.close())
  beforeEach(async () => {
    await storage.execute('drop table if exists references_to_readings')
    await storage.execute('drop table if exists readings cascade')
    await storage.execute('create table readings (at timestamptz not null, value float8)')
  })

  const prepare = async (options: Parameters<typeof createPartitionManager>[1] = {}) => {
    const partitions = createPartitionManager(storage, options)
    await partitions.partitionByTime('readings', 'at')
    return partitions
  }
  const times = async (): Promise<Date[]> => (await storage.execute<{ at: Date }>('select at from readings order by at')).map((row) => row.at)

  describe('partitions', () => {
    it('come with the rows that need them, and no others', async () => {
      const partitions = await prepare()
      const rows = at('1970-01-01T00:00:00Z', '2001-01-03T00:00:00Z', '2001-01-03T23:59:59.999Z', '2001-02-01T00:00:00Z')
      await storage.bulkInsert('readings', rows)

      const found = await partitions.list('readings')
      expect(found).toHaveLength(3)
      for (const row of rows) expect(found.filter(holds(row.at))).toHaveLength(1)
      expect(found.map(({ from }) => from?.getTime())).toEqual(found.map(({ from }) => from?.getTime()).sort((a, b) => Number(a) - Number(b)))
      expect(found.every(({ bytes }) => bytes > 0n)).toBe(true)
    })

    it('are as long as the table was told, whatever another process has for its default', async () => {
      await createPartitionManager(storage).partitionByTime('readings', 'at', { chunkInterval: '6 hours' })
      await createPartitionManager(storage, { chunkInterval: '30 days' }).ensureForRows('readings', at('2001-01-01T07:00:00Z'))
      await storage.bulkInsert('readings', at('2001-01-01T07:00:00Z'))

      expect(await createPartitionManager(storage).list('readings')).toMatchObject([{ from: new Date('2001-01-01T06:00:00Z'), to: new Date('2001-01-01T12:00:00Z') }])
    })

    it('fit between older ones of another length', async () => {
      const partitions = await prepare()
      await storage.bulkInsert('readings', at('2001-01-10'))
      await partitions.setChunkInterval('readings', '30 days')
      await storage.bulkInsert('readings', at('2000-12-30', '2001-01-20', '2001-02-25'))

      const found = await partitions.list('readings')
      expect(found.map(lengthDays)).toContain(7)
      for (const [index, partition] of found.entries()) expect(partition.from?.getTime()).toBeGreaterThanOrEqual(found[index - 1]?.to?.getTime() ?? -Infinity)
      expect(await times()).toHaveLength(4)
    })

    it('are made once by many that need them at the same time, while others read and write', async () => {
      const partitions = await prepare()
      await storage.bulkInsert('readings', at('2001-01-01'))
      await using writing = await storage.beginTransaction()
      await writing.execute('insert into readings values ($1, 1)', [new Date('2001-01-01')])
      await using reading = await storage.beginTransaction()
      await reading.execute('select count(*) as n from readings')
      const others = await Promise.all([0, 1, 2, 3, 4].map(() => database.connect({ maxConnections: 2 })))

      await Promise.all(others.map((other) => other.bulkInsert('readings', at('2002-01-01', '2003-01-01', '2004-01-01', '2005-01-01'))))

      expect(await partitions.list('readings')).toHaveLength(5)
      await writing.execute('insert into readings values ($1, 1)', [new Date('2003-01-01')])
      await writing.commit()
      expect(await times()).toHaveLength(23)
    })

    it('refuse a row without a time, by index', async () => {
      await prepare()

      await expect(storage.bulkInsert('readings', [...at('2001-01-01'), { at: null, value: 1 }])).rejects.toMatchObject({ issues: [{ path: [1, 'at'] }] })
      expect(await times()).toEqual([])
    })

    it('are dropped when all that they hold is old; a dry run only says which', async () => {
      const partitions = await prepare()
      await storage.bulkInsert('readings', at('2001-01-01', '2001-01-10', '2001-01-20'))
      const planned = await partitions.dropBefore('readings', new Date('2001-01-20'), { dryRun: true })

      expect([planned.dropped.length, planned.bytes > 0n, (await partitions.list('readings')).length]).toEqual([2, true, 3])
      expect(await partitions.dropBefore('readings', new Date('2001-01-20'))).toEqual({ ...planned, dryRun: false })
      expect(await times()).toEqual([new Date('2001-01-20')])
      expect(await partitions.dropBefore('readings', new Date('2001-01-20'))).toEqual({ dropped: [], bytes: 0n, dryRun: false })
      await storage.bulkInsert('readings', at('2001-01-01'))
      expect(await times()).toHaveLength(2)
    })

    it.each(['timestamp', 'date'])('are dropped in a table whose time is a %s, at midnight of UTC', async (type) => {
      await storage.execute(`alter table readings alter at type ${type}`)
      const partitions = createPartitionManager(storage, { chunkInterval: '1 day' })
      await partitions.partitionByTime('readings', 'at')
      await storage.bulkInsert('readings', ['2001-01-01', '2001-01-02', '2001-01-03'].map((time) => ({ at: time, value: 1 })))

      const { dropped } = await partitions.dropBefore('readings', new Date('2001-01-03'))

      expect(dropped.map(({ from }) => from)).toEqual([new Date('2001-01-01'), new Date('2001-01-02')])
      expect(await storage.execute('select at::date::text as at from readings')).toEqual([{ at: '2001-01-03' }])
    })

    it('are dropped once by two that do so at the same time', async () => {
      const partitions = await prepare()
      await storage.bulkInsert('readings', at('2001-01-01', '2001-01-10', '2001-01-20'))
      const drop = () => createPartitionManager(storage).dropBefore('readings', new Date('2001-01-20'))

      await Promise.all([drop(), drop(), drop()])

      expect(await partitions.list('readings')).toHaveLength(1)
    })

    it('are not waited for longer than allowed when somebody reads them', async () => {
      const partitions = await prepare({ lockTimeoutMs: 100 })
      await storage.bulkInsert('readings', at('2001-01-01'))
      await using reading = await storage.beginTransaction()
      await reading.execute('select count(*) as n from readings')

      await expect(partitions.dropBefore('readings', new Date('2002-01-01'))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_LOCKED', retryable: true })
      expect(await partitions.list('readings')).toHaveLength(1)
    })

    it('stay when a view or a foreign key rests on one', async () => {
      await storage.execute('create unique index on readings (value, at)')
      const partitions = await prepare()
      await storage.bulkInsert('readings', at('2001-01-01'))
      const [first] = await partitions.list('readings')
      await storage.execute(`create view readings_seen as select * from "${first?.schema}"."${first?.name}"`)

      await expect(partitions.dropBefore('readings', new Date('2002-01-01'))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DEPENDED_ON', status: 409, retryable: false })
      await storage.execute('drop view readings_seen')
      await storage.execute('create table references_to_readings (value float8, at timestamptz, foreign key (value, at) references readings (value, at))')
      await storage.execute(`insert into references_to_readings values (1, '2001-01-01')`)
      await expect(partitions.dropBefore('readings', new Date('2002-01-01'))).rejects.toMatchObject({ code: expect.stringMatching(/DEPENDED_ON|FOREIGN_KEY/) as unknown, retryable: false })
      expect(await times()).toHaveLength(1)
    })

    it('get advice when they are many and almost empty', async () => {
      const partitions = await prepare({ chunkInterval: '1 day' })
      for (let first = 1; first <= 60; first += 10) await storage.bulkInsert('readings', Array.from({ length: 10 }, (_, day) => ({ at: new Date(Date.UTC(2001, 0, first + day)), value: 1 })))

      expect(await partitions.advise('readings')).toMatchObject({ partitions: 60, advice: { chunkInterval: '1 month' } })
    })

    it('are none of a table that is not partitioned', async () => {
      const partitions = createPartitionManager(storage)

      expect(await partitions.list('readings')).toEqual([])
      expect((await partitions.dropBefore('readings', new Date())).dropped).toEqual([])
      await expect(partitions.setChunkInterval('readings', '1 day')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', status: 409 })
      await expect(partitions.list('nowhere')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED', status: 404 })
    })
  })
})
