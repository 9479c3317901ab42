import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Column, createAnalyticsService, createQueryBuilder, defineSchema, generateTypes } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'
import { wrongAnswers } from './check-plans.ts'
import { Choices } from './choices.ts'
import { tryHostileTexts } from './hostile-names.ts'
import { db, makeTables } from './query-data.ts'

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
  await makeTables(own.owner, new Choices(1))
})
afterAll(async () => {
  await own.drop()
})

describe('createQueryBuilder', () => {
  it('builds queries whose rows are what plain code works out', async () => {
    expect(await wrongAnswers(own.owner, 80, 7)).toEqual([])
  })

  it('takes hostile texts for names and values, or refuses them', async () => {
    const { refused, kept, wrong } = await tryHostileTexts(own.reader, 200, new Choices(3))

    expect(wrong).toEqual([])
    expect(Math.min(refused, kept)).toBeGreaterThan(100)
  })

  it('answers through an adapter, as a stream, and through the service, also for a read-only user', async () => {
    const query = db.from('t').select({ s: 's', rows: (e) => e.count() }).groupBy('s').orderBy('s')
    const service = createAnalyticsService(own.reader, { cache: false })

    const { rows } = await query.execute(own.reader)
    const streamed: unknown[] = []
    for await (const row of query.stream(own.reader)) streamed.push(row)
    const { data } = await service.executeAnalyticsQuery(query.compile())
    await service.close()

    expect(rows.reduce((sum, row) => sum + row.rows, 0n)).toBe(30n)
    expect(streamed).toEqual(rows)
    expect(data).toEqual(rows)
  })

  it('keeps apart a time in another zone, and a fine one', async () => {
    await own.owner.execute("CREATE TABLE zoned (local DateTime('Asia/Tokyo'), fine DateTime64(9, 'America/New_York')) ENGINE = MergeTree ORDER BY local")
    await own.owner.insert('zoned', [{ local: new Date(1_000_000), fine: '2001-02-03T04:05:06.123456789Z' }])
    const zoned = createQueryBuilder(defineSchema<{ zoned: { local: { type: "DateTime('Asia/Tokyo')"; value: Date }; fine: { type: "DateTime64(9, 'America/New_York')"; value: string } } }>({ zoned: { local: "DateTime('Asia/Tokyo')", fine: "DateTime64(9, 'America/New_York')" } })).from('zoned').select({ rows: (e) => e.count() })

    const found = [zoned.where('local', '=', new Date(1_000_000)), zoned.where('fine', '=', '2001-02-03T04:05:06.123456789Z'), zoned.where('fine', '>', '2001-02-03T04:05:06.123456788Z'), zoned.where('fine', '>', '2001-02-03T04:05:06.123456789Z')]

    expect(await Promise.all(found.map(async (query) => (await query.execute(own.reader)).rows[0]?.rows))).toEqual([1n, 1n, 1n, 0n])
  })
})

describe('a value that a column is compared with', () => {
  it.each([
    ['Enum8(\'it\\\'s\' = 1, \'x\' = 2)', ["it's", 'x'], ["it's"]],
    ['LowCardinality(Nullable(String))', ['a', null, 'b'], ['a']],
    ['FixedString(3)', ['ab', 'abc'], ['ab']],
    ['Nullable(Decimal(9, 3))', ['1.500', '2.000', null], ['1.5', '2.00009']],
    ['Decimal(76, 40)', ['0.0000000000000000000000000000000000000001', '1.0000000000000000000000000000000000000000'], ['0.0000000000000000000000000000000000000001']],
    ['UUID', ['5b6f1a52-8a1f-4a1c-9f0e-0d8f0c6f2a11', '00000000-0000-0000-0000-000000000001'], ['5B6F1A52-8A1F-4A1C-9F0E-0D8F0C6F2A11']],
    ['IPv4', ['10.0.0.1', '10.0.0.2'], ['10.0.0.1']],
    ['IPv6', ['::1', '2001:db8::1'], ['2001:db8::1']],
    ['Bool', [true, false], [true]],
    ['Float32', [0.5, 1.5], [0.5]],
    ['Int256', [2n ** 200n, -1n], [2n ** 200n]],
    ['UInt64', [2n ** 63n, 1n], [2n ** 63n, -5n, 2n ** 70n]],
    ['Date', ['2001-02-03', '2001-02-04'], ['2001-02-03']],
    ['Nullable(Date32)', ['1950-02-03', null], ['1950-02-03']],
    ["DateTime('Asia/Tokyo')", [new Date(0), new Date(5000)], [new Date(0)]],
    ["Nullable(DateTime64(6, 'America/New_York'))", ['2001-02-03T04:05:06.123456Z', null], ['2001-02-03T04:05:06.123456Z']],
  ])('finds the rows of a %s that have it, alone and among others', async (type, values, wanted) => {
    const table = `compared_${type.replace(/\W+/g, '_')}`
    await own.owner.execute(`CREATE TABLE ${table} (id UInt8, c ${type}) ENGINE = MergeTree ORDER BY id`)
    await own.owner.insert(table, values.map((c, id) => ({ id, c })))
    const all = createQueryBuilder(defineSchema<Record<string, { id: Column<'UInt8', number>; c: Column<string, unknown> }>>({ [table]: { id: 'UInt8', c: type } })).from(table).select('id').orderBy('id')

    const [first, among] = [await all.where('c', '=', wanted[0] as never).execute(own.reader), await all.where('c', 'in', wanted as never).execute(own.reader)]

    const same = (value: unknown, other: unknown): boolean => String(value).toLowerCase().replace(/0+$/, '') === String(other).toLowerCase().replace(/0+$/, '')
    expect(first.rows).toEqual(values.flatMap((value, id) => (same(value, wanted[0]) ? [{ id }] : [])))
    expect(among.rows).toEqual(values.flatMap((value, id) => (wanted.some((other) => same(value, other)) ? [{ id }] : [])))
    expect(first.rows).toHaveLength(1)
  })
})

describe('generateTypes', () => {
  it('writes what the compiler and the builder need, and the same again', async () => {
    await own.owner.execute("CREATE TABLE `odd 'name'` (`a b` Nullable(Decimal(9, 2)), e Enum8('it\\'s' = 1, 'x' = 2), t Tuple(a UInt8, `b c` Array(Nullable(String))), m Map(UInt8, String), v Variant(String, UInt64), j JSON, fine DateTime64(9), g Point, s AggregateFunction(sum, UInt8)) ENGINE = MergeTree ORDER BY tuple()")

    const text = await generateTypes(own.owner, { tables: ['t', "odd 'name'"] })

    expect(await generateTypes(own.owner, { tables: ['t', "odd 'name'"] })).toBe(text)
    expect(text).toContain(`    id: Column<'UInt32', number>\n    a: Column<'Nullable(Int32)', number | null>\n    b: Column<'Int64', bigint>`)
    expect(text).toContain(String.raw`  'odd \'name\'': {
    'a b': Column<'Nullable(Decimal(9, 2))', string | null>
    e: Column<'Enum8(\'it\\\'s\' = 1, \'x\' = 2)', "it's" | "x">
    t: Column<'Tuple(a UInt8, ${'`'}b c${'`'} Array(Nullable(String)))', { "a": number; "b c": (string | null)[] }>
    m: Column<'Map(UInt8, String)', Map<number, string>>
    v: Column<'Variant(String, UInt64)', string | bigint | null>
    j: Column<'JSON', Record<string, unknown>>
    fine: Column<'DateTime64(9)', string>
    g: Column<'Point', [number, number]>
    s: Column<'AggregateFunction(sum, UInt8)', unknown>`)
    expect(text).toContain(`    a: 'Nullable(Int32)',\n    b: 'Int64',`)
  })

  it('says when there is nothing to describe', async () => {
    await expect(generateTypes(own.owner, { database: 'no_such_database' })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', status: 404 })
  })
})
