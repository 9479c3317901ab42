import { createPartitionManager, TimeSeriesRepository, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await storage.execute('create table keyed (id int, at timestamptz, host text, value int, primary key (id, at))')
    await storage.execute('create table keyless (at timestamptz not null, host text, value int)')
    // Microseconds apart, and many at the very same moment.
    const rows = `select i, '2001-01-01'::timestamptz + (i % 40) * interval '1 microsecond' + (i % 3) * interval '20 days', 'h' || i % 4, i from generate_series(1, 300) i`
    await storage.execute(`insert into keyed ${rows}`)
    await storage.execute(`insert into keyless select at, host, value from keyed`)
    await storage.execute('create table parted (like keyless)')
    await createPartitionManager(storage).partitionByTime('parted', 'at')
    await createPartitionManager(storage).ensureForRows('parted', [0, 20, 40].map((days) => ({ at: new Date(Date.UTC(2001, 0, 1 + days)) })))
    await storage.execute('insert into parted select * from keyless')
  })
  afterAll(() => database.close())

  const january = { start: new Date('2001-01-01'), end: new Date('2001-02-01') }

  async function readAll(table: string, options: { order: 'asc' | 'desc'; limit: number; filter?: Record<string, string> }): Promise<Record<string, unknown>[]> {
    const repository = new TimeSeriesRepository(storage, table)
    const rows: Record<string, unknown>[] = []
    let cursor: string | undefined
    do {
      const page = await repository.getRange(null, { ...options, cursor })
      expect(page.rows.length).toBeLessThanOrEqual(options.limit)
      rows.push(...page.rows)
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    return rows
  }

  describe('getRange', () => {
    it.each(
      ['keyed', 'keyless', 'parted'].flatMap((table) => (['asc', 'desc'] as const).flatMap((order) => [1, 7, 60].map((limit) => ({ table, order, limit })))),
    )('gives every row of $table once, in order ($order), by pages of $limit', async ({ table, order, limit }) => {
      const filter = limit === 1 ? { host: 'h1' } : {}
      const rows = await readAll(table, { order, limit, filter })

      expect(new Set(rows.map(({ value }) => value)).size).toBe(limit === 1 ? 75 : 300)
      expect(rows).toHaveLength(limit === 1 ? 75 : 300)
      const [exact] = await storage.execute<{ values: number[] }>(
        `select array_agg(value order by at ${order}, ${table === 'keyed' ? 'id' : 'ctid'} ${order}) as values from ${table} ${limit === 1 ? `where host = 'h1'` : ''}`,
      )
      if (table !== 'parted') expect(rows.map(({ value }) => value)).toEqual(exact?.values)
    })

    it('goes on at the same place when rows before it come and go', async () => {
      await storage.execute('create table moving (id int, at timestamptz, primary key (at, id))')
      await storage.execute(`insert into moving select i, '2001-01-01'::timestamptz + i * interval '1 day' from generate_series(1, 10) i`)
      const repository = new TimeSeriesRepository<{ id: number }>(storage, 'moving', { map: ({ id }) => ({ id: id as number }) })
      const first = await repository.getRange(null, { limit: 4 })
      await storage.execute(`delete from moving where id in (1, 4)`)
      await storage.execute(`insert into moving values (99, '2001-01-02')`)

      const second = await repository.getRange(null, { limit: 4, cursor: first.nextCursor ?? '' })

      expect(second.rows.map(({ id }) => id)).toEqual([5, 6, 7, 8])
    })

    it('holds the start of the range and not its end', async () => {
      const { rows } = await new TimeSeriesRepository(storage, 'keyed').getRange({ start: new Date('2001-01-21'), end: new Date('2001-02-10') }, { limit: 10_000 })

      expect(rows).toHaveLength(100)
    })

    it('reads only the partitions of the range, and of what comes after the cursor', async () => {
      const repository = new TimeSeriesRepository({ capabilities: () => storage.capabilities(), execute: explaining }, 'parted')
      const plans: string[] = []
      async function explaining<T>(sql: string, params?: readonly unknown[]): Promise<T[]> {
        if (sql.includes('~position')) plans.push(JSON.stringify(await storage.execute(`explain ${sql}`, params)))
        return (await storage.execute(sql, params)) as T[]
      }
      const page = await repository.getRange(null, { limit: 250 })
      await repository.getRange(null, { limit: 250, cursor: page.nextCursor ?? '' })
      await repository.getRange(january, { limit: 1 })

      const partitions = plans.map((plan) => new Set(plan.match(/parted_p\d+|_hyper_\d+_\d+_chunk(?=[ "\\])/g)).size)
      expect(partitions).toEqual([3, 1, 2])
    })

    it('gives exact values and their types', async () => {
      await storage.execute(`create table exact (at timestamptz primary key, big bigint, fare numeric(10, 2), seen date, tags jsonb)`)
      await storage.execute(`insert into exact values ('2001-01-01', 9007199254740993, 0.10, '2001-02-03', '{"a": [1]}')`)
      const { rows, columns } = await new TimeSeriesRepository(storage, 'exact').getRange(null)

      expect(rows).toEqual([{ at: new Date('2001-01-01'), big: 9007199254740993n, fare: '0.10', seen: '2001-02-03', tags: { a: [1] } }])
      expect(columns.map(({ type }) => type)).toEqual(['timestamp with time zone', 'bigint', 'numeric(10,2)', 'date', 'jsonb'])
    })

    it.each(['timestamp', 'date'])('reads tables whose time is a %s', async (type) => {
      await storage.execute(`create table typed_${type} (at ${type} not null, n int)`)
      await storage.execute(`insert into typed_${type} select '2001-01-01'::${type} + i, i from generate_series(0, 59) i`.replace('+ i', type === 'date' ? '+ i' : `+ i * interval '1 day'`))
      const repository = new TimeSeriesRepository(storage, `typed_${type}`)

      expect((await repository.getRange(january, { limit: 5 })).rows).toHaveLength(5)
      expect((await readAll(`typed_${type}`, { order: 'desc', limit: 7 })).map(({ n }) => n)).toEqual(Array.from({ length: 60 }, (_, index) => 59 - index))
      expect((await repository.getAggregated(january, '1 month', ['count'])).rows).toEqual([{ bucket: new Date('2001-01-01'), count: 31n }])
    })

    it('refuses what is wrong, by name', async () => {
      const repository = new TimeSeriesRepository(storage, 'keyed')
      await expect(repository.getRange(null, { limit: 0 })).rejects.toMatchObject({ issues: [{ path: ['limit'] }] })
      await expect(repository.getRange(null, { order: 'up' as never })).rejects.toMatchObject({ issues: [{ path: ['order'] }] })
      await expect(repository.getRange({ start: new Date(Number.NaN) })).rejects.toMatchObject({ issues: [{ path: ['start'] }] })
      await expect(repository.getRange(null, { cursor: 'nonsense' })).rejects.toMatchObject({ issues: [{ path: ['cursor'] }] })
      await expect(repository.getRange(null, { filter: { nope: 1 } })).rejects.toMatchObject({ issues: [{ path: ['filter', 'nope'] }] })
      await expect(new TimeSeriesRepository(storage, 'nowhere').getRange(null)).rejects.toMatchObject({ status: 404 })
      await storage.execute('create table timeless (id int)')
      await expect(new TimeSeriesRepository(storage, 'timeless').getRange(null)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONFIGURATION' })
    })
  })

  describe('getLatest', () => {
    it('gives the newest row without any options', async () => {
      expect(await new TimeSeriesRepository(storage, 'keyed').getLatest()).toEqual(await storage.execute('select * from keyed order by at desc, id desc limit 1'))
    })

    it('gives the newest of each series, also of one that has no name', async () => {
      await storage.execute(`insert into keyless values ('2001-05-01', null, -1)`)
      const latest = await new TimeSeriesRepository<{ host: string; value: number }>(storage, 'keyless').getLatest(2, { perSeries: 'host' })

      expect(latest.map(({ host }) => host)).toEqual(['h0', 'h0', 'h1', 'h1', 'h2', 'h2', 'h3', 'h3', null])
      await storage.execute(`delete from keyless where host is null`)
    })

    it('gives the same row of each series with an index by time as without', async () => {
      await storage.execute(`insert into parted values ('2001-02-05', null, -1)`)
      await storage.execute('create table parted_alike as select * from parted')
      const filter = { value: { lt: 200 } }
      const [indexed, plain] = await Promise.all(
        ['parted', 'parted_alike'].map((table) => new TimeSeriesRepository(storage, table, { tiebreak: [] }).getLatest(1, { perSeries: ['host'], filter })),
      )

      const distinct = await storage.execute(`select at, host from (select distinct on (host) * from parted where value < 200 order by host, at desc) as newest order by host`)
      expect(indexed?.map((row) => [row['at'], row['host']])).toEqual(distinct.map((row) => [row['at'], row['host']]))
      expect(plain?.map((row) => [row['at'], row['host']])).toEqual(indexed?.map((row) => [row['at'], row['host']]))
      expect(indexed).toHaveLength(5)
      await storage.execute('delete from parted where host is null')
    })

    it('looks only where it is told to', async () => {
      const latest = await new TimeSeriesRepository<{ at: Date }>(storage, 'keyed').getLatest(3, { range: january, filter: { host: 'h2' } })

      expect(latest).toHaveLength(3)
      expect(latest.every(({ at }) => at < january.end)).toBe(true)
    })

    it('refuses rather than giving a part', async () => {
      await expect(new TimeSeriesRepository(storage, 'keyed', { maxRows: 10 }).getLatest(5, { perSeries: ['host'] })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TOO_MANY_ROWS', status: 422 })
    })
  })
})
