import { describe, expect, expectTypeOf, it } from 'vitest'
import type { RowOf } from './query-types.ts'
import { createQueryBuilder } from './create-query-builder.ts'
import { type Column, defineSchema } from './query-schema.ts'
import type { SelectQuery } from './select-query.ts'

interface Tables {
  flights: {
    id: Column<'UInt64', bigint>
    origin: Column<'LowCardinality(String)', string>
    delay: Column<'Nullable(Int32)', number | null>
    distance: Column<'Float64', number>
    fare: Column<'Decimal(9, 2)', string>
    at: Column<"DateTime64(3, 'UTC')", Date>
    tags: Column<'Array(String)', string[]>
    'odd`name': Column<'UInt8', number>
  }
  airports: { code: Column<'String', string>; name: Column<'String', string>; runways: Column<'UInt8', number> }
}
const schema = defineSchema<Tables>({
  flights: { id: 'UInt64', origin: 'LowCardinality(String)', delay: 'Nullable(Int32)', distance: 'Float64', fare: 'Decimal(9, 2)', at: "DateTime64(3, 'UTC')", tags: 'Array(String)', 'odd`name': 'UInt8' },
  airports: { code: 'String', name: 'String', runways: 'UInt8' },
})
const db = createQueryBuilder(schema)

type Answer<Q> = Q extends SelectQuery<infer _Tables, infer _Sources, infer Output> ? RowOf<Output> : never

describe('SelectQuery', () => {
  it('writes columns with their source, and values as places', () => {
    const query = db.from('flights', 'f').select('origin', 'f.delay').where('delay', '>', 15).where('origin', 'in', ['OSL', 'BGO']).orderBy('delay', 'desc').limit(10).offset(5)

    expect(query.compile()).toEqual({
      query: 'SELECT `f`.`origin` AS `origin`, `f`.`delay` AS `delay` FROM `flights` AS `f` WHERE (`f`.`delay` > {p1:Int32}) AND (`f`.`origin` IN {p2:Array(String)}) ORDER BY `delay` DESC LIMIT {p3:UInt64} OFFSET {p4:UInt64}',
      params: { p1: 15, p2: ['OSL', 'BGO'], p3: 10, p4: 5 },
    })
    expectTypeOf<Answer<typeof query>>().toEqualTypeOf<{ origin: string; delay: number | null }>()
  })

  it('knows what aggregates give', () => {
    const query = db
      .from('flights')
      .select({ origin: 'origin', flights: (e) => e.count(), delay: (e) => e.sum('delay'), far: (e) => e.sum('distance'), paid: (e) => e.sum('fare'), mean: (e) => e.avg('distance'), last: (e) => e.max('at'), all: (e) => e.groupArray('delay') })
      .groupBy('origin')
      .having((e) => e.compare(e.count(), '>', 5n))

    expect(query.compile().query).toContain('GROUP BY `flights`.`origin` HAVING (count() > {p1:UInt64})')
    expectTypeOf<Answer<typeof query>>().toEqualTypeOf<{ origin: string; flights: bigint; delay: bigint | null; far: number; paid: string; mean: number; last: Date; all: number[] }>()
  })

  it('makes nullable what a left join may lack', () => {
    const query = db.from('flights').leftJoin('airports', ['flights.origin', 'airports.code']).select({ id: 'id', name: 'airports.name', runways: 'runways' })

    expect(query.compile().query).toBe(
      'SELECT `flights`.`id` AS `id`, `airports`.`name` AS `name`, `airports`.`runways` AS `runways` FROM `flights` AS `flights` LEFT JOIN (SELECT toNullable(`code`) AS `code`, toNullable(`name`) AS `name`, toNullable(`runways`) AS `runways` FROM `airports`) AS `airports` ON (`flights`.`origin` = `airports`.`code`)',
    )
    expectTypeOf<Answer<typeof query>>().toEqualTypeOf<{ id: bigint; name: string | null; runways: number | null }>()
  })

  it('reads from queries, under names of their own', () => {
    const query = db
      .with('late', (inner) => inner.from('flights').select('origin', 'delay').where('delay', '>', 60))
      .from('late')
      .innerJoin(db.from('airports').select('code', 'runways'), ['late.origin', 'a.code'], 'a')
      .select({ origin: 'late.origin', worst: (e) => e.max('delay'), runways: (e) => e.any('a.runways') })
      .groupBy('late.origin')

    expect(query.compile()).toEqual({
      query:
        'WITH `late` AS (SELECT `flights`.`origin` AS `origin`, `flights`.`delay` AS `delay` FROM `flights` AS `flights` WHERE (`flights`.`delay` > {p1:Int32})) SELECT `late`.`origin` AS `origin`, max(`late`.`delay`) AS `worst`, any(`a`.`runways`) AS `runways` FROM `late` AS `late` INNER JOIN (SELECT `airports`.`code` AS `code`, `airports`.`runways` AS `runways` FROM `airports` AS `airports`) AS `a` ON (`late`.`origin` = `a`.`code`) GROUP BY `late`.`origin`',
      params: { p1: 60 },
    })
    expectTypeOf<Answer<typeof query>>().toEqualTypeOf<{ origin: string; worst: number | null; runways: number }>()
  })

  it('looks for values in the one column of another query', () => {
    const query = db.from('flights').select('id').where('origin', 'in', db.from('airports').select('code').where('runways', '>=', 2))

    expect(query.compile().query).toBe('SELECT `flights`.`id` AS `id` FROM `flights` AS `flights` WHERE (`flights`.`origin` IN (SELECT `airports`.`code` AS `code` FROM `airports` AS `airports` WHERE (`airports`.`runways` >= {p1:UInt8})))')
  })

  it('sees the neighbours of a row', () => {
    const query = db.from('flights').select({ id: 'id', place: (e) => e.over(e.rowNumber(), { partitionBy: ['origin'], orderBy: [['delay', 'desc'], 'id'] }), before: (e) => e.over(e.sum('distance'), { orderBy: ['id'], rows: { preceding: 'unbounded', following: 0 } }) })

    expect(query.compile().query).toContain('row_number() OVER (PARTITION BY `flights`.`origin` ORDER BY `flights`.`delay` DESC, `flights`.`id` ASC) AS `place`, sum(`flights`.`distance`) OVER (ORDER BY `flights`.`id` ASC ROWS BETWEEN UNBOUNDED PRECEDING AND 0 FOLLOWING) AS `before`')
    expectTypeOf<Answer<typeof query>>().toEqualTypeOf<{ id: bigint; place: bigint; before: number }>()
  })

  it('binds a time in UTC, a decimal with all its digits, an integer beyond its column as what it is', () => {
    const query = db.from('flights').select('id').where('at', '>=', new Date(5)).where('at', '<', '2001-02-03T04:05:06.789Z').where('fare', '=', '12.345').where('delay', '<', 2 ** 40)

    expect(query.compile()).toMatchObject({
      query: expect.stringContaining("`at` >= {p1:DateTime64(3, 'UTC')}) AND (`flights`.`at` < {p2:DateTime64(3, 'UTC')}) AND (`flights`.`fare` = {p3:Decimal(76, 3)}) AND (`flights`.`delay` < {p4:Int64})") as string,
      params: { p1: new Date(5), p2: '2001-02-03 04:05:06.789', p3: '12.345', p4: 2 ** 40 },
    })
  })

  it('leaves each step as it was', () => {
    const all = db.from('airports').select('code')
    all.where('runways', '>', 1).limit(1)

    expect(all.compile()).toEqual({ query: 'SELECT `airports`.`code` AS `code` FROM `airports` AS `airports`', params: {} })
  })

  it.each([
    ['a column that the table lacks', () => db.from('airports').select('no' as never), 'there is no column "no" in "airports"'],
    ['a table that the schema lacks', () => db.from('system.users' as never), 'there is no table "system.users" in the schema'],
    ['a name that every object has', () => db.from('constructor' as never), 'there is no table "constructor" in the schema'],
    ['a name that two sources have', () => db.from('airports').innerJoin('airports', ['airports.code', 'b.code'], 'b').select('code'), 'the column "code" is in more than one source; write "airports.code" or "b.code"'],
    ['a column in place of a function', () => db.from('airports').select({ x: "1; DROP TABLE airports --" as never }), 'there is no column "1; DROP TABLE airports --" in "airports"'],
    ['an operator that is none', () => db.from('airports').select('code').where('code', '= 1 OR 1 =' as never, 'x'), 'there is no operator "= 1 OR 1 ="; there are =, !=, <, <=, >, >=, like, not like, ilike, in, not in'],
    ['a direction that is none', () => db.from('airports').select('code').orderBy('code', 'asc, 1' as never), 'an order is asc or desc'],
    ['a value of another kind', () => db.from('airports').select('code').where('runways', '=', 'two' as never), 'the value for "runways" must be an integer for UInt8, found string'],
    ['null', () => db.from('flights').select('id').where('delay', '=', null as never), '"delay" is compared with null; use isNull or isNotNull'],
    ['one value where many are needed', () => db.from('flights').select('id').where('id', 'in', 5), '"id" in takes a list of values, or a query'],
    ['a function that is none', () => db.from('flights').select({ x: (e) => e.fn('sleep(3), count') }), 'the name of a function has letters, digits and _ alone'],
    ['a limit that is none', () => db.from('flights').select('id').limit(-1), 'limit must be a whole number from 0'],
    ['an alias with a control character', () => db.from('flights', 'a\0b'), 'a name must have 1 to 200 characters, none of them a control character or half of a surrogate pair'],
    ['the same name twice', () => db.from('flights').select('id').select({ id: 'delay' }), 'the name "id" is given twice; give one of them another name'],
    ['nothing at all', () => db.from('flights').compile(), 'nothing is selected'],
  ])('refuses %s', (_what, build, message) => {
    expect(build).toThrow(expect.objectContaining({ name: 'ValidationError', code: 'ERR_CLICKHOUSE_QUERY_BUILDER', message }) as Error)
  })

  it('is refused by the compiler where a name or a value is wrong', () => {
    // @ts-expect-error there is no such column
    expect(() => db.from('airports').select('id')).toThrow()
    // @ts-expect-error a number is compared with a number
    expect(() => db.from('airports').select('code').where('runways', '=', true)).not.toThrow()
    // @ts-expect-error there is no such output
    expect(() => db.from('airports').select('code').orderBy('places')).toThrow()
  })
})
