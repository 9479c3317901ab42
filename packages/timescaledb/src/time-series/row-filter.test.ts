import { describe, expect, it } from 'vitest'
import type { ColumnDescription, ColumnKind } from './column-kind.ts'
import { BoundValues, filterConditions, type RowFilter } from './row-filter.ts'
import type { TableDescription } from './table-description.ts'

const column = (name: string, kind: ColumnKind, baseType: string): ColumnDescription => ({
  name,
  kind,
  baseType,
  type: baseType,
  castType: `"pg_catalog"."${baseType}"`,
  notNull: false,
  generated: false,
  hasDefault: false,
})
const time = column('time', 'timestamp', 'timestamptz')
const table: TableDescription = {
  schema: 'public',
  name: 'flights',
  columns: [time, column('delay', 'integer', 'int4'), column('origin', 'text', 'text'), column('fare', 'decimal', 'numeric'), column('ratio', 'float', 'float8'), column('tags', 'json', 'jsonb'), column('state', 'enum', 'mood')],
  timeColumn: time,
  tiebreak: [],
  hasRowIds: true,
  timeIndexed: true,
}
const read = (filter: RowFilter) => {
  const values = new BoundValues()
  return { conditions: filterConditions(table, filter, values), values: values.list }
}

describe('filterConditions', () => {
  it('binds every value and quotes every name', () => {
    expect(read({ origin: `'; drop table flights; --`, delay: { gte: 30, lt: '60' } })).toEqual({
      conditions: ['"origin" = $1::text::"pg_catalog"."text"', '"delay" >= $2::text::"pg_catalog"."int4"', '"delay" < $3::text::"pg_catalog"."int4"'],
      values: [`'; drop table flights; --`, '30', '60'],
    })
  })

  it('tells null, lists and lists with null apart', () => {
    expect(read({ delay: null }).conditions).toEqual(['"delay" is null'])
    expect(read({ delay: { ne: null } }).conditions).toEqual(['"delay" is not null'])
    expect(read({ delay: { ne: 5 } }).conditions).toEqual(['"delay" is distinct from $1::text::"pg_catalog"."int4"'])
    expect(read({ delay: [1, null] }).conditions).toEqual(['("delay" in ($1::text::"pg_catalog"."int4") or "delay" is null)'])
    expect(read({ delay: [] }).conditions).toEqual(['false'])
  })

  it('compares an enum as text, so that an unknown label finds nothing instead of failing', () => {
    expect(read({ state: 'glad' }).conditions).toEqual(['"state"::text = $1::text'])
  })

  it.each<[string, RowFilter, (string | number)[]]>([
    ['a column that is not there', { nope: 1 }, ['filter', 'nope']],
    ['a name that is no column but a property of objects', { constructor: 1 }, ['filter', 'constructor']],
    ['a comparison that is not there', { delay: { like: 'x' } as never }, ['filter', 'delay', 'like']],
    ['a text for a number', { delay: 'late' }, ['filter', 'delay']],
    ['a number that does not fit', { delay: 2 ** 31 }, ['filter', 'delay']],
    ['a fraction for a whole number', { delay: 1.5 }, ['filter', 'delay']],
    ['a number that JavaScript has rounded', { delay: 2 ** 60 }, ['filter', 'delay']],
    ['not a number for a decimal', { fare: Number.NaN }, ['filter', 'fare']],
    ['a float beyond its range', { ratio: '1e999' }, ['filter', 'ratio']],
    ['a time that is none', { time: '31 January' }, ['filter', 'time']],
    ['a zero byte', { origin: 'a\0b' }, ['filter', 'origin']],
    ['half a character', { origin: '\ud800' }, ['filter', 'origin']],
    ['an order with null', { delay: { gt: null } }, ['filter', 'delay', 'gt']],
    ['json, which has no equality', { tags: 'x' }, ['filter', 'tags']],
    ['no list', { delay: { in: 5 as never } }, ['filter', 'delay', 'in']],
    ['a list without end', { delay: { in: Array.from({ length: 1001 }, () => 1) } }, ['filter', 'delay', 'in']],
  ])('refuses %s and names it', (_what, filter, path) => {
    expect(() => read(filter)).toThrow(expect.objectContaining({ status: 400, issues: [expect.objectContaining({ path })] }))
  })
})
