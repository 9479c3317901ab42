import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { type Column, createQueryBuilder, defineSchema } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

interface Tables {
  trades: { id: Column<'UInt32', number>; symbol: Column<'String', string>; at: Column<"DateTime64(3, 'UTC')", Date>; lot: Column<'Int32', number> }
  quotes: { symbol: Column<'String', string>; at: Column<"DateTime64(3, 'UTC')", Date>; price: Column<'Decimal(9, 2)', string> }
  readings: { hour: Column<'UInt8', number>; meter: Column<'String', string>; level: Column<'Nullable(Float64)', number | null>; total: Column<'UInt64', bigint> }
}
const db = createQueryBuilder(
  defineSchema<Tables>({
    trades: { id: 'UInt32', symbol: 'String', at: "DateTime64(3, 'UTC')", lot: 'Int32' },
    quotes: { symbol: 'String', at: "DateTime64(3, 'UTC')", price: 'Decimal(9, 2)' },
    readings: { hour: 'UInt8', meter: 'String', level: 'Nullable(Float64)', total: 'UInt64' },
  }),
)

const second = (count: number): Date => new Date(1_000_000_000_000 + count * 1000)
let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
  await own.owner.execute("CREATE TABLE trades (id UInt32, symbol String, at DateTime64(3, 'UTC'), lot Int32) ENGINE = ReplacingMergeTree ORDER BY id")
  await own.owner.execute("CREATE TABLE quotes (symbol String, at DateTime64(3, 'UTC'), price Decimal(9, 2)) ENGINE = MergeTree ORDER BY (symbol, at)")
  await own.owner.execute('CREATE TABLE readings (hour UInt8, meter String, level Nullable(Float64), total UInt64) ENGINE = MergeTree ORDER BY (meter, hour)')
  await own.owner.insert('trades', [
    { id: 1, symbol: 'A', at: second(10), lot: 1 },
    { id: 2, symbol: 'A', at: second(3), lot: 2 },
    { id: 3, symbol: 'B', at: second(10), lot: 3 },
    { id: 4, symbol: "o'clock", at: second(10), lot: 4 },
  ])
  await own.owner.insert('quotes', [
    { symbol: 'A', at: second(5), price: '1.50' },
    { symbol: 'A', at: second(8), price: '1.80' },
    { symbol: 'B', at: second(9), price: '2.90' },
    { symbol: 'B', at: second(20), price: '3.00' },
  ])
  await own.owner.insert('readings', [
    { hour: 1, meter: 'm', level: 0.5, total: 10n },
    { hour: 4, meter: 'm', level: null, total: 20n },
    { hour: 2, meter: 'n', level: 7, total: 5n },
  ])
})
afterAll(() => own.drop())

describe('interpolate', () => {
  const levels = db.from('readings').select('hour', 'level', 'total').where('meter', '=', 'm').orderBy('hour', 'asc', { fill: { from: 0, to: 6 } })

  it('lets outputs keep what they are in the row before, or go on from it, in rows that are put in', async () => {
    const query = levels.interpolate('level').interpolate({ total: (e) => e.fn('plus', 'total', e.value(2)) })

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([
      { hour: 0, level: null, total: 2n },
      { hour: 1, level: 0.5, total: 10n },
      { hour: 2, level: 0.5, total: 12n },
      { hour: 3, level: 0.5, total: 14n },
      { hour: 4, level: null, total: 20n },
      { hour: 5, level: null, total: 22n },
    ])
    expect(query.compile().params).toEqual({ p1: 'm', p2: 0, p3: 6, p4: 2 })
  })

  it('goes on within each group, between the rows that are there', async () => {
    const { rows } = await db.from('readings').select('meter', 'hour', 'total').orderBy('meter').orderBy('hour', 'asc', { fill: { to: 4 } }).interpolate('total').execute(own.reader)

    expect(rows.map(({ meter, hour, total }) => `${meter}${hour} ${total}`)).toEqual(['m1 10', 'm2 10', 'm3 10', 'm4 20', 'n2 5', 'n3 5'])
  })

  it('may take a constant, and speaks of the output alone', async () => {
    const { rows } = await levels.interpolate({ total: (e) => e.value(7) }).limit(1).execute(own.reader)

    expect(rows).toEqual([{ hour: 0, level: null, total: 7n }])
    expect(() => levels.interpolate({ total: (e) => e.col('level' as never) })).toThrow('there is no column "level" in "previous"')
  })

  it.each([
    ['twice', () => levels.interpolate('total', 'total'), 'the output "total" is interpolated twice'],
    ['what is no output', () => levels.interpolate('meter' as never), 'there is no output "meter" that could be interpolated'],
    ['a name with a dot', () => db.from('readings').select({ 'a.b': 'total', hour: 'hour' }).interpolate('a.b'), 'finds no output with a dot in its name'],
    ['a part of the order', () => levels.orderBy('total').interpolate('total').compile(), '"total" is a part of the order'],
    ['no gaps', () => db.from('readings').select('hour', 'total').orderBy('hour').interpolate('total').compile(), 'give an orderBy its fill'],
    ['the row of another group', () => db.from('readings').select('meter', 'hour', 'total').orderBy('meter').orderBy('hour', 'asc', { fill: { from: 0 } }).interpolate('total').compile(), 'leave fill.from out'],
  ])('refuses %s', (_what, build, message) => {
    expect(build).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_QUERY_BUILDER', message: expect.stringContaining(message) as string }))
  })
})

describe('join', () => {
  it('asof takes the nearest quote before each trade, and null where there is none', async () => {
    const trades = db.from('trades', 't')
    const left = await trades
      .join('asof left', 'quotes', (e) => e.and(e.compare('t.symbol', '=', e.col('q.symbol')), e.compare('t.at', '>=', e.col('q.at'))), 'q')
      .select('id', 'price')
      .orderBy('id')
      .execute(own.reader)
    const inner = await trades
      .join('asof inner', 'quotes', (e) => e.and(e.compare('t.symbol', '=', e.col('q.symbol')), e.compare('t.at', '>=', e.col('q.at'))), 'q')
      .select('id', 'price')
      .orderBy('id')
      .execute(own.reader)

    expect(left.rows).toEqual([{ id: 1, price: '1.80' }, { id: 2, price: null }, { id: 3, price: '2.90' }, { id: 4, price: null }])
    expect(inner.rows).toEqual([{ id: 1, price: '1.80' }, { id: 3, price: '2.90' }])
    expectTypeOf(left.rows[0]?.price).toEqualTypeOf<string | null | undefined>()
    expectTypeOf(inner.rows[0]?.price).toEqualTypeOf<string | undefined>()
  })

  it('semi and anti keep the rows with a partner, or without; nothing of it can be named', async () => {
    const query = (kind: 'semi left' | 'anti left') => db.from('trades').join(kind, 'quotes', ['trades.symbol', 'quotes.symbol']).select('id').orderBy('id')

    expect((await query('semi left').execute(own.reader)).rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
    expect((await query('anti left').execute(own.reader)).rows).toEqual([{ id: 4 }])
    expect(() => query('anti left').select('price' as never)).toThrow('there is no column "price"')
    expect(() => query('anti left').innerJoin('quotes', ['trades.symbol', 'quotes.symbol'])).toThrow('there is a source "quotes" already')
    expect(() => db.from('trades').join('outer' as never, 'quotes', ['id', 'price'])).toThrow('there is no join "outer"; there are any inner, any left, asof inner')
  })

  it('any adds one partner to each row', async () => {
    const best = (kind: 'any inner' | 'any left') => db.from('trades').join(kind, db.from('quotes').select('symbol', 'price'), ['trades.symbol', 'q.symbol'], 'q').select({ id: 'id', found: (e) => e.isNotNull('price') }).orderBy('id')

    expect((await best('any left').execute(own.reader)).rows).toEqual([{ id: 1, found: 1 }, { id: 2, found: 1 }, { id: 3, found: 1 }, { id: 4, found: 0 }])
    expect((await best('any inner').execute(own.reader)).rows).toHaveLength(2)
  })
})

describe('prewhere', () => {
  it('picks rows of the first table before the others are read, also beside a join, a share and a full join', async () => {
    const few = db.from('trades', 't').prewhere('symbol', '=', 'A')
    const full = few.fullJoin('quotes', ['t.symbol', 'q.symbol'], 'q').select('t.id', 'q.price').where((e) => e.isNotNull('t.id')).orderBy('id').orderBy('price')

    expect((await few.prewhere((e) => e.compare('lot', '>', 1)).select('id').execute(own.reader)).rows).toEqual([{ id: 2 }])
    expect((await few.innerJoin('quotes', ['t.symbol', 'q.symbol'], 'q').select('id', 'price').orderBy('id').orderBy('price').limit(1).execute(own.reader)).rows).toEqual([{ id: 1, price: '1.50' }])
    expect((await full.execute(own.reader)).rows).toHaveLength(4)
    expect(full.compile().query).toContain('FROM `trades` AS `t` PREWHERE (`t`.`symbol` = {p1:String})) AS `t` FULL JOIN')
  })

  it('is refused where it would find what final leaves out, of another table, and of a query', () => {
    expect(() => db.from('trades').final().prewhere('lot', '>', 1).select('id').compile()).toThrow('prewhere picks rows before final does, and so may find old ones; use where')
    expect(() => db.from('trades').innerJoin('quotes', ['trades.symbol', 'quotes.symbol']).prewhere('price', '>', '1')).toThrow('there is no column "price" in "trades"')
    expect(() => db.from(db.from('trades').select('id'), 'q').prewhere('id', '=', 1)).toThrow('prewhere is for a table')
  })
})

describe('$if, scalar and toSQL', () => {
  it('changes a query where a condition holds; outputs that are added may be missing', async () => {
    const trades = (symbol: string | undefined, withLot: boolean) => db.from('trades').select('id').$if(symbol !== undefined, (query) => query.where('symbol', '=', symbol ?? '')).$if(withLot, (query) => query.select('lot')).orderBy('id')

    const { rows } = await trades('B', true).execute(own.reader)

    expect(rows).toEqual([{ id: 3, lot: 3 }])
    expect((await trades(undefined, false).execute(own.reader)).rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }])
    expectTypeOf(rows[0] as (typeof rows)[number]).toExtend<{ id: number; lot?: number }>()
    // @ts-expect-error it may be missing
    expectTypeOf(rows[0] as (typeof rows)[number]).toExtend<{ lot: number }>()
  })

  it('compares with the one value of a query, which is null for no row', async () => {
    const last = db.from('trades').select({ lot: (e) => e.max('lot') })
    const query = db.from('trades').select({ id: 'id', most: (e) => e.scalar(last), none: (e) => e.scalar(db.from('trades').select('lot').where('id', '=', 99)) }).where((e) => e.compare('lot', '=', e.scalar(last)))

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([{ id: 4, most: 4, none: null }])
    expectTypeOf(rows[0]?.none).toEqualTypeOf<number | null | undefined>()
    expect(() => db.from('trades').select({ x: (e) => e.scalar(db.from('trades').select('id', 'lot')) })).toThrow('has 2 columns, and must have one')
  })

  it('shows the text with its values, which answers the same', async () => {
    const query = db.from('trades').select('id').where('symbol', 'in', ["o'clock", 'A']).where('at', '<', second(11)).where('lot', '>', 1).orderBy('id').limit(5)

    expect(query.toSQL()).not.toMatch(/\{p\d/)
    expect((await own.reader.execute(query.toSQL())).rows).toEqual((await query.execute(own.reader)).rows)
    expect((await query.execute(own.reader)).rows).toEqual([{ id: 2 }, { id: 4 }])
  })
})
