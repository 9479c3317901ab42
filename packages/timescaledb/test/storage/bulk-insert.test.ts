import { asJson } from '@smart-whale/timescaledb'
import { beforeEach, expect, it } from 'vitest'
import { describeStorage } from './each-storage.ts'

describeStorage('bulkInsert', (subject) => {
  beforeEach(async () => {
    await subject.storage.runScript(`drop table if exists metrics; create table metrics (
      id int8 primary key, at timestamptz not null default now(), value numeric(10,2), name varchar(5), tags text[], data jsonb, doubled int8 generated always as (id * 2) stored)`)
  })
  const stored = (columns: string): Promise<unknown[]> => subject.storage.execute(`select ${columns} from metrics order by id`)

  it('stores rows of any count, and fills what is not named with defaults', async () => {
    const rows = Array.from({ length: 25_000 }, (_, index) => ({ id: BigInt(index), value: `${index}.5`, name: index % 3 === 0 ? null : 'n', tags: ['a', null] }))

    expect(await subject.storage.bulkInsert('metrics', rows)).toBe(25_000)

    expect(await subject.storage.execute('select count(*) as n, sum(id) as ids, sum(value) as total, count(name) as names, count(at) as times from metrics')).toEqual([
      { n: 25_000n, ids: '312487500', total: '312500000.00', names: 16_666n, times: 25_000n },
    ])
  })

  it('stores nothing for no rows', async () => {
    expect(await subject.storage.bulkInsert('metrics', [])).toBe(0)
  })

  it('reads back what it stored, as execute reads it', async () => {
    const row = { id: 1n, at: new Date('2024-02-29T12:34:56.789Z'), value: '-1234567.89', name: 'é🐳x', tags: ['a"b', '', 'NULL', null], data: { list: [1, 'x', null], deep: { 'k"': true } } }

    await subject.storage.bulkInsert('metrics', [row])

    expect(await stored('id, at, value, name, tags, data')).toEqual([row])
  })

  it('writes JSON values as what they are', async () => {
    await subject.storage.bulkInsert('metrics', [{ id: 1n, data: 'text' }, { id: 2n, data: [1, 2] }, { id: 3n, data: asJson(null) }, { id: 4n, data: null }, { id: 5n, data: { big: 9_007_199_254_740_993n } }])

    expect(await stored(`jsonb_typeof(data) as type, data->>'big' as big`)).toEqual([
      { type: 'string', big: null },
      { type: 'array', big: null },
      { type: 'null', big: null },
      { type: null, big: null },
      { type: 'object', big: '9007199254740993' },
    ])
  })

  it.each([
    ['a value of the wrong kind', { id: 'one' }, 'id', /whole number/],
    ['a number beyond the column', { id: 2n ** 63n }, 'id', /from -9223372036854775808/],
    ['a number that is not exact', { id: 2 ** 53 }, 'id', /bigint/],
    ['too many digits', { id: 2, value: '99999999.995' }, 'value', /8 digits/],
    ['too long a text', { id: 2, name: 'toolong' }, 'name', /5 characters/],
    ['a zero byte', { id: 2, name: 'a\0' }, 'name', /zero byte/],
    ['an invalid date', { id: 2, at: new Date(NaN) }, 'at', /invalid Date/],
    ['no value where one must be', { id: null }, 'id', /must have a value/],
    ['a text where an array must be', { id: 2, tags: 'a' }, 'tags', /array/],
    ['an item that does not fit', { id: 2, tags: ['a', 1] }, 'tags', /item \(number 1\)/],
    ['a zero character in JSON', { id: 2, data: { a: '\0' } }, 'data', /zero character/],
  ])('refuses %s, naming row and column, and stores nothing', async (_what, bad, column, problem) => {
    const good = { ...Object.fromEntries(Object.keys(bad).map((key) => [key, null])), at: new Date(0), id: 1n }

    const insert = subject.storage.bulkInsert('metrics', [good, { at: new Date(0), ...bad }])

    await expect(insert).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DATA', issues: [{ path: [1, column], message: expect.stringMatching(problem) as string }] })
    expect(await stored('id')).toEqual([])
  })

  it('names row and constraint when the server refuses a row, and stores nothing', async () => {
    await subject.storage.runScript('alter table metrics add constraint positive check (value > 0)')

    const insert = subject.storage.bulkInsert('metrics', [{ id: 1, value: '1' }, { id: 2, value: '2' }, { id: 3, value: '-3' }])

    await expect(insert).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CHECK', context: { constraint: 'positive', row: 2 }, issues: [{ path: [2] }] })
    expect(await stored('id')).toEqual([])
    await expect(subject.storage.bulkInsert('metrics', [{ id: 7 }, { id: 7 }])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNIQUE', issues: [{ path: [1] }] })
  })

  it('never tells what a row holds', async () => {
    const failure = (await subject.storage.bulkInsert('metrics', [{ id: 1, name: 'secret' }]).catch((error: unknown) => error)) as Error
    const refusedByServer = (await subject.storage.execute(`insert into metrics (id, name) values (1, 'secret')`).catch((error: unknown) => error)) as Error

    expect(JSON.stringify([failure, failure.message, refusedByServer, refusedByServer.message])).not.toContain('secret')
  })

  it.each([
    ['a column that does not exist', [{ id: 1, nothing: 2 }], {}, /"nothing" .*does not exist/],
    ['a computed column', [{ id: 1, doubled: 2 }], {}, /computed by the server/],
    ['keys that only later rows have', [{ id: 1 }, { id: 2, name: 'x' }], {}, /row 1: "name" is not a key of the first row/],
    ['rows without columns', [{}], {}, /no columns/],
    ['a column named twice', [{ id: 1 }], { columns: ['id', 'id'] }, /named twice/],
    ['a name that breaks out of its quotes', [{ 'id") values (1); drop table metrics; --': 1 }], {}, /does not exist/],
  ])('refuses %s', async (_what, rows, options, message) => {
    await expect(subject.storage.bulkInsert('metrics', rows, options)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_INPUT', message: expect.stringMatching(message) as string })
  })

  it('says so when there is no such table', async () => {
    await expect(subject.storage.bulkInsert('nowhere', [{ id: 1 }])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED' })
  })

  it('notices that a table was altered after it was first written', async () => {
    await subject.storage.bulkInsert('metrics', [{ id: 1n, name: 'a' }])
    await subject.storage.runScript('alter table metrics drop column doubled, alter column id type text')
    await subject.storage.bulkInsert('metrics', [{ id: 'two', name: 'b' }])
    await subject.storage.runScript('alter table metrics add column extra int4')
    await subject.storage.bulkInsert('metrics', [{ id: 'three', extra: 3 }])

    expect(await stored('id, extra')).toEqual([
      { id: '1', extra: null },
      { id: 'three', extra: 3 },
      { id: 'two', extra: null },
    ])
  })

  it.each(['error', 'ignore'] as const)('never takes the bytes of one type for another that looks alike, also when the table is altered under it (%s)', async (onConflict) => {
    await subject.storage.bulkInsert('metrics', [{ id: 1n, data: asJson({ a: 1 }) }])
    const altering = await subject.storage.beginTransaction()
    await altering.query('alter table metrics alter column data type text')

    const inserting = subject.storage.bulkInsert('metrics', [{ id: 2n, data: '{"a": 2}' }], { onConflict })
    await expect.poll(() => subject.storage.execute(`select 1 from pg_locks where not granted and relation = 'metrics'::regclass`)).toHaveLength(1)
    await altering.commit()

    expect(await inserting).toBe(1)
    expect(await stored('data')).toEqual([{ data: '{"a": 1}' }, { data: '{"a": 2}' }])
  })

  it('sends text when a column has a type that only the server knows', async () => {
    await subject.storage.runScript(`create table odd (id int8, span interval, address inet, note text, data jsonb)`)
    await subject.storage.bulkInsert('odd', [{ id: 1n, span: '1 day', address: '10.0.0.1', note: 'tab\there\\ \n', data: 'x' }, { id: 2n, span: null, address: null, note: '\\N', data: { a: 1 } }])

    expect(await subject.storage.execute('select * from odd order by id')).toEqual([
      { id: 1n, span: 'P1D', address: '10.0.0.1', note: 'tab\there\\ \n', data: 'x' },
      { id: 2n, span: null, address: null, note: '\\N', data: { a: 1 } },
    ])
    await expect(subject.storage.bulkInsert('odd', [{ id: 1n }, { id: 'x' }])).rejects.toMatchObject({ issues: [{ path: [1, 'id'] }] })
    await expect(subject.storage.bulkInsert('odd', [{ address: '10.0.0.1' }, { address: 'nowhere' }])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DATA', issues: [{ path: [1] }] })
    await subject.storage.execute('drop table odd')
  })

  it('knows enums, domains, and quoted names', async () => {
    await subject.storage.runScript(`
      create type mood as enum ('fine', 'bad'); create domain small as int4 check (value < 10); create domain smaller as small not null;
      create schema "Odd one"; create table "Odd one"."Table ""x""" ("a b" mood, c smaller, moods mood[])`)
    const table = 'Odd one.Table "x"'

    await subject.storage.bulkInsert(table, [{ 'a b': 'fine', c: 3, moods: ['bad', null] }])

    expect(await subject.storage.execute(`select "a b" as a, c, moods::text from "Odd one"."Table ""x"""`)).toEqual([{ a: 'fine', c: 3, moods: '{bad,NULL}' }])
    await expect(subject.storage.bulkInsert(table, [{ c: 11 }])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CHECK' })
    await expect(subject.storage.bulkInsert(table, [{ c: null }])).rejects.toMatchObject({ issues: [{ path: [0, 'c'] }] })
    await subject.storage.runScript('drop schema "Odd one" cascade; drop domain smaller; drop domain small; drop type mood')
  })

  it('ignores rows whose key is there', async () => {
    await subject.storage.bulkInsert('metrics', [{ id: 1, name: 'old' }])

    expect(await subject.storage.bulkInsert('metrics', [{ id: 1, name: 'new' }, { id: 2, name: 'first' }, { id: 2, name: 'again' }], { onConflict: 'ignore' })).toBe(1)

    expect(await stored('id, name')).toEqual([
      { id: 1n, name: 'old' },
      { id: 2n, name: 'first' },
    ])
  })

  it('updates the named columns of rows whose key is there; of rows with the same key the last one counts', async () => {
    await subject.storage.bulkInsert('metrics', [{ id: 1, name: 'old', value: '1' }])
    const rows = [{ id: 1, name: 'new', value: '5' }, { id: 2, name: 'x', value: '2' }, { id: 2, name: 'y', value: '3' }]

    expect(await subject.storage.bulkInsert('metrics', rows, { onConflict: { update: ['name'] } })).toBe(2)

    expect(await stored('id, name, value')).toEqual([
      { id: 1n, name: 'new', value: '1.00' },
      { id: 2n, name: 'y', value: '3.00' },
    ])
  })

  it('upserts by another unique constraint, again and again on the same connection', async () => {
    await subject.storage.runScript('create unique index on metrics (name)')
    for (let round = 0; round < 3; round++) {
      await subject.storage.bulkInsert('metrics', [{ id: round, name: 'same', value: round }], { onConflict: { key: ['name'], update: ['value'] } })
    }

    expect(await stored('id, value')).toEqual([{ id: 0n, value: '2.00' }])
  })

  it('refuses an upsert without a key', async () => {
    await subject.storage.runScript('create table keyless (n int)')

    await expect(subject.storage.bulkInsert('keyless', [{ n: 1 }], { onConflict: { update: ['n'] } })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_INPUT', message: expect.stringContaining('onConflict.key') as string })
    await subject.storage.execute('drop table keyless')
  })

  it('is part of the transaction that it is given', async () => {
    const work = subject.storage.withTransaction(async (transaction) => {
      await subject.storage.bulkInsert('metrics', [{ id: 1, name: 'a' }], { transaction })
      await transaction.bulkInsert('metrics', [{ id: 1, name: 'b' }, { id: 2, name: 'c' }], { onConflict: { update: ['name'] } })
      await transaction.bulkInsert('metrics', [{ id: 3, name: 'd' }], { onConflict: { update: ['name'] } })
      expect(await transaction.execute('select id, name from metrics order by id')).toEqual([
        { id: 1n, name: 'b' },
        { id: 2n, name: 'c' },
        { id: 3n, name: 'd' },
      ])
      throw new RangeError('changed my mind')
    })
    await expect(work).rejects.toThrow('changed my mind')

    expect(await stored('id')).toEqual([])
  })

  it('makes the partitions that rows need', async () => {
    await subject.storage.createTable('readings', { columns: { at: 'timestamptz not null', n: 'int8' } })
    await subject.storage.createHypertable('readings', 'at')
    const rows = ['1999-12-31', '2001-06-01', '2024-02-29', '2040-01-01'].map((day, n) => ({ at: new Date(day), n }))

    expect(await subject.storage.bulkInsert('readings', rows)).toBe(4)
    expect(await subject.storage.execute('select count(*) as n from readings')).toEqual([{ n: 4n }])
    await subject.storage.execute('drop table readings')
  })
})
