import type { ColumnBatch, Row } from '@smart-whale/interfaces'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatchWriter, createTable } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

const ROWS = 2000
let made = 0

/** A table with constraints, a writer of it, and a count of the inserts that looking for refused rows takes. */
async function tableWith(constraints: string, more = ''): Promise<{ table: string; writer: ReturnType<typeof createBatchWriter<Row>>; inserts: () => number; columnsAsked: () => number; tablesMade: () => number }> {
  const table = `likely_${made++}`
  await createTable(database.owner, table, { columns: { n: 'Int32', 'the "name"': 'String', size: 'Nullable(Int32)' }, primaryKey: ['n'] })
  for (const clause of [more, constraints]) if (clause !== '') await database.owner.execute(`ALTER TABLE ${table} ${clause}`)
  let attempts = 0
  let asked = 0
  let tables = 0
  const adapter = new Proxy(database.owner, {
    get: (target, name) => {
      if (name === 'insert' || name === 'insertColumns') attempts++
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...given: readonly unknown[]): unknown => {
        if (name === 'execute' && String(given[0]).includes('system.columns')) asked++
        if (name === 'execute' && String(given[0]).startsWith('CREATE TABLE')) tables++
        return value.apply(target, given)
      }
    },
  })
  const inserts = (): number => {
    const since = attempts
    attempts = 0
    return since
  }
  return { table, writer: createBatchWriter(adapter, table), inserts, columnsAsked: () => asked, tablesMade: () => tables }
}

const rowsWith = (changes: Readonly<Record<number, Row>>): Row[] => Array.from({ length: ROWS }, (_value, n) => ({ n, 'the "name"': `n${n}`, size: 1, ...changes[n] }))
const indexesOf = (refused: readonly { index: number }[] | null | undefined): number[] | undefined => refused?.map(({ index }) => index)

/** The same rows by column. */
function columnsOf(rows: readonly Row[]): ColumnBatch {
  const usual = { isConstant: false, nulls: null, precision: 0, scale: 0 }
  const numbers = (name: string): Uint8Array => new Uint8Array(Int32Array.from(rows, (row) => Number(row[name] ?? 0)).buffer)
  return {
    rows: rows.length,
    columns: [
      { ...usual, name: 'n', layout: 'int32', bytes: numbers('n') },
      { ...usual, name: 'the "name"', layout: 'text', bytes: Buffer.concat(rows.flatMap((row) => [Buffer.of(String(row['the "name"']).length), Buffer.from(String(row['the "name"']))])) },
      { ...usual, name: 'size', layout: 'int32', bytes: numbers('size'), nulls: Uint8Array.from(rows, (row) => Number(row['size'] === null)) },
    ],
  }
}

describe('looking for rows that a table is likely to refuse', () => {
  it.each(['rows', 'columns'] as const)('asks for the constraints that refused rows before, by their columns alone: %s', async (form) => {
    const { table, writer, inserts } = await tableWith('ADD CONSTRAINT short CHECK length(`the "name"`) < 20, ADD CONSTRAINT low CHECK n < 1000000 OR `the "name"` = \'n < (1)\'')
    const find = (rows: readonly Row[], likely: boolean) => (form === 'rows' ? writer.findRefused(rows, { likely }) : writer.findRefusedColumns?.(columnsOf(rows), { likely }))
    const long = 'x'.repeat(30)
    // Nothing is known yet, so that all rows are tried.
    expect(indexesOf(await find(rowsWith({ 7: { n: 1_000_000 }, 9: { 'the "name"': long } }), true))).toEqual([7, 9])
    inserts()

    const refused = await find(rowsWith({ 0: { n: 2_000_000 }, 5: { n: 2_000_000, 'the "name"': 'n < (1)' }, 1000: { 'the "name"': long }, 1999: { n: 3_000_000, 'the "name"': long } }), true)

    expect(indexesOf(refused)).toEqual([0, 1000, 1999])
    expect(refused?.map(({ reason }) => reason)[0]).toContain('Constraint `low` is violated. Expression: ')
    expect(inserts()).toBe(3)
    expect(indexesOf(await find(rowsWith({}), true))).toEqual([])
    expect(inserts()).toBe(0)
    expect((await database.owner.execute(`SELECT count() AS n FROM ${table}`)).rows).toEqual([{ n: 0n }])
  })

  it('tries no row for a constraint that has proven itself, until the table is defined otherwise', async () => {
    const { table, writer, tablesMade } = await tableWith('ADD CONSTRAINT low CHECK n < 1000000, ADD CONSTRAINT short CHECK length(`the "name"`) < 20')
    const likely = async (changes: Readonly<Record<number, Row>>): Promise<[unknown, number]> => {
      const before = tablesMade()
      return [await writer.findRefusedColumns?.(columnsOf(rowsWith(changes)), { likely: true }), tablesMade() - before]
    }
    const [high, long] = [{ n: 1_000_000 }, { 'the "name"': 'x'.repeat(30) }]
    const [low, short] = ['Constraint `low` is violated. Expression: (n < 1000000)', 'Constraint `short` is violated. Expression: (length(`the "name"`) < 20)']

    expect(await likely({ 3: high })).toEqual([[{ index: 3, reason: low }], 1])
    expect(await likely({ 4: high })).toEqual([[{ index: 4, reason: low }], 1])
    expect(await likely({ 5: high, 1999: high })).toEqual([[{ index: 5, reason: low }, { index: 1999, reason: low }], 0])
    // Another constraint has to prove itself as well, and where two are broken the table says which it names.
    await writer.findRefusedColumns?.(columnsOf(rowsWith({ 6: long })))
    expect(await likely({ 7: long, 9: high })).toEqual([[{ index: 7, reason: short }, { index: 9, reason: low }], 1])
    expect(await likely({ 8: long })).toEqual([[{ index: 8, reason: short }], 0])
    expect(await likely({ 9: { ...high, ...long } })).toEqual([[{ index: 9, reason: low }], 1])
    expect(await likely({ 2: long })).toEqual([[{ index: 2, reason: short }], 0])

    await database.owner.execute(`ALTER TABLE ${table} DROP CONSTRAINT low`)
    expect(await likely({ 10: high })).toEqual([[], 1])
  })

  it('asks for the columns once, and again after a refusal that they did not foresee', async () => {
    const { table, writer, columnsAsked } = await tableWith('ADD CONSTRAINT low CHECK n < 1000000')
    const bad = columnsOf(rowsWith({ 3: { n: 1_000_000 } }))
    const likely = async (): Promise<number[] | undefined> => indexesOf(await writer.findRefusedColumns?.(bad, { likely: true }))
    await writer.findRefusedColumns?.(bad)
    const before = columnsAsked()

    const found = [await likely(), await likely(), await likely()]
    const whileKnown = columnsAsked() - before
    await database.owner.execute(`ALTER TABLE ${table} ADD CONSTRAINT short CHECK length(\`the "name"\`) < 20`)
    const long = await writer.findRefusedColumns?.(columnsOf(rowsWith({ 9: { 'the "name"': 'x'.repeat(30) } })))
    found.push(await likely())

    expect(found).toEqual([[3], [3], [3], [3]])
    expect(indexesOf(long)).toEqual([9])
    expect([whileKnown, columnsAsked() - before]).toEqual([1, 2])
  })

  it('believes no constraint that is gone: a row is refused only when it was tried', async () => {
    const { table, writer, inserts } = await tableWith('ADD CONSTRAINT low CHECK n < 1000000')
    const bad = rowsWith({ 3: { n: 1_000_000 } })
    expect(indexesOf(await writer.findRefused(bad))).toEqual([3])
    await database.owner.execute(`ALTER TABLE ${table} DROP CONSTRAINT low`)

    // Many rows break it now: it is found out by few of them, and not asked for again.
    const all = rowsWith({}).map((row) => ({ ...row, n: 2_000_000 }))
    inserts()
    expect(await writer.findRefused(all, { likely: true, atMost: 16 })).toEqual([])
    expect(inserts()).toBe(16)
    expect(await writer.findRefused(all, { likely: true, atMost: 16 })).toEqual([])
    expect(inserts()).toBe(1)
  })

  it('asks for constraints again once these are all that rows are refused for', async () => {
    const { writer, inserts } = await tableWith('ADD CONSTRAINT low CHECK n < 1000000')
    expect(indexesOf(await writer.findRefused(rowsWith({ 3: { n: 1_000_000 }, 77: { size: 2 ** 40 } })))).toEqual([3, 77])
    expect(indexesOf(await writer.findRefused(rowsWith({ 5: { n: 1_000_000 } }), { likely: true }))).toEqual([5])
    inserts()

    expect(indexesOf(await writer.findRefused(rowsWith({ 9: { n: 1_000_000 } }), { likely: true }))).toEqual([9])
    expect(inserts()).toBe(1)
  })

  it('finds a value that is missing where the constraint needs one', async () => {
    const { writer } = await tableWith('ADD CONSTRAINT sized CHECK size > 0')
    expect(indexesOf(await writer.findRefused(rowsWith({ 4: { size: 0 } })))).toEqual([4])

    expect(indexesOf(await writer.findRefused(rowsWith({ 4: { size: 0 }, 11: { size: null } }), { likely: true }))).toEqual([4, 11])
  })

  it('tries all rows where a constraint looks at what the table works out, or a row was refused for something else', async () => {
    const derived = await tableWith('ADD CONSTRAINT low CHECK doubled < 2000000', 'ADD COLUMN doubled Int64 MATERIALIZED n * 2')
    expect(indexesOf(await derived.writer.findRefused(rowsWith({ 3: { n: 1_000_000 } })))).toEqual([3])
    expect(indexesOf(await derived.writer.findRefused(rowsWith({ 8: { n: 1_000_000 } }), { likely: true }))).toEqual([8])

    const narrow = await tableWith('ADD CONSTRAINT low CHECK n < 1000000')
    expect(indexesOf(await narrow.writer.findRefused(rowsWith({ 3: { n: 1_000_000 }, 77: { size: 2 ** 40 } })))).toEqual([3, 77])
    expect(indexesOf(await narrow.writer.findRefused(rowsWith({ 78: { size: 2 ** 40 } }), { likely: true }))).toEqual([78])
  })
})
