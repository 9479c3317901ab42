import { createMigrationManager, createPartitionManager, TimeSeriesRepository, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeTimescale } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

describeTimescale((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
  })
  afterAll(() => database.close())
  beforeEach(async () => {
    await storage.execute('drop table if exists readings cascade')
    await storage.execute('create table readings (at timestamptz not null, host text not null, value float8)')
  })

  const partitions = () => createPartitionManager(storage)
  const convert = () => partitions().partitionByTime('readings', 'at')
  const rows = async (): Promise<number> => Number((await storage.execute<{ n: bigint }>('select count(*) as n from readings'))[0]?.n)
  const insert = (...times: string[]) => storage.bulkInsert('readings', times.map((time, index) => ({ at: time, host: `h${index}`, value: index })))

  describe('a table that becomes a hypertable', () => {
    it('keeps its views, triggers and policies', async () => {
      await storage.execute('create view seen as select host from readings')
      await storage.execute(`create or replace function shout() returns trigger language plpgsql as 'begin new.host = upper(new.host); return new; end'`)
      await storage.execute('create trigger shouting before insert on readings for each row execute function shout()')
      await storage.execute('alter table readings enable row level security')
      await storage.execute('create policy everybody on readings using (true)')
      await insert('2001-01-01', '2002-01-01')
      await convert()
      await insert('2003-01-01')

      expect(await storage.execute('select host from seen order by host')).toEqual([{ host: 'H0' }, { host: 'H0' }, { host: 'H1' }])
      expect(await partitions().list('readings')).toHaveLength(3)
    })

    it.each([
      ['a rule', 'create rule twice as on insert to readings do also select 1', /rule twice/],
      ['heirs', 'create table heirs () inherits (readings)', /inheritance with heirs/],
      ['a publication', 'create publication announced for table readings', /publication announced/],
    ])('is refused, and left alone, when it has %s', async (_what, statement, message) => {
      await storage.execute(statement)

      await expect(convert()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', status: 409, message: expect.stringMatching(message) as unknown })
      expect(await partitions().list('readings')).toEqual([])
      await storage.execute('drop publication if exists announced')
    })

    it('does not wait for its readers for longer than allowed', async () => {
      await using reading = await storage.beginTransaction()
      await reading.execute('select * from readings')

      await expect(createPartitionManager(storage, { lockTimeoutMs: 100 }).partitionByTime('readings', 'at')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_LOCKED', retryable: true })
    })
  })

  describe('chunks', () => {
    it('need no room to be made: a row from anywhere is at home, and no row is looked at', async () => {
      await convert()
      const unreadable = new Proxy({}, { get: () => expect.fail('a row was looked at') })

      expect(await partitions().makeRoomFor('readings', [unreadable])).toEqual([])
      await partitions().createAhead('readings')
      await partitions().ensureForRows('readings', [{ at: '1970-01-01' }])
      expect(await partitions().list('readings')).toEqual([])
    })

    it('at the ends of the calendar are listed, and never taken for old', async () => {
      await convert()
      await storage.execute(`insert into readings values ('infinity', 'h', 1), ('290000-01-01', 'h', 2), ('4713-01-01 BC', 'h', 3), ('2001-01-01', 'h', 4)`)

      expect((await partitions().list('readings')).map(({ to }) => to === null)).toEqual([false, false, true, true])
      expect((await partitions().dropBefore('readings', new Date('2100-01-01'))).dropped).toHaveLength(2)
      expect(await storage.execute('select value from readings order by value')).toEqual([{ value: 1 }, { value: 2 }])
    })

    it('of one range go together where the table is cut by space too', async () => {
      await storage.execute(`select create_hypertable('readings', 'at', 'host', 4)::text`)
      await storage.execute(`insert into readings select d::timestamptz, 'h' || i, i from unnest(array['2001-01-01', '2001-02-01']) d, generate_series(1, 20) i`)
      const chunks = await partitions().list('readings')

      const { dropped, bytes } = await partitions().dropBefore('readings', new Date('2001-01-20'))

      expect([chunks.length, dropped.length, bytes > 0n, await rows()]).toEqual([8, 4, true, 20])
      await convert()
    })

    it('of a table in another schema, with names that need quotes, are listed and dropped', async () => {
      await storage.execute('create schema if not exists "Odd schema"')
      await storage.execute('drop table if exists "Odd schema"."Odd table"')
      await storage.execute('create table "Odd schema"."Odd table" ("The time" timestamptz not null)')
      await storage.execute(`select create_hypertable('"Odd schema"."Odd table"', 'The time', associated_schema_name => 'Odd schema')::text`)
      const [table, row] = ['Odd schema.Odd table', (day: string) => ({ 'The time': day })]
      await storage.bulkInsert(table, [row('2001-01-01'), row('2002-01-01')])

      expect((await partitions().list(table)).map(({ schema }) => schema)).toEqual(['Odd schema', 'Odd schema'])
      expect((await partitions().dropBefore(table, new Date('2001-06-01'))).dropped).toHaveLength(1)
      await partitions().setChunkInterval(table, '1 day')
      expect((await new TimeSeriesRepository(storage, table).getRange(null)).rows).toEqual([row('2002-01-01')].map(() => ({ 'The time': new Date('2002-01-01') })))
    })

    it('of a table that counts its time in numbers are listed, and left to its maker', async () => {
      await storage.execute('create table if not exists counted (at bigint not null, value int)')
      await storage.execute(`select create_hypertable('counted', 'at', chunk_time_interval => 1000, if_not_exists => true)::text`)
      await storage.execute('insert into counted values (1, 1), (5000, 2)')
      const refused = { code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', status: 409, message: expect.stringMatching(/counted counts its time at in int8/) as unknown }

      expect((await partitions().list('counted')).map(({ from, to }) => [from, to])).toEqual([[null, null], [null, null]])
      await expect(partitions().dropBefore('counted', new Date())).rejects.toMatchObject(refused)
      await expect(partitions().setChunkInterval('counted', '1 day')).rejects.toMatchObject(refused)
    })

    it('keep to a unique index that has the time in it; one that lacks it is refused', async () => {
      await convert()
      await storage.execute('create unique index on readings (host, at)')
      const row = { at: '2001-01-01', host: 'h', value: 1 }
      await storage.bulkInsert('readings', [row])

      await expect(storage.bulkInsert('readings', [row])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNIQUE' })
      expect(await storage.bulkInsert('readings', [row, { ...row, host: 'other' }], { onConflict: 'ignore' })).toBe(1)
      expect(await storage.bulkInsert('readings', [{ ...row, value: 2 }], { onConflict: { update: ['value'], key: ['host', 'at'] } })).toBe(1)
      await expect(storage.execute('create unique index on readings (host)')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE', message: expect.stringMatching(/without the column "at"/) as unknown })
    })
  })

  describe('a hypertable of somebody else', () => {
    it('is read by the time that it is cut along', async () => {
      await storage.execute('drop table if exists theirs')
      await storage.execute('create table theirs (noted timestamptz not null, at timestamptz not null, primary key (noted, at))')
      await storage.execute(`select create_hypertable('theirs', 'at', create_default_indexes => false)::text`)

      expect((await new TimeSeriesRepository(storage, 'theirs').describe()).timeColumn.name).toBe('at')
    })

    it('stays as it is', async () => {
      await storage.execute(`select create_hypertable('readings', 'at', chunk_time_interval => interval '1 day')::text`)
      await convert()
      await insert('2001-01-01')

      const [chunk] = await partitions().list('readings')
      expect(Number(chunk?.to) - Number(chunk?.from)).toBe(86_400_000)
      await storage.execute('alter table readings add other timestamptz not null default now()')
      await expect(partitions().partitionByTime('readings', 'other')).rejects.toMatchObject({ issues: [{ path: ['timeColumn'] }] })
    })
  })

  it('a table that was cut into native partitions before the extension came goes on as it is', async () => {
    const own = await engine.freshPlainDatabase()
    const before = await database.connectTo(own.url)
    await createMigrationManager(before).up()
    await before.bulkInsert('time_series_data', [{ id: 'a', timestamp: '2001-01-01', value: 1 }])
    await before.execute('create extension timescaledb')
    const after = await database.connectTo(own.url)

    expect((await after.capabilities()).edition).toBe('timescaledb-apache')
    await after.bulkInsert('time_series_data', [{ id: 'a', timestamp: '2002-01-01', value: 1 }])
    await after.createHypertable('time_series_data', 'timestamp')
    expect((await after.partitions.list('time_series_data')).map(({ name }) => name)).toEqual(['time_series_data_p20010101', 'time_series_data_p20011231'])
    expect((await after.partitions.dropBefore('time_series_data', new Date('2001-06-01'))).dropped).toHaveLength(1)
    await own.drop()
  })
})
