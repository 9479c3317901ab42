import { type ColumnBatch, type ColumnLayout, type Row, ValidationError } from '@smart-whale/interfaces'
import { batchWriterContract, type BatchWriterFixture } from '@smart-whale/interfaces/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatchWriter, createTable } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let made = 0
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

const columns = { source_topic: 'LowCardinality(String)', source_partition: 'Int32', source_offset: 'Int64', event_id: 'String', level: 'UInt8' }

/** `makeRefusedRow` decides who refuses: the encoder, or only the server. */
async function fixture(makeRefusedRow: (row: Row) => Row): Promise<BatchWriterFixture<Row>> {
  const table = `events_${made++}`
  await createTable(database.owner, table, { columns, primaryKey: ['source_partition', 'source_offset'] })
  await database.owner.execute(`ALTER TABLE ${table} ADD CONSTRAINT low CHECK level < 100`)
  const writer = createBatchWriter(database.owner, table)
  const makeRow = (index: number): Row => ({ source_topic: 'topic', source_partition: 3, source_offset: BigInt(index), event_id: `e${index}`, level: index % 100 })
  return {
    writer,
    makeRow,
    makeRefusedRow: (index) => makeRefusedRow(makeRow(index)),
    storedIndexes: async () => (await database.owner.execute(`SELECT source_offset FROM ${table}`)).rows.map((row) => Number(row['source_offset'])),
    recovery: { writer, topic: 'topic', partition: 3 },
    turns: { writer, another: () => createBatchWriter(database.connect(), table), topic: 'topic', partition: 3 },
    dispose: async () => void (await database.owner.execute(`DROP TABLE ${table}`)),
  }
}

describe('createBatchWriter', () => {
  it.each(batchWriterContract)('$name (refused by the encoder)', ({ run }) => run({ create: () => fixture((row) => ({ ...row, level: 1000 })) }))
  it.each(batchWriterContract)('$name (refused by the server)', ({ run }) => run({ create: () => fixture((row) => ({ ...row, level: 200 })) }))

  it('refuses a table that would store a repeat twice, and names the remedy', async () => {
    await database.owner.execute('CREATE TABLE plain (n UInt8) ENGINE = MergeTree ORDER BY n')
    const error = (await createBatchWriter(database.owner, 'plain')
      .write({ rows: [{ n: 1 }], token: 't' })
      .catch((reason: unknown) => reason)) as Error
    expect(error).toMatchObject({ code: 'ERR_CLICKHOUSE_NO_DEDUPLICATION', message: expect.stringContaining('ALTER TABLE') as string })

    await database.owner.execute(/ALTER TABLE .* = \d+/.exec(error.message)?.[0] ?? 'no remedy')
    await createBatchWriter(database.owner, 'plain').write({ rows: [{ n: 1 }], token: 't' })
  })

  it('leaves no table behind when it looks for refused rows', async () => {
    const { writer, makeRow, makeRefusedRow, recovery } = await fixture((row) => ({ ...row, level: 200 }))
    const refused = await recovery?.writer.findRefused([makeRow(0), makeRefusedRow(1)])
    expect(refused?.map(({ index }) => index)).toEqual([1])
    expect(refused?.[0]?.reason).toContain('low')
    expect(writer).toBeDefined()
    const { rows } = await database.owner.execute("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%probe%'")
    expect(rows).toEqual([])
  })

  it.each([
    ['the server', 200],
    ['the encoder', 1000],
  ])('finds what %s refuses among many rows in a few attempts', async (_who, level) => {
    const table = `searched_${made++}`
    await createTable(database.owner, table, { columns, primaryKey: ['source_partition', 'source_offset'] })
    await database.owner.execute(`ALTER TABLE ${table} ADD CONSTRAINT known CHECK event_id != '', ADD CONSTRAINT low CHECK level < 100`)
    let attempts = 0
    const adapter = new Proxy(database.owner, {
      get: (target, name) => {
        if (name === 'insert') attempts++
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const rows = Array.from({ length: 10_000 }, (_value, index) => ({ source_topic: 'topic', source_partition: 3, source_offset: BigInt(index), event_id: `e${index}`, level: 1 }))
    const bad = [0, 1, 4711, 9999]
    for (const index of bad) Object.assign(rows[index] as Row, { level })
    // Refused by the constraint that is looked at first, though another row comes before it.
    Object.assign(rows[5000] as Row, { event_id: '' })

    const refused = await createBatchWriter(adapter, table).findRefused(rows)

    expect(refused.map(({ index }) => index)).toEqual([0, 1, 4711, 5000, 9999])
    expect(attempts).toBeLessThanOrEqual(3 * 5 + 1)
  })

  it('finds the same in columns, and says which ones it wants as rows', async () => {
    const table = `columns_${made++}`
    await createTable(database.owner, table, { columns: { n: 'Int32', name: 'String' }, primaryKey: ['n'] })
    await database.owner.execute(`ALTER TABLE ${table} ADD CONSTRAINT known CHECK name != '', ADD CONSTRAINT low CHECK n < 1000000`)
    const names = Array.from({ length: 5000 }, (_value, index) => (index === 4000 ? '' : `n${index}`))
    const numbers = Int32Array.from(names, (_name, index) => ([0, 1, 2500, 4999].includes(index) ? 1_000_000 : index))
    const writer = createBatchWriter(database.owner, table)
    const usual = { isConstant: false, nulls: null, precision: 0, scale: 0 }
    const batch = (layout: ColumnLayout): ColumnBatch => ({
      rows: names.length,
      columns: [
        { ...usual, name: 'n', layout, bytes: new Uint8Array(numbers.buffer) },
        { ...usual, name: 'name', layout: 'text', bytes: Buffer.concat(names.flatMap((name) => [Buffer.of(name.length), Buffer.from(name)])) },
      ],
    })

    const [byColumns, byRows, otherType] = [await writer.findRefusedColumns?.(batch('int32')), await writer.findRefused(names.map((name, index) => ({ n: numbers[index], name }))), await writer.findRefusedColumns?.(batch('days'))]

    expect(byColumns?.map(({ index }) => index)).toEqual([0, 1, 2500, 4000, 4999])
    expect(byColumns).toEqual(byRows)
    expect(otherType).toBeNull()
    expect((await database.owner.execute(`SELECT count() AS n FROM ${table}`)).rows).toEqual([{ n: 0n }])
  })

  it('blames no row for a column that the table has not, or not any more', async () => {
    const { writer, makeRow, recovery } = await fixture((row) => row)
    const rows = [makeRow(0), makeRow(1)]
    expect(await recovery?.writer.findRefused(rows)).toEqual([])
    await database.owner.execute(`ALTER TABLE events_${made - 1} RENAME COLUMN event_id TO aside`)

    const failures = await Promise.all([writer.write({ rows, token: 'renamed' }), recovery?.writer.findRefused(rows)].map((call) => Promise.resolve(call).catch((error: unknown) => error)))

    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', message: expect.stringContaining('event_id') as string })
      expect(ValidationError.isInstance(failure)).toBe(false)
    }
    await database.owner.execute(`ALTER TABLE events_${made - 1} RENAME COLUMN aside TO event_id`)
    expect(await writer.write({ rows, token: 'renamed' })).toEqual({ rows: 2 })
  })
})
