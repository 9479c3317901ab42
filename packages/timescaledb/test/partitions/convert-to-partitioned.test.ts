import { createPartitionManager, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  let tables = 0

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await storage.execute('create table sensors (id text primary key)')
    await storage.execute(`insert into sensors values ('a'), ('b')`)
  })
  afterAll(() => database.close())

  const newTable = async (columns: string): Promise<string> => {
    const table = `readings_${tables++}`
    await storage.execute(`create table ${table} (${columns})`)
    return table
  }
  const partition = (table: string, column = 'at', options = {}) => createPartitionManager(storage).partitionByTime(table, column, options)

  describe('a table that becomes partitioned', () => {
    it('keeps its rows, keys, indexes, checks, defaults, references, numbers and grants', async () => {
      const table = await newTable(
        `id bigint generated always as identity, serial_number serial, sensor text references sensors, at timestamptz, value numeric check (value > 0) default 1,
         doubled numeric generated always as (value * 2) stored, constraint reading_key primary key (id, at)`,
      )
      await storage.execute(`create index value_of_reading on ${table} (value) where value > 10`)
      await storage.execute(`comment on column ${table}.value is 'in kelvin'`)
      await storage.execute(`do $$ begin create role reader_of_readings; exception when duplicate_object then null; end $$`)
      await storage.execute(`grant select on ${table} to reader_of_readings`)
      await storage.execute(`insert into ${table} (sensor, at, value) select 'a', '2001-01-01'::timestamptz + i * interval '1 day', i + 1 from generate_series(0, 99) i`)
      const before = await storage.execute(`select * from ${table} order by id`)

      await partition(table)

      expect(await storage.execute(`select * from ${table} order by id`)).toEqual(before)
      await storage.execute(`insert into ${table} (sensor, at) values ('b', '2001-01-01')`)
      expect(await storage.execute(`select id, serial_number, value from ${table} where sensor = 'b'`)).toEqual([{ id: 101n, serial_number: 101, value: '1' }])
      await expect(storage.execute(`insert into ${table} (sensor, at) values ('nobody', '2001-01-01')`)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_FOREIGN_KEY' })
      await expect(storage.execute(`insert into ${table} (sensor, at, value) values ('a', '2001-01-01', -1)`)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CHECK' })
      const indexes = await storage.execute<{ indexname: string }>('select indexname from pg_indexes where tablename = $1 order by 1', [table])
      expect(indexes.map(({ indexname }) => indexname)).toEqual(['reading_key', `${table}_at_idx`, 'value_of_reading'])
      expect(await storage.execute(`select has_table_privilege('reader_of_readings', $1, 'select') as may, col_description($1::regclass, 5) as comment`, [table])).toEqual([{ may: true, comment: 'in kelvin' }])
      await storage.execute(`drop owned by reader_of_readings`)
    })

    it('stays as it is when it is partitioned already', async () => {
      const table = await newTable('at timestamptz not null, other timestamptz not null')
      await partition(table)
      const before = await storage.execute('select $1::regclass::oid as oid', [table])
      await Promise.all([partition(table), partition(table)])

      expect(await storage.execute('select $1::regclass::oid as oid', [table])).toEqual(before)
      await expect(partition(table, 'other')).rejects.toMatchObject({ issues: [{ path: ['timeColumn'] }] })
    })

    it('can be converted by two at once', async () => {
      const table = await newTable('at timestamptz not null')
      await storage.execute(`insert into ${table} select '2001-01-01'::timestamptz + i * interval '1 day' from generate_series(1, 50) i`)

      await Promise.all([partition(table), partition(table), partition(table)])

      expect(await storage.execute(`select count(*) as n from ${table}`)).toEqual([{ n: 50n }])
    })

    it.each(['timestamp', 'date'])('may have a time of type %s', async (type) => {
      const table = await newTable(`at ${type} not null, value int`)
      await storage.execute(`insert into ${table} values ('2001-01-01', 1), ('2001-02-01', 2)`)
      await partition(table, 'at', { chunkInterval: '7 days' })
      await storage.bulkInsert(table, [{ at: '2001-03-31', value: 3 }])

      const partitions = await createPartitionManager(storage).list(table)
      const holdsDay = (day: string, index: number): boolean => {
        const { from, to } = partitions[index] ?? {}
        return Number(from) <= Date.parse(day) && Date.parse(day) < Number(to)
      }
      expect(partitions).toHaveLength(3)
      expect(['2001-01-01', '2001-02-01', '2001-03-31'].map(holdsDay)).toEqual([true, true, true])
      expect(await storage.execute(`select value from ${table} order by value`)).toEqual([{ value: 1 }, { value: 2 }, { value: 3 }])
    })

    it.each<[string, string, string, string, RegExp]>([
      ['a key without the time', 'id int primary key, at timestamptz', 'at', '1 day', /part of every unique key/],
      ['a column that is not there', 'at timestamptz', 'nope', '1 day', /no such column/],
      ['a column of another type', 'at text', 'at', '1 day', /timestamptz, timestamp or date/],
      ['hours for a date', 'at date', 'at', '1 hour', /whole days/],
      ['an interval that is none', 'at timestamptz', 'at', 'often', /length of time/],
    ])('is refused for %s', async (_what, columns, column, chunkInterval, message) => {
      const table = await newTable(columns)

      await expect(partition(table, column, { chunkInterval })).rejects.toMatchObject({ name: 'TimescaleValidationError', message: expect.stringMatching(message) as unknown })
    })

    it('is refused when it is a view, a partition, partitioned by others, or not there', async () => {
      await storage.execute('create view a_view as select now() as at')
      await storage.execute('create table theirs (at timestamptz) partition by range (at)')
      await storage.execute(`create table theirs_1 partition of theirs for values from ('2001-01-01') to ('2002-01-01')`)

      for (const table of ['a_view', 'theirs', 'theirs_1']) await expect(partition(table)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE' })
      await expect(partition('nowhere')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED', status: 404 })
      await createPartitionManager(storage).ensureForRows('theirs', [{ at: new Date('2050-01-01') }])
      expect(await createPartitionManager(storage).list('theirs')).toEqual([])
    })
  })
})
