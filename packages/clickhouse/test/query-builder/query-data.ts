import type { Row } from '@smart-whale/interfaces'
import { type ClickHouseAdapter, type Column, createQueryBuilder, defineSchema } from '../../src/index.ts'
import type { Choices } from './choices.ts'

/** The tables that random queries read from. */
export interface Tables {
  t: {
    id: Column<'UInt32', number>
    a: Column<'Nullable(Int32)', number | null>
    b: Column<'Int64', bigint>
    s: Column<'LowCardinality(String)', string>
    f: Column<'Float64', number>
    d: Column<'Date', string>
    m: Column<"DateTime64(3, 'UTC')", Date>
    h: Column<'UInt32', number>
    l: Column<'Array(String)', string[]>
    n: Column<'Array(Nullable(Int32))', (number | null)[]>
  }
  u: { k: Column<'Int64', bigint>; label: Column<'String', string>; w: Column<'Nullable(Int32)', number | null> }
}

export const TYPES = {
  t: { id: 'UInt32', a: 'Nullable(Int32)', b: 'Int64', s: 'LowCardinality(String)', f: 'Float64', d: 'Date', m: "DateTime64(3, 'UTC')", h: 'UInt32' },
  u: { k: 'Int64', label: 'String', w: 'Nullable(Int32)' },
} as const

/** Arrays of `t`, of one length in each row; their elements are what queries look at. */
export const ARRAYS = { l: 'Array(String)', n: 'Array(Nullable(Int32))' } as const

/** What the sampling key of two rows differs by at least: 32 of them make all of its range. */
export const SAMPLE_STEP = 2 ** 27

const COLUMNS = { t: { ...TYPES.t, ...ARRAYS }, u: TYPES.u }
export const db = createQueryBuilder(defineSchema<Tables>(COLUMNS))

/** What the tables hold. */
export interface Data {
  readonly t: readonly Row[]
  readonly u: readonly Row[]
}

const WORDS = ['', 'a', 'b', 'ab', 'Ab', "o'clock", 'a_b', '50%', 'back\\slash']

/** A value that a column of the type may have; few different ones, so that they meet. */
export function valueFor(type: string, choices: Choices): unknown {
  if (type.startsWith('Nullable')) return choices.chance(0.25) ? null : choices.between(-4, 6)
  if (type === 'UInt32') return choices.between(0, 40)
  if (type === 'Int64') return choices.chance(0.1) ? 9_007_199_254_740_993n : BigInt(choices.between(-3, 5))
  if (type === 'Float64') return choices.between(-8, 12) / 4
  if (type === 'Date') return `2001-0${choices.between(1, 3)}-1${choices.between(0, 4)}`
  if (type.startsWith('DateTime64')) return new Date(Date.UTC(2001, choices.between(0, 2), choices.between(1, 28), choices.between(0, 23), 0, 0, choices.between(0, 2)))
  return choices.of(WORDS)
}

/** Makes both tables and fills them. */
export async function makeTables(adapter: ClickHouseAdapter, choices: Choices): Promise<Data> {
  const rows = (types: Readonly<Record<string, string>>, count: number): Row[] =>
    Array.from({ length: count }, (_, id) => Object.fromEntries(Object.entries(types).map(([name, type]) => [name, name === 'id' ? id : valueFor(type, choices)])))
  const data = { t: rows(TYPES.t, 30).map((row, index) => ({ ...row, h: index * SAMPLE_STEP, ...arraysOf(choices) })), u: rows(TYPES.u, 9) }
  for (const [table, types] of Object.entries(COLUMNS)) {
    await adapter.execute(`CREATE OR REPLACE TABLE ${table} (${Object.entries(types).map(([name, type]) => `${name} ${type}`).join(', ')}) ENGINE = MergeTree ORDER BY ${table === 't' ? '(s, b, h) SAMPLE BY h' : 'k'}`)
    await adapter.insert(table, data[table as keyof Data])
  }
  return data
}

function arraysOf(choices: Choices): Row {
  const length = choices.between(0, 3)
  const list = (type: string): unknown[] => Array.from({ length }, () => valueFor(type, choices))
  return { l: list('String'), n: list('Nullable(Int32)') }
}
