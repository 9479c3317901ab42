import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { type Column, createQueryBuilder, defineSchema } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

interface Tables {
  trips: {
    id: Column<'UInt32', number>
    rider: Column<'LowCardinality(String)', string>
    fare: Column<'Nullable(Decimal(9, 2))', string | null>
    at: Column<"DateTime64(3, 'UTC')", Date>
    stops: Column<'Array(String)', string[]>
    waits: Column<'Array(Nullable(Int32))', (number | null)[]>
    legs: Column<'Array(Array(UInt8))', number[][]>
    share: Column<'UInt32', number>
  }
  riders: { name: Column<'String', string>; level: Column<'UInt8', number>; badges: Column<'Array(String)', string[]>; home: Column<'Tuple(x UInt8)', { x: number }>; since: Column<'Date', string> }
}
const db = createQueryBuilder(
  defineSchema<Tables>({
    trips: { id: 'UInt32', rider: 'LowCardinality(String)', fare: 'Nullable(Decimal(9, 2))', at: "DateTime64(3, 'UTC')", stops: 'Array(String)', waits: 'Array(Nullable(Int32))', legs: 'Array(Array(UInt8))', share: 'UInt32' },
    riders: { name: 'String', level: 'UInt8', badges: 'Array(String)', home: 'Tuple(x UInt8)', since: 'Date' },
  }),
)

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
  await own.owner.execute(`CREATE TABLE trips (id UInt32, rider LowCardinality(String), fare Nullable(Decimal(9, 2)), at DateTime64(3, 'UTC'), stops Array(String), waits Array(Nullable(Int32)), legs Array(Array(UInt8)), share UInt32)
    ENGINE = ReplacingMergeTree ORDER BY (id, share) SAMPLE BY share`)
  await own.owner.execute('CREATE TABLE riders (name String, level UInt8, badges Array(String), home Tuple(x UInt8), since Date) ENGINE = MergeTree ORDER BY name')
  await own.owner.insert('trips', [
    { id: 1, rider: 'ann', fare: '10.50', at: new Date('2001-03-23T23:30:00Z'), stops: ['a', 'b'], waits: [3, null], legs: [[1], [2]], share: 0 },
    { id: 2, rider: 'bob', fare: null, at: new Date('2001-03-26T12:00:00Z'), stops: [], waits: [], legs: [], share: 2 ** 31 },
  ])
  await own.owner.insert('riders', [
    { name: 'ann', level: 2, badges: ['x'], home: { x: 1 }, since: '2001-01-30' },
    { name: 'cid', level: 7, badges: ['y', 'z'], home: { x: 2 }, since: '2001-02-02' },
  ])
})
afterAll(async () => {
  await own.drop()
})

describe('fullJoin', () => {
  it('keeps the rows of both sides, with nulls for the partner that is missing, as the types say', async () => {
    const query = db.from('trips').fullJoin('riders', ['trips.rider', 'riders.name']).select('id', 'rider', 'fare', 'stops', 'name', 'level', 'badges', 'home').orderBy('id')

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([
      { id: 1, rider: 'ann', fare: '10.50', stops: ['a', 'b'], name: 'ann', level: 2, badges: ['x'], home: { x: 1 } },
      { id: 2, rider: 'bob', fare: null, stops: [], name: null, level: null, badges: [], home: { x: 0 } },
      { id: null, rider: null, fare: null, stops: [], name: 'cid', level: 7, badges: ['y', 'z'], home: { x: 2 } },
    ])
    type Row = { id: number | null; rider: string | null; fare: string | null; stops: string[]; name: string | null; level: number | null; badges: string[]; home: { x: number } }
    expectTypeOf(rows[0] as (typeof rows)[number]).toExtend<Row>()
    expectTypeOf<Row>().toExtend<Pick<(typeof rows)[number], keyof Row>>()
  })

  it('lets a row lack what was joined before, and elements of arrays, too', async () => {
    const query = db
      .from('trips', 't')
      .final()
      .innerJoin('trips', ['t.id', 'same.id'], 'same')
      .arrayJoin({ stop: 't.stops', wait: 't.waits' })
      .fullJoin('riders', ['t.rider', 'r.name'], 'r')
      .select({ id: 't.id', same: 'same.id', stop: 'stop', wait: 'wait', name: 'r.name', total: (e) => e.sum('r.level') })
      .groupBy('t.id', 'same.id', 'stop', 'wait', 'r.name')
      .orderBy('id')
      .orderBy('stop')

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([
      { id: 1, same: 1, stop: 'a', wait: 3, name: 'ann', total: 2n },
      { id: 1, same: 1, stop: 'b', wait: null, name: 'ann', total: 2n },
      { id: null, same: null, stop: null, wait: null, name: 'cid', total: 7n },
    ])
    const [first] = rows
    expectTypeOf(first?.same).toEqualTypeOf<number | null | undefined>()
    expectTypeOf(first?.stop).toEqualTypeOf<string | null | undefined>()
    expectTypeOf(first?.total).toEqualTypeOf<bigint | null | undefined>()
  })

  it('joins a query, of which a row may be missing whatever its columns are made of', async () => {
    const sums = db.from('riders').select({ name: 'name', levels: (e) => e.sum('level'), loud: (e) => e.fn<Column<'String', string>>('upper', e.any('name')), all: (e) => e.groupArray('name') }).groupBy('name')
    const query = db.from('trips').fullJoin(sums, ['trips.rider', 's.name'], 's').select('id', 's.levels', 's.loud', 's.all').orderBy('id')

    const { rows } = await query.execute(own.reader)
    const { rows: left } = await db.from('trips').leftJoin(sums, ['trips.rider', 's.name'], 's').select('id', 's.levels', 's.loud').orderBy('id').execute(own.reader)

    expect(rows).toEqual([
      { id: 1, levels: 2n, loud: 'ANN', all: ['ann'] },
      { id: 2, levels: null, loud: null, all: [] },
      { id: null, levels: 7n, loud: 'CID', all: ['cid'] },
    ])
    expect(left).toEqual([{ id: 1, levels: 2n, loud: 'ANN' }, { id: 2, levels: null, loud: null }])
    expectTypeOf(left[0]?.levels).toEqualTypeOf<bigint | null | undefined>()
    expectTypeOf(left[0]?.loud).toEqualTypeOf<string | null | undefined>()
  })
})

describe('arrayJoin', () => {
  it('makes a row of each element; several arrays go side by side', async () => {
    const query = db
      .from('trips')
      .arrayJoin({ stop: 'stops', wait: 'trips.waits', place: (e) => e.fn<Column<'Array(UInt32)', number[]>>('arrayEnumerate', 'stops') })
      .select({ id: 'id', stop: (e) => e.fn<Column<'String', string>>('upper', 'stop'), wait: 'wait', place: 'place', stops: 'stops' })
      .where('stop', 'in', ['a', 'b'])
      .orderBy('place', 'desc')

    const { rows } = await query.execute(own.reader)

    // `stop` is what the array holds, though an output is called so too.
    expect(rows).toEqual([
      { id: 1, stop: 'B', wait: null, place: 2, stops: ['a', 'b'] },
      { id: 1, stop: 'A', wait: 3, place: 1, stops: ['a', 'b'] },
    ])
    expectTypeOf(rows[0]?.wait).toEqualTypeOf<number | null | undefined>()
    expectTypeOf(rows[0]?.place).toEqualTypeOf<number | undefined>()
  })

  it('keeps a row with an empty array where it is asked to, with null for the element', async () => {
    const query = db.from('trips').leftArrayJoin({ stop: 'stops', leg: 'legs', loud: (e) => e.fn<Column<'Array(String)', string[]>>('arrayReverse', 'stops') }).select('id', 'stop', 'leg', 'loud').orderBy('id').orderBy('stop')

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([
      { id: 1, stop: 'a', leg: [1], loud: 'b' },
      { id: 1, stop: 'b', leg: [2], loud: 'a' },
      { id: 2, stop: null, leg: [], loud: null },
    ])
    expectTypeOf(rows[0]?.stop).toEqualTypeOf<string | null | undefined>()
    expectTypeOf(rows[0]?.leg).toEqualTypeOf<number[] | undefined>()
    expectTypeOf(rows[0]?.loud).toEqualTypeOf<string | null | undefined>()
  })

  it('gives elements that a later join and a query around it can use', async () => {
    const badges = db.from('riders').arrayJoin({ badge: 'badges' }).leftJoin('trips', (e) => e.compare('badge.badge', '=', e.fn('lower', 'trips.rider'))).select('name', 'badge', 'trips.id').where('badge', '!=', 'y')
    const query = db.from(badges, 'b').select('b.name', 'b.badge', 'b.id').orderBy('badge')

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([{ name: 'ann', badge: 'x', id: null }, { name: 'cid', badge: 'z', id: null }])
  })
})

describe('sample', () => {
  it('reads the same share of the rows each time, also beside final and a full join', async () => {
    const ids = async (query: { execute(adapter: typeof own.reader): Promise<{ rows: readonly { id: number | null }[] }> }): Promise<unknown> => (await query.execute(own.reader)).rows.map(({ id }) => id)
    const trips = db.from('trips', 't').select('id').orderBy('id')

    expect(await ids(trips.sample(0.5))).toEqual([1])
    expect(await ids(trips.final().sample(0.25, 0.5))).toEqual([2])
    expect(await ids(trips.sample(1e-7))).toEqual([1])
    // The other table has a sampling key, too, and is not sampled.
    expect(await ids(db.from('trips', 't').sample(0.5, 0.5).innerJoin('trips', (e) => e.compare('t.id', '=', e.fn('plus', 'o.id', e.value(1))), 'o').select('t.id'))).toEqual([2])
    expect(await ids(db.from('trips', 't').sample(0.5).fullJoin('riders', ['t.rider', 'riders.name']).select('id').orderBy('id'))).toEqual([1, null])
  })
})

describe('orderBy with fill', () => {
  it('puts in the days that there are no rows for, also where one of them has 23 hours', async () => {
    const query = db
      .from('trips')
      .select({ day: (e) => e.startOf('day', 'at', 'Europe/Oslo'), trips: (e) => e.count(), fares: (e) => e.sum('fare') })
      .groupBy('day')
      .orderBy('day', 'asc', { fill: { from: new Date('2001-03-22T23:00:00Z'), to: '2001-03-26T22:00:00Z', step: [1, 'day'] } })

    const { rows } = await query.execute(own.reader)

    expect(rows).toEqual([
      { day: new Date('2001-03-22T23:00:00Z'), trips: 0n, fares: null },
      { day: new Date('2001-03-23T23:00:00Z'), trips: 1n, fares: '10.50' },
      { day: new Date('2001-03-24T23:00:00Z'), trips: 0n, fares: null },
      { day: new Date('2001-03-25T22:00:00Z'), trips: 1n, fares: null },
    ])
    expectTypeOf(rows[0]?.day).toEqualTypeOf<Date | undefined>()
    expectTypeOf(rows[0]?.fares).toEqualTypeOf<string | null | undefined>()
  })

  it('fills months downwards, and each group for itself', async () => {
    const months = db.from('riders').select({ month: (e) => e.startOf('month', 'since'), riders: (e) => e.count() }).groupBy('month').orderBy('month', 'desc', { fill: { from: '2001-03-01', to: '2000-12-01', step: [1, 'month'] } })
    const levels = db.from('riders').select('name', 'level').orderBy('name').orderBy('level', 'asc', { fill: { to: 8, step: 3 } })

    expect((await months.execute(own.reader)).rows).toEqual([{ month: '2001-03-01', riders: 0n }, { month: '2001-02-01', riders: 1n }, { month: '2001-01-01', riders: 1n }])
    expect((await levels.execute(own.reader)).rows).toEqual([{ name: 'ann', level: 2 }, { name: 'ann', level: 5 }, { name: 'cid', level: 7 }])
  })

  it.each([
    ['Date', ['2001-02-27', '2001-03-01'], '2001-03-02', [1, 'day'], ['2001-02-27', '2001-02-28', '2001-03-01']],
    ['Date32', ['1950-02-27', '1950-03-01'], '1950-03-02', undefined, ['1950-02-27', '1950-02-28', '1950-03-01']],
    ["DateTime('Asia/Tokyo')", [new Date(0), new Date(7_200_000)], new Date(10_800_000), [1, 'hour'], [new Date(0), new Date(3_600_000), new Date(7_200_000)]],
    ["DateTime64(3, 'Europe/Oslo')", [new Date(500), new Date(2500)], '1970-01-01T00:00:03Z', [1, 'second'], [new Date(500), new Date(1500), new Date(2500)]],
    ["DateTime64(6, 'UTC')", ['2001-01-01T00:00:00.000001Z'], '2001-01-01T00:00:02Z', [1, 'second'], ['2001-01-01T00:00:00.000001Z', '2001-01-01T00:00:01.000001Z']],
    ['UInt64', [2n ** 63n, 2n ** 63n + 2n], undefined, 1, [2n ** 63n, 2n ** 63n + 1n, 2n ** 63n + 2n]],
    ['Int8', [-2, 0], 2, undefined, [-2, -1, 0, 1]],
    ['Float32', [0.5, 1], 1.5, 0.25, [0.5, 0.75, 1, 1.25]],
  ] as const)('fills the gaps of a %s', async (type, values, to, step, wanted) => {
    const table = `gaps_${type.replace(/\W+/g, '_')}`
    await own.owner.execute(`CREATE TABLE ${table} (c ${type}) ENGINE = MergeTree ORDER BY c`)
    await own.owner.insert(table, values.map((c) => ({ c })))
    const all = createQueryBuilder(defineSchema<Record<string, { c: Column<string, never> }>>({ [table]: { c: type } })).from(table).select('c')

    const { rows } = await all.orderBy('c', 'asc', { fill: { to: to as never, step: step as never } }).execute(own.reader)

    expect(rows.map(({ c }) => c)).toEqual(wanted)
  })
})
