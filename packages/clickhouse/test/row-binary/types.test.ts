import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typed } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'
import { differencesOfDocuments, differencesOfDynamicValues } from './random-documents.ts'
import { differencesOfPlainTypes, differencesOfRandomTypes, PLAIN_TYPES } from './round-trip.ts'

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
})
afterAll(async () => {
  await own.drop()
})

describe('the types that a table may have', () => {
  it('keep every value of a single thing, read by us and by the server', async () => {
    expect(await differencesOfPlainTypes(own.owner, 40, 1)).toEqual([])
  })

  it.each([11, 12, 13])('keep what is made of others (%i)', async (seed) => {
    expect(await differencesOfRandomTypes(own.owner, { types: 12, rows: 15, seed })).toEqual([])
  })

  it('are all that the server has: whoever brings a new one is told here', async () => {
    const { rows } = await own.owner.execute<{ name: string }>("SELECT name FROM system.data_type_families WHERE alias_to = '' ORDER BY name")

    const tried = new Set(PLAIN_TYPES.flatMap(({ type }) => type.match(/\w+/g) ?? []))
    // Other names of decimals, times and enums; made of others at random; with tests of their own below. Nothing is what an empty list holds.
    const otherwise = ['Decimal32', 'Decimal64', 'Decimal128', 'Decimal256', 'DateTime32', 'Enum', 'Array', 'LowCardinality', 'Map', 'Nested', 'Nullable', 'Tuple', 'Variant', 'AggregateFunction', 'Dynamic', 'JSON', 'Nothing']
    expect(rows.map(({ name }) => name).filter((name) => !tried.has(name) && !otherwise.includes(name))).toEqual([])
  })

  it('keep documents: text stays text, and numbers their digits', async () => {
    expect(await differencesOfDocuments(own.owner, 40, 1)).toEqual([])
  })

  it('take the text of a document as it is', async () => {
    await own.owner.execute('CREATE TABLE texts (c JSON) ENGINE = MergeTree ORDER BY tuple()')

    await own.owner.insert('texts', [{ c: '{"a":{"b":9007199254740993},"d":"2001-01-01"}' }])

    expect((await own.owner.execute('SELECT c FROM texts')).rows).toEqual([{ c: { a: { b: 9_007_199_254_740_993n }, d: '2001-01-01' } }])
  })

  it('keep values of any type in a column that takes all', async () => {
    expect(await differencesOfDynamicValues(own.owner, 40, 1)).toEqual([])
  })

  it('keep the states of aggregate functions, as bytes', async () => {
    const states = 'CAST(total AS String) AS total_bytes, CAST(distinct AS String) AS distinct_bytes, finalizeAggregation(total) AS sum, finalizeAggregation(distinct) AS count'
    await own.owner.execute('CREATE TABLE states (id UInt8, total AggregateFunction(sum, UInt64), distinct AggregateFunction(uniqExact, String), most SimpleAggregateFunction(max, Int64)) ENGINE = AggregatingMergeTree ORDER BY id')
    await own.owner.execute('INSERT INTO states SELECT 1, sumState(number), uniqExactState(toString(number)), 7 FROM numbers(100)')
    const [before] = (await own.owner.execute(`SELECT ${states} FROM states`)).rows

    await own.owner.insert('states', [{ id: 2, total: bytesOf(before?.total_bytes), distinct: bytesOf(before?.distinct_bytes), most: 9n }])

    const { rows } = await own.owner.execute(`SELECT ${states}, most FROM states WHERE id = 2`)
    expect(rows).toEqual([{ ...before, most: 9n }])
    expect(rows[0]).toMatchObject({ sum: 4950n, count: 100n })
    await expect(own.owner.execute('SELECT total FROM states')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_DATA_TYPE', message: expect.stringContaining('finalizeAggregation(total)') as string })
  })

  it('give a value of a variant to the type that keeps most of it, unless one is named', async () => {
    await own.owner.execute("CREATE TABLE variants (n UInt8, v Variant(UInt8, Float64, String, UUID, DateTime64(3, 'UTC'), Array(String))) ENGINE = MergeTree ORDER BY n", {}, { settings: { allow_suspicious_variant_types: 1 } })
    const id = '5b6f1a52-8a1f-4a1c-9f0e-0d8f0c6f2a11'
    const given = [5, 1.5, 'text', id, typed('UUID', id), new Date(5), ['a'], null]

    await own.owner.insert('variants', given.map((v, n) => ({ n, v })))

    const { rows } = await own.owner.execute('SELECT v, variantType(v) AS type FROM variants ORDER BY n')
    expect(rows.map(({ type }) => type)).toEqual(['UInt8', 'Float64', 'String', 'String', 'UUID', "DateTime64(3, 'UTC')", 'Array(String)', 'None'])
    expect(rows.map(({ v }) => v)).toEqual([5, 1.5, 'text', id, id, new Date(5), ['a'], null])
  })

  it('are read where no table has them, too', async () => {
    const { rows } = await own.owner.execute("SELECT [] AS nothing, NULL AS null, tuple() AS unit, [[], [1]] AS lists, map('__proto__', 1) AS named, 5 AS `__proto__`")

    expect(rows[0]).toMatchObject({ nothing: [], null: null, unit: [], lists: [[], [1]] })
    expect(Object.entries(rows[0]?.named as object)).toEqual([['__proto__', 1]])
    expect(Object.getOwnPropertyDescriptor(rows[0], '__proto__')?.value).toBe(5)
  })

  it('refuse a value, and nothing of its batch is sent', async () => {
    await own.owner.execute('CREATE TABLE refusing (id UInt32, v Variant(UInt8, Date)) ENGINE = MergeTree ORDER BY id')

    const refused = own.owner.insert('refusing', [{ id: 1, v: 1 }, { id: 2, v: 'no day' }])

    await expect(refused).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_DATA_TYPE', issues: [{ path: [1, 'v'] }], message: expect.stringMatching(/row 1 .* column "v" .* is a string; name one with typed/) as string })
    expect((await own.owner.execute('SELECT count() AS count FROM refusing')).rows).toEqual([{ count: 0n }])
  })
})

const bytesOf = (value: unknown): Uint8Array => (typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array))
