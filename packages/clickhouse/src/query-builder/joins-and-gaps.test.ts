import { describe, expect, expectTypeOf, it } from 'vitest'
import { createQueryBuilder } from './create-query-builder.ts'
import { type Column, defineSchema } from './query-schema.ts'

interface Tables {
  flights: { id: Column<'UInt16', number>; origin: Column<'String', string>; delay: Column<'Nullable(Int32)', number | null>; at: Column<'DateTime', Date>; day: Column<'Date', string>; tags: Column<'Array(String)', string[]>; spot: Column<'Point', [number, number]> }
  airports: { code: Column<'String', string>; tags: Column<'Array(String)', string[]> }
}
const db = createQueryBuilder(
  defineSchema<Tables>({ flights: { id: 'UInt16', origin: 'String', delay: 'Nullable(Int32)', at: 'DateTime', day: 'Date', tags: 'Array(String)', spot: 'Point' }, airports: { code: 'String', tags: 'Array(String)' } }),
)
const flights = db.from('flights', 'f')

describe('SelectQuery', () => {
  it('writes joins in their order, gaps behind their order, and every value as a place', () => {
    const query = flights
      .sample(0.25, 0.5)
      .arrayJoin({ tag: 'tags' })
      .leftArrayJoin({ again: 'f.tags' })
      .select('id', 'tag', 'again')
      .where('tag', 'like', 'a%')
      .orderBy('id', 'desc', { fill: { from: 9, to: 3, step: 3 } })

    expect(query.compile()).toEqual({
      query:
        'SELECT `f`.`id` AS `id`, `tag[]` AS `tag`, `again[]` AS `again` FROM `flights` AS `f` SAMPLE 0.25 OFFSET 0.5 ARRAY JOIN `f`.`tags` AS `tag[]` LEFT ARRAY JOIN arrayMap(x -> toNullable(x), `f`.`tags`) AS `again[]` WHERE (`tag[]` LIKE {p1:String}) ORDER BY `id` DESC WITH FILL FROM {p2:UInt16} TO {p3:UInt16} STEP {p4:Int64}',
      params: { p1: 'a%', p2: 9, p3: 3, p4: -3 },
    })
  })

  it('makes nullable what a full join may lack, once, with the modifiers of the table within', () => {
    const query = flights.final().leftJoin('airports', ['f.origin', 'airports.code']).fullJoin('airports', ['f.origin', 'b.code'], 'b').select('f.id')

    expect(query.compile().query).toBe(
      'SELECT `f`.`id` AS `id` FROM (SELECT toNullable(`id`) AS `id`, toNullable(`origin`) AS `origin`, `delay`, toNullable(`at`) AS `at`, toNullable(`day`) AS `day`, `tags`, `spot` FROM `flights` FINAL) AS `f` LEFT JOIN (SELECT toNullable(`code`) AS `code`, `tags` FROM `airports`) AS `airports` ON (`f`.`origin` = `airports`.`code`) FULL JOIN (SELECT toNullable(`code`) AS `code`, `tags` FROM `airports`) AS `b` ON (`f`.`origin` = `b`.`code`)',
    )
  })

  it('knows what comes back of a bound value, a start and a quantile', () => {
    const query = flights.select({ one: (e) => e.value(1), list: (e) => e.value(['a']), day: (e) => e.startOf('day', 'at'), month: (e) => e.startOf('month', 'at'), half: (e) => e.quantile(0.5, 'delay') })

    type Row = Awaited<ReturnType<typeof query.execute>>['rows'][number]
    expectTypeOf<Row['one']>().toEqualTypeOf<number | bigint>()
    expectTypeOf<Row['list']>().toEqualTypeOf<string[]>()
    expectTypeOf<Row['day']>().toEqualTypeOf<Date>()
    expectTypeOf<Row['month']>().toEqualTypeOf<string>()
    expectTypeOf<Row['half']>().toEqualTypeOf<number | null>()
    expect(query.outputTypes).toEqual(new Map([['one', 'Int64'], ['list', 'Array(String)'], ['day', 'DateTime'], ['month', 'Date'], ['half', 'Nullable(Float64)']]))
  })

  it.each([
    ['a full join behind a selection', () => flights.select('id').fullJoin('airports' as never, (e) => e.and()), 'fullJoin stands before select: what is selected may be null behind it'],
    ['elements of what is no array', () => flights.arrayJoin({ x: 'origin' as never }), '"origin" is a String, and not an array whose elements could be joined'],
    ['elements with the name of a column', () => flights.arrayJoin({ tags: 'tags' }), 'there is a column or a source "tags" already; give the elements another name'],
    ['no array at all', () => flights.arrayJoin({}), 'there is no array to join'],
    ['an output with the name that elements have', () => flights.arrayJoin({ x: 'tags' }).select({ 'x[]': 'id' }).compile(), 'the name "x[]" stands for elements of an array; give the output another name'],
    ['a name of elements that can not be quoted', () => flights.arrayJoin({ 'x\0': 'tags' }), 'a name must have 1 to 200 characters, none of them a control character or half of a surrogate pair'],
    ['a share of nothing', () => flights.sample(0), 'a share is above 0, begins from 0, and ends at 1 at most'],
    ['a share that is text', () => flights.sample('1 OFFSET 0' as never), 'a share is above 0, begins from 0, and ends at 1 at most'],
    ['a share that is text of a number', () => flights.sample('1' as never), 'a share is above 0, begins from 0, and ends at 1 at most'],
    ['a share beyond the end', () => flights.sample(0.5, 0.75), 'a share is above 0, begins from 0, and ends at 1 at most'],
    ['a share of a query', () => db.from(flights.select('id'), 'q').sample(0.5), 'sample is for a table; put it into the query that is read from'],
    ['final of a query', () => db.from(flights.select('id'), 'q').final(), 'final is for a table; put it into the query that is read from'],
    ['gaps of what is no output', () => flights.select('id').orderBy('origin' as never, 'asc', { fill: {} }), 'the gaps of "origin" can\'t be filled, because it is no output'],
    ['gaps of text', () => flights.select('origin').orderBy('origin', 'asc', { fill: {} }), 'the gaps of "origin" can\'t be filled: it is a String, and neither a number nor a time'],
    ['gaps among nulls', () => flights.select('delay').orderBy('delay', 'asc', { fill: {} }), 'the gaps of "delay" can\'t be filled, because it may be null'],
    ['gaps of a time without a step', () => flights.select('at').orderBy('at', 'asc', { fill: {} }), '"at" is a DateTime: say how far it is to the next one, [1, \'hour\'] for example'],
    ['a step without a unit', () => flights.select('at').orderBy('at', 'asc', { fill: { step: 60 } }), '"at" is a DateTime: its step needs a unit, [60, \'second\'] for example'],
    ['a unit where there is none', () => flights.select('id').orderBy('id', 'asc', { fill: { step: [1, 'day'] } }), '"id" is a UInt16: its step has no unit'],
    ['a unit that is none', () => flights.select('at').orderBy('at', 'asc', { fill: { step: [1, 'day) OR (1' as never] } }), 'there is no unit "day) OR (1"; there are second, minute, hour, day, week, month, quarter, year'],
    ['a step that leads nowhere', () => flights.select('id').orderBy('id', 'asc', { fill: { step: 0 } }), 'the step of "id" must be a number above 0 that a UInt16 holds'],
    ['a step that is text', () => flights.select('day').orderBy('day', 'asc', { fill: { step: '1 day' as never } }), 'the step of "day" must be a number, or a count and a unit'],
    ['a quantile that is text', () => flights.select({ x: (e) => e.quantile('0.5' as never, 'id') }), 'a quantile is from 0 to 1'],
    ['a step of half a day', () => flights.select('day').orderBy('day', 'asc', { fill: { step: [0.5, 'day'] } }), 'the step of "day" must be a whole number of units, from 1'],
    ['an end that the column does not hold', () => flights.select('id').orderBy('id', 'asc', { fill: { to: 65_536 } }), 'the gaps of "id" can\'t begin or end at a value that a UInt16 doesn\'t hold'],
    ['a begin below 0', () => flights.select('id').orderBy('id', 'asc', { fill: { from: -1 } }), 'the gaps of "id" can\'t begin or end at a value that a UInt16 doesn\'t hold'],
    ['steps downwards that could pass 0', () => flights.select('id').orderBy('id', 'desc', { fill: { to: 2, step: 3 } }), 'the gaps of "id" can\'t be filled downwards in such steps without an end, to, that lies a step above where a UInt16 ends'],
    ['steps downwards that could pass 1970', () => flights.select('at').orderBy('at', 'desc', { fill: { step: [1, 'hour'] } }), 'the gaps of "at" can\'t be filled downwards in such steps without an end, to, that lies a step above where a DateTime ends'],
    ['an end that is no time', () => flights.select('at').orderBy('at', 'asc', { fill: { to: 'soon', step: [1, 'day'] } }), '"at" is a time and must be compared with a Date, or ISO text in UTC like 2001-01-31T12:00:00Z, not with a string'],
  ])('refuses %s', (_what, build, message) => {
    expect(build).toThrow(expect.objectContaining({ name: 'ValidationError', code: 'ERR_CLICKHOUSE_QUERY_BUILDER', message }) as Error)
  })

  it('is refused by the compiler where a join or a gap is wrong', () => {
    // @ts-expect-error what is selected would be wrong behind it
    expect(() => flights.select('id').fullJoin('airports', ['f.origin', 'airports.code'])).toThrow()
    // @ts-expect-error a text has no elements
    expect(() => flights.arrayJoin({ x: 'origin' })).toThrow()
    // @ts-expect-error a point is no array
    expect(() => flights.arrayJoin({ x: 'spot' })).toThrow()
    // @ts-expect-error a gap between numbers begins at a number
    expect(() => flights.select('id').orderBy('id', 'asc', { fill: { from: 'a' } })).toThrow()
    // @ts-expect-error there is no such output
    expect(() => flights.select('id').orderBy('day', 'asc', { fill: {} })).toThrow()
  })
})
