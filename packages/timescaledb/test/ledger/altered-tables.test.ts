import { type BatchTransaction, type ColumnBatch, type Row, type Slice, ValidationError } from '@smart-whale/interfaces'
import { createTransactionalBatchWriter, type IngestLedger, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { columnBatchOf, rowsOfColumns } from '../fixtures/column-batch-of.ts'
import { type LedgerDatabase, openLedgerDatabase } from '../time-series-database.ts'

/*
 * Tables that are not what they were when a pipeline began to write to them. Whatever was done, no row is blamed for it.
 */

const SLICE: Slice = { firstOffset: 0n, lastOffset: 1n, token: 'one', excluded: [] }

describeEngines((engine) => {
  let database: LedgerDatabase
  let storage: TimescaleStorage
  let ledger: IngestLedger
  let tables = 0

  beforeAll(async () => {
    database = await openLedgerDatabase(engine)
    ;({ storage, ledger } = database)
  })
  afterAll(() => database.close())

  /** A table that a writer has stored rows in. */
  async function written(columns = 'id int8, name text, fare numeric(8, 2)') {
    const table = `rides_${tables++}`
    await storage.execute(`create table ${table} (${columns})`)
    const writer = createTransactionalBatchWriter<Row>(storage, table, { ledger })
    const claim = await ledger.claim({ pipeline: 'p', topicId: table, partition: 0 }, 'me')
    await ledger.record(claim, SLICE)
    const store = async (write: (transaction: BatchTransaction<Row>) => Promise<unknown>): Promise<unknown> => {
      await using transaction = await writer.begin()
      return await write(transaction).catch((error: unknown) => error)
    }
    const alter = (change: string): Promise<unknown> => storage.execute(`alter table ${table} ${change}`)
    expect([await store((transaction) => transaction.writeColumns?.(BATCH) as Promise<boolean>), await writer.findRefusedColumns?.(BATCH)]).toEqual([true, []])
    return { table, writer, claim, store, alter }
  }

  const BATCH: ColumnBatch = columnBatchOf(2, [
    { name: 'id', layout: 'int64', values: [1n, 2n] },
    { name: 'name', layout: 'text', values: ['one', 'two'] },
    { name: 'fare', layout: 'decimal32', precision: 8, scale: 2, values: ['1.50', '2.50'] },
  ])
  const ROWS: readonly Row[] = rowsOfColumns(2, [
    { name: 'id', layout: 'int64', values: [1n, 2n] },
    { name: 'name', layout: 'text', values: ['one', 'two'] },
    { name: 'fare', layout: 'decimal32', precision: 8, scale: 2, values: ['1.50', '2.50'] },
  ])
  const caught = (call: PromiseLike<unknown> | undefined): Promise<unknown> => Promise.resolve(call).catch((error: unknown) => error)

  describe('a column that is gone', () => {
    it('fails rows, columns and the search for refused ones without blaming a row, until it is back', async () => {
      const { writer, store, alter } = await written()
      await alter('rename column fare to aside')

      const failures = [
        await store((transaction) => transaction.write(ROWS)),
        await store((transaction) => transaction.writeColumns?.(BATCH) as Promise<boolean>).then((taken) => taken || store((transaction) => transaction.write(ROWS))),
        await caught(writer.findRefused(ROWS)),
      ]

      for (const failure of failures) {
        expect(failure).toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED', message: expect.stringContaining('fare') as string })
        expect(ValidationError.isInstance(failure)).toBe(false)
      }
      await alter('rename column aside to fare')
      expect(await writer.findRefused(ROWS)).toEqual([])
      expect(await store((transaction) => transaction.write(ROWS))).toBeUndefined()
    })
  })

  /** What the server makes of bytes for another type: it takes some of them, refuses others, or has no name for what is wrong. */
  const RETYPED = [
    ['alter column id type numeric', true],
    ['alter column fare type text', true],
    ['alter column id type numeric, alter column fare type text, alter column name type varchar(50)', true],
    ['alter column id type int4', true],
    ['alter column name type text[] using array[name]', false],
    ['alter column name type jsonb using to_jsonb(name)', true],
  ] as const

  describe.each(RETYPED)('a table altered under a pipeline (%s)', (change, stillFits) => {
    it.each(['write', 'writeColumns', 'findRefused', 'findRefusedColumns'] as const)('blames no row for its bytes (%s)', async (way) => {
      const { writer, store, alter } = await written()
      await alter(change)
      const attempts = {
        write: () => store((transaction) => transaction.write(ROWS)),
        writeColumns: () => store(async (transaction) => transaction.writeColumns?.(BATCH)),
        findRefused: () => caught(writer.findRefused(ROWS)),
        findRefusedColumns: () => caught(writer.findRefusedColumns?.(BATCH)),
      }

      expect(ValidationError.isInstance(await attempts[way]())).toBe(false)
      if (!stillFits) return
      // The second time at the latest.
      await attempts[way]()
      expect(await writer.findRefused(ROWS)).toEqual([])
      expect(await store((transaction) => transaction.write(ROWS))).toBeUndefined()
    })
  })

  it('still blames a row for what the server alone finds out, when the types are what they were', async () => {
    const { table, writer, store } = await written()
    await storage.execute(`create function refuse_${table}() returns trigger language plpgsql as $$ begin if new.id = 2 then raise exception using errcode = '22023'; end if; return new; end $$`)
    await storage.execute(`create trigger refuse before insert on ${table} for each row execute function refuse_${table}()`)

    expect(await store((transaction) => transaction.writeColumns?.(BATCH) as Promise<boolean>)).toMatchObject({ code: 'ERR_TIMESCALEDB_DATA' })
    expect(await writer.findRefusedColumns?.(BATCH)).toMatchObject([{ index: 1 }])
    expect(await writer.findRefused(ROWS)).toMatchObject([{ index: 1 }])
  })

  describe('a trigger that takes rows away', () => {
    it('fails the write, whichever way the rows come, until it is gone', async () => {
      const { table, writer, store } = await written()
      await storage.execute(`create function pass_${table}() returns trigger language plpgsql as $$ begin return case when new.id = 2 then null else new end; end $$`)
      await storage.execute(`create trigger pass before insert on ${table} for each row execute function pass_${table}()`)

      const failures = [
        await store((transaction) => transaction.write(ROWS)),
        await store(async (transaction) => transaction.writeColumns?.(BATCH)),
        await caught(writer.findRefused(ROWS)),
        await caught(storage.bulkInsert(table, ROWS)),
      ]

      const sql = expect.stringMatching(new RegExp(`${table}.* refused none of 2 rows and has 1 .*trigger`)) as string
      for (const failure of failures) {
        expect(failure).toMatchObject({ code: 'ERR_TIMESCALEDB_ROWS_NOT_STORED', retryable: true, message: sql })
        expect(ValidationError.isInstance(failure)).toBe(false)
      }
      expect(await storage.bulkInsert(table, ROWS, { onConflict: 'ignore' })).toBe(1)
      await storage.execute(`truncate ${table}`)
      await storage.execute(`drop trigger pass on ${table}`)
      expect(await storage.bulkInsert(table, ROWS)).toBe(2)
      expect(await store((transaction) => transaction.write(ROWS))).toBeUndefined()
    })
  })
})
