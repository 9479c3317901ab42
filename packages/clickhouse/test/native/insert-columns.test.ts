import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ColumnBatch, ColumnLayout, ColumnValues } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../../src/adapter-options.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let own: OwnDatabase
let adapter: ClickHouseAdapter
beforeAll(async () => {
  own = await ownDatabase()
  adapter = own.owner
})
afterAll(async () => {
  await own.drop()
})

const texts = (...values: string[]): Uint8Array => Buffer.concat(values.map((value) => Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)])))
const column = (name: string, layout: ColumnLayout, bytes: Uint8Array, more: Partial<ColumnValues> = {}): ColumnValues => ({ name, layout, bytes, isConstant: false, nulls: null, precision: 0, scale: 0, ...more })

/** Two rows with every layout, with and without nulls. */
const BATCH: ColumnBatch = {
  rows: 2,
  columns: [
    column('name', 'text', texts('Søren', '')),
    column('note', 'text', texts('', 'x'.repeat(100)), { nulls: Uint8Array.of(1, 0) }),
    column('small', 'int32', new Uint8Array(Int32Array.of(-5, 2147483647).buffer)),
    column('large', 'int64', new Uint8Array(BigInt64Array.of(-(2n ** 63n), 7n).buffer), { nulls: Uint8Array.of(0, 0) }),
    column('ratio', 'float64', new Uint8Array(Float64Array.of(0.1, -0).buffer)),
    column('open', 'boolean', Uint8Array.of(1, 0)),
    column('time', 'milliseconds', new Uint8Array(BigInt64Array.of(-1n, 1_769_862_896_789n).buffer)),
    column('day', 'days', new Uint8Array(Int32Array.of(-25_567, 20_000).buffer)),
    column('id', 'uuid', Buffer.from('a0eebc999c0b4ef8bb6d6bb9bd380a1100000000000000000000000000000001', 'hex')),
    column('price', 'decimal32', new Uint8Array(Int32Array.of(-1250, 1).buffer), { precision: 9, scale: 2 }),
    column('rate', 'decimal64', new Uint8Array(BigInt64Array.of(1_500_000n, -1n).buffer), { precision: 18, scale: 6 }),
    column('source', 'text', texts('rides'), { isConstant: true }),
    column('topic', 'text', texts('rides'), { isConstant: true }),
    column('part', 'int32', new Uint8Array(Int32Array.of(3).buffer), { isConstant: true }),
  ],
}
const TYPES = `name String, note Nullable(String), small Int32, large Nullable(Int64), ratio Float64, open Bool, time DateTime64(3, 'UTC'), day Date32, id UUID, price Decimal(9, 2), rate Decimal(18, 6),
  source String, topic LowCardinality(String), part Int32`

describe('insertColumns', () => {
  it('stores the values of every layout', async () => {
    await adapter.execute(`CREATE TABLE every (${TYPES}) ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 10`)

    expect(await adapter.insertColumns('every', BATCH, { token: 'once' })).toMatchObject({ rows: 2 })
    await adapter.insertColumns('every', BATCH, { token: 'once' })

    const { rows } = await adapter.execute('SELECT * FROM every ORDER BY small')
    const same = { source: 'rides', topic: 'rides', part: 3 }
    expect(rows).toEqual([
      { name: 'Søren', note: null, small: -5, large: -(2n ** 63n), ratio: 0.1, open: true, time: new Date(-1), day: '1900-01-01', id: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', price: '-12.50', rate: '1.500000', ...same },
      { name: '', note: 'x'.repeat(100), small: 2147483647, large: 7n, ratio: -0, open: false, time: new Date(1_769_862_896_789), day: '2024-10-04', id: '00000000-0000-0000-0000-000000000001', price: '0.01', rate: '-0.000001', ...same },
    ])
  })

  it('stores them under a guard as well', async () => {
    await adapter.execute(`CREATE TABLE guarded (${TYPES}) ENGINE = MergeTree ORDER BY tuple()`)

    await adapter.insertColumns('guarded', BATCH, { guard: { query: 'SELECT {zero:UInt8}', params: { zero: 0 } } })

    expect((await adapter.execute('SELECT count() AS rows, sum(part) AS parts, uniq(topic) AS topics FROM guarded')).rows).toEqual([{ rows: 2n, parts: 6n, topics: 1n }])
  })

  it.each([
    ['another number', 'small Int64'],
    ['another precision', "time DateTime64(6, 'UTC')"],
    ['another scale', 'price Decimal(9, 3)'],
    ['no room for null', 'note String'],
    ['another column', 'other String'],
    ['a dictionary of many', 'name LowCardinality(String)'],
  ])('answers null, and sends nothing, for a table with %s', async (_what, type) => {
    const name = type.split(' ')[0] as string
    const table = `other_${type.replace(/\W+/g, '_').toLowerCase()}`
    await adapter.execute(`CREATE TABLE ${table} (${type}) ENGINE = MergeTree ORDER BY tuple()`)

    const batch = { rows: 2, columns: BATCH.columns.filter((one) => one.name === name || name === 'other') }
    expect(await adapter.insertColumns(table, batch)).toBeNull()
    expect((await adapter.execute(`SELECT count() AS rows FROM ${table}`)).rows).toEqual([{ rows: 0n }])
  })

  it('is refused by a table that has changed since its types were asked for, and fits again afterwards', async () => {
    await adapter.execute('CREATE TABLE changed (small Int32) ENGINE = MergeTree ORDER BY tuple()')
    const batch = { rows: 2, columns: BATCH.columns.filter(({ name }) => name === 'small') }
    await adapter.insertColumns('changed', batch)
    await adapter.execute('ALTER TABLE changed MODIFY COLUMN small Int64')

    await expect(adapter.insertColumns('changed', batch)).rejects.toThrow()
    expect(await adapter.insertColumns('changed', batch)).toBeNull()
    expect((await adapter.execute('SELECT count() AS rows FROM changed')).rows).toEqual([{ rows: 2n }])
  })
})
