import { type BatchTransaction, type ColumnBatch, InfrastructureError, type RefusedRow, type Row, type Slice, type SliceClaim, ValidationError } from '@smart-whale/interfaces'
import { asJsonText, createPartitionManager, createTransactionalBatchWriter, type IngestLedger, type TimescaleStorage, type TransactionalBatchWriterOptions } from '@smart-whale/timescaledb'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { columnBatchOf, decimalText, type GivenColumn, rowsOfColumns } from '../fixtures/column-batch-of.ts'
import { type LedgerDatabase, openLedgerDatabase } from '../time-series-database.ts'

const DAY = 86_400_000
const slice = (count: number): Slice => ({ firstOffset: 0n, lastOffset: BigInt(count) - 1n, token: `0-${count}`, excluded: [] })

/** Types that a column may meet in somebody's table: its own, wider and narrower ones, and some of another kind. */
const COLUMNS: readonly (Omit<GivenColumn, 'values'> & { readonly types: readonly string[]; readonly cell: fc.Arbitrary<unknown> })[] = [
  { name: 'name', layout: 'text', types: ['text', 'varchar(5)', 'char(5)', 'text not null', 'citext_like', 'mood', 'uuid'], cell: fc.constantFrom('', 'glad', 'søren', 'too long', 'end   ', 'a\0b', null) },
  { name: 'id', layout: 'uuid', types: ['uuid', 'text'], cell: fc.uuid() },
  { name: 'small', layout: 'int32', types: ['int4', 'int8', 'int2', 'numeric', 'text', 'int4 check (small <> 7)'], cell: fc.oneof(fc.constantFrom(7, -5), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })) },
  { name: 'large', layout: 'int64', types: ['int8', 'int4', 'numeric(12)'], cell: fc.oneof(fc.constant(5n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })) },
  { name: 'ratio', layout: 'float64', types: ['float8', 'float4', 'numeric'], cell: fc.oneof(fc.constant(-0), fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 })) },
  { name: 'open', layout: 'boolean', types: ['bool', 'int4'], cell: fc.boolean() },
  { name: 'seen', layout: 'milliseconds', types: ['timestamptz', 'timestamp', 'date'], cell: fc.date({ min: new Date('1900-01-01'), max: new Date('2299-12-31'), noInvalidDate: true }) },
  { name: 'day', layout: 'days', types: ['date', 'timestamptz', 'text'], cell: fc.date({ min: new Date('1900-01-01'), max: new Date('2299-12-31'), noInvalidDate: true }).map((day) => day.toISOString().slice(0, 10)) },
  { name: 'price', layout: 'decimal32', precision: 9, scale: 2, types: ['numeric(9, 2)', 'numeric', 'numeric(5, 1)', 'numeric(14, 4)', 'float8'], cell: fc.integer({ min: -999_999_999, max: 999_999_999 }).map((value) => decimalText(BigInt(value), 2)) },
  { name: 'rate', layout: 'decimal64', precision: 18, scale: 6, types: ['numeric(18, 6)', 'numeric', 'positive'], cell: fc.bigInt({ min: 1n - 10n ** 18n, max: 10n ** 18n - 1n }).map((value) => decimalText(value, 6)) },
  { name: 'data', layout: 'text', isJson: false, types: ['text', 'jsonb', 'json'], cell: fc.constantFrom('{"a": 1}', 'no JSON', '"\\u0000"') },
]

interface Case {
  readonly rows: number
  readonly given: readonly GivenColumn[]
  readonly types: readonly string[]
}

/** One of the types for each column, mostly its own; and some rows. */
const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 6 }).chain((rows) =>
  fc.tuple(...COLUMNS.map(({ types, cell, ...column }) =>
    fc.tuple(
      fc.oneof({ arbitrary: fc.constant(types[0] as string), weight: 12 }, { arbitrary: fc.constantFrom(...types), weight: 1 }),
      fc.boolean().chain((nullable) => fc.array(nullable ? fc.option(cell, { freq: 8 }) : cell.filter((value) => value !== null), { minLength: rows, maxLength: rows }).map((values) => ({ ...column, nullable, values }))),
    ),
  )).map((columns) => ({ rows, given: columns.map(([, column]) => column), types: columns.map(([type]) => type) })),
)

describeEngines((engine) => {
  let database: LedgerDatabase
  let storage: TimescaleStorage
  let ledger: IngestLedger
  let claim: SliceClaim
  let scopes = 0
  let tables = 0

  beforeAll(async () => {
    database = await openLedgerDatabase(engine)
    ;({ storage, ledger } = database)
    await storage.runScript(`create domain citext_like as text; create type mood as enum ('glad', ''); create domain positive as numeric(20, 7) check (value > 0)`)
  })
  afterAll(() => database.close())

  beforeEach(async () => {
    await storage.execute('drop table if exists rides cascade')
    await storage.execute('create table rides (time timestamptz not null, name text, small int4 check (small < 1000), unique (time, name))')
    await createPartitionManager(storage).partitionByTime('rides', 'time')
    claim = await ledger.claim({ pipeline: 'p', topicId: `t${scopes++}`, partition: 0 }, 'me')
  })

  const writerOf = (table: string, change: Partial<TransactionalBatchWriterOptions> = {}) => createTransactionalBatchWriter(storage, table, { ledger, ...change })
  const read = async (table: string): Promise<string[]> => (await storage.execute<{ row: string }>(`select t::text as row from ${table} t order by 1`)).map(({ row }) => row)

  /** What becomes of a batch: false when it isn't taken as columns, else the refusal or nothing. */
  async function store(table: string, write: (transaction: BatchTransaction<Row>) => Promise<boolean | void>, count = 1): Promise<unknown> {
    await using transaction = await writerOf(table).begin()
    const own = await ledger.claim({ ...claim.scope, topicId: `own${scopes++}` }, 'me')
    await ledger.record(own, slice(count))
    try {
      if ((await write(transaction)) === false) return false
      await transaction.complete(own, slice(count))
      await transaction.commit()
      return null
    } catch (error) {
      if (!ValidationError.isInstance(error)) throw error
      return { message: error.message.replaceAll(table, 'table'), code: error.code, rows: error.issues.map(({ path }) => path[0]) }
    }
  }

  const storeColumns = (table: string, batch: ColumnBatch): Promise<unknown> => store(table, async (transaction) => (await transaction.writeColumns?.(batch)) === true)

  /** What a storage knows of a table, it knows for long: each has a name of its own. */
  async function freshTable(columns: string): Promise<string> {
    const table = `fresh_${tables++}`
    await storage.execute(`create table ${table} (${columns})`)
    return table
  }

  const rides = (values: Partial<Record<'time' | 'name' | 'small', readonly unknown[]>>): readonly GivenColumn[] => [
    { name: 'time', layout: 'milliseconds', values: values.time ?? [], nullable: true },
    { name: 'name', layout: 'text', values: values.name ?? values.time?.map((_time, row) => `r${row}`) ?? [] },
    { name: 'small', layout: 'int32', values: values.small ?? values.time?.map((_time, row) => row) ?? [] },
  ]
  const days = (count: number, first = 0): Date[] => Array.from({ length: count }, (_, index) => new Date(Date.UTC(2001, 0, 1) + (first + index) * DAY))
  const ridesOn = (times: readonly (Date | null)[]): ColumnBatch => columnBatchOf(times.length, rides({ time: times }))

  describe('a batch of columns', () => {
    it('becomes visible together with its ledger entry, in the partitions that it needs', async () => {
      await ledger.record(claim, slice(40))
      await using transaction = await writerOf('rides').begin()

      expect(await transaction.writeColumns?.(ridesOn(days(40)))).toBe(true)
      await transaction.complete(claim, slice(40))
      expect([(await read('rides')).length, (await ledger.inspect(claim.scope))?.nextOffset]).toEqual([0, 0n])
      await transaction.commit()

      expect([(await read('rides')).length, (await ledger.inspect(claim.scope))?.nextOffset]).toEqual([40, 40n])
      expect((await createPartitionManager(storage).list('rides')).length).toBeGreaterThan(4)
    })

    it('is stored as its rows are, or refused as they are, whatever the types of the table', async () => {
      await fc.assert(
        fc.asyncProperty(cases, async ({ rows, given, types }) => {
          const definitions = given.map(({ name }, index) => `${name} ${types[index]}`).join(', ')
          const [rowTable, columnTable] = [await freshTable(definitions), await freshTable(definitions)]
          const asRows = rowsOfColumns(rows, given)

          const byRows = await store(rowTable, (transaction) => transaction.write(asRows))
          const byColumns = await store(columnTable, async (transaction) => {
            if ((await transaction.writeColumns?.(columnBatchOf(rows, given))) !== true) await transaction.write(asRows)
          })

          expect(byColumns).toEqual(byRows)
          expect(await read(columnTable)).toEqual(await read(rowTable))
        }),
        { numRuns: 80 },
      )
    })

    it('is taken as it is where the table has the types of its columns', async () => {
      const values = fc.sample(cases, 1)[0] as Case
      const given = values.given.map((column) => (column.name === 'name' ? { ...column, values: column.values.map(() => 'fine') } : column))
      const table = await freshTable(COLUMNS.map(({ name, types }) => `${name} ${types[0]}`).join(', '))

      expect(await storeColumns(table, columnBatchOf(values.rows, given))).toBeNull()
      expect(await read(table)).toHaveLength(values.rows)
    })

    it('keeps JSON that is marked as such, digit for digit', async () => {
      const table = await freshTable('a jsonb, b json')
      const texts = ['{"amount":12345678901234567890.10}', '[]', '"text"']
      const batch = columnBatchOf(3, ['a', 'b'].map((name) => ({ name, layout: 'text', values: texts, isJson: true })))

      expect(await storeColumns(table, batch)).toBeNull()

      expect(await storage.execute(`select a::text as a, b::text as b from ${table}`)).toEqual([
        { a: '{"amount": 12345678901234567890.10}', b: texts[0] },
        { a: '[]', b: '[]' },
        { a: '"text"', b: '"text"' },
      ])
    })

    it.each<[string, Parameters<typeof rides>[0], string]>([
      ['a check', { time: days(20), small: Array.from({ length: 20 }, (_, row) => (row === 13 ? 5000 : 1)) }, 'row 13'],
      ['a key that is there twice', { time: Array.from({ length: 20 }, () => days(1)[0]), name: Array.from({ length: 20 }, (_, row) => (row === 13 ? 'r5' : `r${row}`)) }, 'rides'],
    ])('that breaks %s is refused by the server, and nothing of it is stored', async (_what, values, named) => {
      const transaction = await writerOf('rides').begin()

      const error = await transaction.writeColumns?.(columnBatchOf(20, rides(values))).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ name: 'TimescaleValidationError', message: expect.stringContaining(named) })
      await expect(transaction.complete(claim, slice(20))).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TRANSACTION_FAILED' })

      expect((await writerOf('rides').findRefused(rowsOfColumns(20, rides(values)))).map(({ index }) => index)).toEqual([13])
      expect(await read('rides')).toEqual([])
    })

    it.each<[string, readonly GivenColumn[]]>([
      ['without a time', rides({ time: [days(1)[0], null] })],
      ['of another name than the table has', [...rides({ time: days(2) }), { name: 'other', layout: 'int32', values: [1, 2] }]],
      ['of times that are texts', [{ name: 'time', layout: 'text', values: ['2001-01-01', '2001-01-02'] }]],
    ])('%s is left to rows, in the same transaction', async (_what, given) => {
      await ledger.record(claim, slice(2))
      await using transaction = await writerOf('rides').begin()

      expect(await transaction.writeColumns?.(columnBatchOf(2, given))).toBe(false)
      await transaction.write(rowsOfColumns(2, rides({ time: days(2) })))
      await transaction.complete(claim, slice(2))
      await transaction.commit()

      expect(await read('rides')).toHaveLength(2)
    })

    it('fills the columns that the writer is told', async () => {
      await ledger.record(claim, slice(2))
      await using transaction = await writerOf('rides', { columns: ['time', 'name'] }).begin()

      expect(await transaction.writeColumns?.(ridesOn(days(2)))).toBe(true)
      await transaction.complete(claim, slice(2))
      await transaction.commit()

      expect(await storage.execute('select small from rides')).toEqual([{ small: null }, { small: null }])
      await using other = await writerOf('rides', { columns: ['time', 'note'] }).begin()
      expect(await other.writeColumns?.(ridesOn(days(2)))).toBe(false)
    })

    it('makes a partition again that was dropped behind its back', async () => {
      const patient = writerOf('rides')
      await patient.findRefused(rowsOfColumns(1, rides({ time: days(1) })))
      await createPartitionManager(await database.connect()).dropBefore('rides', new Date('2030-01-01'))
      await ledger.record(claim, slice(1))
      await using transaction = await patient.begin()

      expect(await transaction.writeColumns?.(ridesOn(days(1)))).toBe(true)
      await transaction.complete(claim, slice(1))
      await transaction.commit()

      expect(await read('rides')).toHaveLength(1)
    })

    it('is left to rows by partitions that only rows make', async () => {
      const partitions = { makeRoomFor: async () => [], forget: () => {} }
      await using transaction = await writerOf('rides', { partitions }).begin()

      expect(await transaction.writeColumns?.(ridesOn(days(1)))).toBe(false)
    })

    it.each(['columns', 'rows'] as const)('is never taken for another type that looks alike (%s)', async (way) => {
      const table = await freshTable('time timestamptz not null, data jsonb')
      const given = (isJson: boolean): readonly GivenColumn[] => [
        { name: 'time', layout: 'milliseconds', values: days(1) },
        { name: 'data', layout: 'text', isJson, values: ['{"a": 1}'] },
      ]
      const write = (isJson: boolean): Promise<unknown> =>
        store(table, async (transaction) => {
          if (way === 'columns') return (await transaction.writeColumns?.(columnBatchOf(1, given(isJson)))) === true
          return transaction.write([{ time: days(1)[0], data: isJson ? asJsonText('{"a": 1}') : '{"a": 1}' }])
        })
      const first = await write(true)
      await storage.execute(`alter table ${table} alter column data type text`)

      const second = await write(true).catch((error: unknown) => error)
      await storage.execute(`update ${table} set data = 'first'`)
      const third = await write(false)

      expect(second).toMatchObject({ code: 'ERR_TIMESCALEDB_TABLE_ALTERED', retryable: true })
      expect([first, third]).toEqual([null, null])
      expect((await storage.execute<{ data: string }>(`select data from ${table} order by data`)).map(({ data }) => data)).toEqual(['first', '{"a": 1}'])
    })

    it('of a table that was altered meanwhile is refused at most once, and goes on with the table as it is', async () => {
      const write = async (batch: ColumnBatch): Promise<boolean | undefined> => {
        await using transaction = await writerOf('rides').begin()
        return await transaction.writeColumns?.(batch)
      }
      expect(await write(ridesOn(days(1)))).toBe(true)
      await storage.execute('alter table rides alter column small type int8')

      const first = await write(ridesOn(days(1))).catch((error: unknown) => error)

      expect(InfrastructureError.isInstance(first)).toBe(true)
      expect(await write(ridesOn(days(1)))).toBe(true)
    })
  })

  describe('rows that the store refuses, of columns', () => {
    // A chunk that was made and rolled back has another number the next time.
    const named = ({ index, reason }: RefusedRow): string => `${index} ${reason.replaceAll(/\d+_/g, '')}`

    it('are exactly those that fail when rows are stored one after the other, as they are of rows', async () => {
      const row = fc.record({ key: fc.integer({ min: 0, max: 3000 }), small: fc.oneof({ weight: 60, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(5000) }) })
      await fc.assert(
        fc.asyncProperty(fc.array(row, { maxLength: 250, size: 'max' }), async (given) => {
          const values = { time: given.map(() => days(1)[0]), name: given.map(({ key }) => `r${key}`), small: given.map(({ small }) => small) }
          const seen = new Set<number>()
          const expected = given.flatMap(({ key, small }, index) => {
            if (small === 5000 || seen.has(key)) return [index]
            seen.add(key)
            return []
          })

          const byColumns = await writerOf('rides').findRefusedColumns?.(columnBatchOf(given.length, rides(values)))

          const byRows = await writerOf('rides').findRefused(rowsOfColumns(given.length, rides(values)))
          expect(byColumns?.map(({ index }) => index)).toEqual(expected)
          expect(byColumns?.map(named)).toEqual(byRows.map(named))
        }),
        { numRuns: 6 },
      )
    })

    it('are not looked for where only rows say what is refused, and only as far as is asked', async () => {
      const times = [...days(3), ...days(3)]
      const batch = columnBatchOf(6, rides({ time: times, name: times.map(() => 'same') }))

      expect(await writerOf('rides').findRefusedColumns?.(batch, { atMost: 2 })).toMatchObject([{ index: 3 }, { index: 4 }])
      expect(await writerOf('rides').findRefusedColumns?.(ridesOn([null]))).toBeNull()
      expect(await writerOf('rides').findRefusedColumns?.(columnBatchOf(1, [...rides({ time: days(1) }), { name: 'other', layout: 'int32', values: [1] }]))).toBeNull()
      expect(await writerOf('rides').findRefusedColumns?.(ridesOn([]))).toEqual([])
      expect(await read('rides')).toEqual([])
    })
  })
})
