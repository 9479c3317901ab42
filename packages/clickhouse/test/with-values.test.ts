import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withValues } from '../src/parameters/with-values.ts'
import { typed } from '../src/index.ts'
import { type OwnDatabase, ownDatabase } from './own-database.ts'

let database: OwnDatabase
beforeAll(async () => {
  database = await ownDatabase()
})
afterAll(() => database.drop())

const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.string({ unit: fc.constantFrom("'", '\\', '\n', '\t', '\0', '{', '}', ':', 'a', '\\N', '`', '--'), maxLength: 6 }))
const values: readonly (readonly [string, fc.Arbitrary<unknown>])[] = [
  ['String', text],
  ['Nullable(String)', fc.option(text)],
  ['LowCardinality(Nullable(String))', fc.option(text)],
  ['UInt64', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
  ['Float64', fc.double()],
  ['Decimal(18, 4)', fc.integer().map((number) => `${number}.25`)],
  ['Bool', fc.boolean()],
  ["DateTime64(3, 'UTC')", fc.date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })],
  ["Enum8('it\\'s' = 1, 'b' = 2)", fc.constantFrom("it's", 'b')],
  ['Array(String)', fc.array(text, { maxLength: 3 })],
  ['Array(Array(Int8))', fc.array(fc.array(fc.integer({ min: -128, max: 127 }), { maxLength: 3 }), { maxLength: 3 })],
  ['Tuple(String, Array(String))', fc.tuple(text, fc.array(text, { maxLength: 2 }))],
]

describe('a question with its values in its text', () => {
  it('asks what it asks with them beside it', async () => {
    const drawn = values.flatMap(([type, arbitrary]) => fc.sample(arbitrary, { numRuns: 40, seed: 7 }).map((value) => ({ type, value })))
    for (let at = 0; at < drawn.length; at += 40) {
      const some = drawn.slice(at, at + 40)
      const query = `SELECT ${some.map(({ type }, index) => `:v${index} AS a${index}, {w${index}:${type}} AS b${index}`).join(', ')}`
      const params = Object.fromEntries(some.flatMap(({ type, value }, index) => [[`v${index}`, typed(type, value)], [`w${index}`, value]]))

      const { text: inText } = withValues(query, params)

      expect(inText).not.toMatch(/:v\d|\{w\d/)
      expect((await database.owner.execute(inText)).rows).toEqual((await database.owner.execute(query, params)).rows)
    }
  })

  it('names what it reads', async () => {
    await database.owner.execute('CREATE TABLE `odd ``name` (id UInt8) ENGINE = MergeTree ORDER BY id')
    await database.owner.execute('INSERT INTO `odd ``name` VALUES (7)', {}, { settings: { async_insert: 0 } })

    const { text: inText } = withValues('SELECT {c:Identifier} FROM {t:Identifier} WHERE id = $1', { c: 'id', t: 'odd `name', $1: 7 })

    expect((await database.owner.execute(inText)).rows).toEqual([{ id: 7 }])
  })

  it('keeps the place of a map, and says so', () => {
    expect(withValues('SELECT :n, :m', { n: 1, m: [{ a: 1 }] })).toEqual({ text: "SELECT _CAST('1', 'Int64'), {m:Array(Map(String, Int64))}", isWhole: false })
  })
})
