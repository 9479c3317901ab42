import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAnalyticsService, createQueryBuilder, defineSchema, generateTypes } from '../../src/index.ts'
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
