import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Row } from '@smart-whale/interfaces'
import { type ClickHouseAdapter, typed } from '../../src/index.ts'
import type { Difference } from './round-trip.ts'
import { randomType, type TypeCase } from './random-types.ts'

const name = fc.oneof(fc.constantFrom('a', 'b', 'c d', 'ü', '__proto__', 'constructor', "it's", '2020'), fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 6 })).filter((text) => !/[.%\\"]/.test(text))
const words = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => text.isWellFormed()), fc.constantFrom('2020-01-01', '2020-01-01 10:00:00', '12', 'true', 'null', '2020-01-01T10:00:00.000Z'))
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }))
const member = fc.letrec((tie) => ({
  document: fc.dictionary(name, tie('value'), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof({ maxDepth: 3 }, words, number, fc.boolean(), fc.array(words, { minLength: 1, maxLength: 3 }), fc.array(fc.integer(), { minLength: 1, maxLength: 3 }), fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }), tie('document'), fc.array(tie('document'), { minLength: 1, maxLength: 2 })),
}))
const document = member['document'] as fc.Arbitrary<Record<string, unknown>>

/** Stores documents; reads them with our decoder, and as the text that the server prints. */
export async function differencesOfDocuments(adapter: ClickHouseAdapter, rows: number, seed: number): Promise<Difference[]> {
  const table = `documents_${seed}`
  await adapter.execute(`CREATE OR REPLACE TABLE ${table} (n UInt32, c JSON, few JSON(max_dynamic_paths=2), many Array(JSON)) ENGINE = MergeTree ORDER BY n`)
  const documents = fc.sample(document, { numRuns: rows, seed })
  await adapter.insert(table, documents.map((c, n) => ({ n, c, few: c, many: [c, c] })))
  const { rows: read } = await adapter.execute<{ c: unknown; few: unknown; many: unknown[]; said: string }>(`SELECT c, few, many, toString(c) AS said FROM ${table} ORDER BY n`)
  await adapter.execute(`DROP TABLE ${table} SYNC`)
  return documents.flatMap((wanted, n) => {
    const { c, few, many = [], said = '' } = read[n] ?? ({} as (typeof read)[number])
    const printed: unknown = JSON.parse(said)
    const plain: unknown = JSON.parse(JSON.stringify(wanted, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)))
    if (!isDeepStrictEqual(printed, plain)) return [{ type: 'JSON, as the server prints it', value: wanted, found: printed, wanted: plain }]
    return [c, few, ...many].filter((found) => !isDeepStrictEqual(found, wanted)).map((found) => ({ type: 'JSON', value: wanted, found, wanted }))
  })
}

/** Stores values of any type under that type in a column that takes all; reads them with our decoder, and as the server says. */
export async function differencesOfDynamicValues(adapter: ClickHouseAdapter, types: number, seed: number): Promise<Difference[]> {
  const table = `dynamic_${seed}`
  const settings = { enable_time_time64_type: 1, allow_suspicious_low_cardinality_types: 1, allow_suspicious_variant_types: 1, allow_experimental_nullable_tuple_type: 1 }
  await adapter.execute(`CREATE OR REPLACE TABLE ${table} (n UInt32, c Dynamic(max_types=254)) ENGINE = MergeTree ORDER BY n`)
  // A variant in it is taken apart, and what may be null is kept without that: both are other types then.
  const cases = fc.sample(randomType(2).filter(({ type }) => !/^(Nullable|LowCardinality\(Nullable|Variant)/.test(type)), { numRuns: types, seed })
  const values = cases.map(({ value }, index) => fc.sample(value, { numRuns: 1, seed: seed + index })[0])
  await adapter.insert(table, cases.map(({ type }, n): Row => ({ n, c: typed(type, values[n]) })), { settings })
  const { rows } = await adapter.execute<{ c: unknown; type: string }>(`SELECT c, dynamicType(c) AS type FROM ${table} ORDER BY n`)
  await adapter.execute(`DROP TABLE ${table} SYNC`)
  const differs = ({ back }: TypeCase, n: number): boolean => !isDeepStrictEqual(rows[n]?.c, back(values[n] as never))
  return cases.flatMap((one, n) => (differs(one, n) ? [{ type: `Dynamic: ${one.type}, stored as ${rows[n]?.type}`, value: values[n], found: rows[n]?.c, wanted: one.back(values[n] as never) }] : []))
}
