import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../../src/index.ts'
import { GEOMETRIES, INTERVALS, randomType, SCALARS, SPECIALS, type TypeCase } from './random-types.ts'

/** Without these the server would refuse some types, or store others than were asked for. */
const CREATE_SETTINGS = { allow_suspicious_low_cardinality_types: 1, allow_suspicious_variant_types: 1, enable_time_time64_type: 1, flatten_nested: 0, allow_experimental_nullable_tuple_type: 1 }

/** A value that did not come through as it is. */
export interface Difference {
  readonly type: string
  readonly value: unknown
  /** What was read, or how the server prints what it has. */
  readonly found: unknown
  readonly wanted: unknown
}

/**
 * Stores rows of random values of the types in a table of its own; reads them with our decoder, and as the server itself says what they are.
 * Both have to be the value, so that a mistake that encoder and decoder share is found too.
 */
export async function differencesOf(adapter: ClickHouseAdapter, types: readonly TypeCase[], rows: number, seed: number): Promise<Difference[]> {
  const table = `types_${seed}_${Math.random().toString(36).slice(2)}`
  const columns = types.map(({ type }, index) => `c${index} ${type}`)
  await adapter.execute(`CREATE TABLE ${table} (n UInt32, ${columns.join(', ')}) ENGINE = MergeTree ORDER BY n`, {}, { settings: CREATE_SETTINGS })
  try {
    const values = types.map(({ value }, index) => fc.sample(value, { numRuns: rows, seed: seed + index }))
    const given = Array.from({ length: rows }, (_, n): Row => ({ n, ...Object.fromEntries(values.map((column, index) => [`c${index}`, column[n]])) }))
    await adapter.insert(table, given)
    const read = await adapter.execute(`SELECT * FROM ${table} ORDER BY n`)
    const said = await adapter.execute(`SELECT ${types.map(({ sql }, index) => `${sql(`c${index}`)} AS c${index}`).join(', ')} FROM ${table} ORDER BY n`)
    return types.flatMap((type, index) => values[index]?.flatMap((value, n) => compare(type, value, read.rows[n]?.[`c${index}`], said.rows[n]?.[`c${index}`])) ?? [])
  } finally {
    await adapter.execute(`DROP TABLE ${table} SYNC`)
  }
}

function compare({ type, back, text }: TypeCase, value: unknown, read: unknown, said: unknown): Difference[] {
  const [wanted, wantedText] = [back(value as never), text(value as never)]
  if (!isDeepStrictEqual(read, wanted)) return [{ type, value, found: read, wanted }]
  return said === wantedText ? [] : [{ type, value, found: said, wanted: wantedText }]
}

/** Every type that is made of nothing else, with many values. */
export function differencesOfPlainTypes(adapter: ClickHouseAdapter, rows: number, seed: number): Promise<Difference[]> {
  return differencesOf(adapter, PLAIN_TYPES, rows, seed)
}

/** All of these. */
export const PLAIN_TYPES: readonly TypeCase[] = [...SCALARS, ...INTERVALS, ...GEOMETRIES, ...SPECIALS]

/** Types made of others at random, with a few values of each. */
export function differencesOfRandomTypes(adapter: ClickHouseAdapter, { types, rows, seed }: { types: number; rows: number; seed: number }): Promise<Difference[]> {
  return differencesOf(adapter, fc.sample(randomType(), { numRuns: types, seed }), rows, seed)
}
