import { ValidationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { bindParameters } from './bind-parameters.ts'
import { typed } from './typed-value.ts'

const thrown = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return error
  }
  return expect.fail('nothing was thrown')
}

describe('bindParameters', () => {
  it.each([
    ['text', "it's", 'String', "it\\'s"],
    ['an integer', 42, 'Int64', '42'],
    ['a fraction', 1.5, 'Float64', '1.5'],
    ['a number beyond the exact ones', 2 ** 60, 'Float64', '1152921504606847000'],
    ['a bigint', 2n ** 62n, 'Int64', '4611686018427387904'],
    ['an unsigned bigint', 2n ** 64n - 1n, 'UInt64', '18446744073709551615'],
    ['a very negative bigint', -(2n ** 100n), 'Int128', String(-(2n ** 100n))],
    ['a huge bigint', 2n ** 200n, 'Int256', String(2n ** 200n)],
    ['a boolean', true, 'Bool', 'true'],
    ['nothing', null, 'Nullable(String)', '\\N'],
    ['a time', new Date('2024-05-06T07:08:09.010Z'), "DateTime64(3, 'UTC')", '2024-05-06 07:08:09.010'],
    ['bytes', new Uint8Array([0, 255]), 'String', '\\x00\\xff'],
    ['a list', ['a', "b'"], 'Array(String)', "['a','b\\'']"],
    ['a list with a gap', [1, null], 'Array(Nullable(Int64))', '[1,NULL]'],
    ['an empty list', [], 'Array(String)', '[]'],
    ['a list of lists', [[1], [2.5]], 'Array(Array(Float64))', '[[1],[2.5]]'],
    ['integers of two kinds', [1n, 2n ** 64n - 1n], 'Array(Int128)', '[1,18446744073709551615]'],
    ['a Map', new Map([['a', 1]]), 'Map(String, Int64)', "{'a':1}"],
    ['an object', { a: [true] }, 'Map(String, Array(Bool))', "{'a':[true]}"],
  ])('binds %s by what it is', (_what, value, type, text) => {
    expect(bindParameters('SELECT :value', { value })).toEqual({ query: `SELECT {value:${type}}`, parameters: { param_value: text } })
  })

  it('binds a value as the type that it is told', () => {
    expect(bindParameters('SELECT :id', { id: typed('UUID', '61f0c404-5cb3-11e7-907b-a6006ad3dba0') }).query).toBe('SELECT {id:UUID}')
    expect(bindParameters('SELECT {id:UInt64}', { id: '18446744073709551615' })).toEqual({
      query: 'SELECT {id:UInt64}',
      parameters: { param_id: '18446744073709551615' },
    })
  })

  it('gives a Date the time zone that it is written in', () => {
    expect(bindParameters('SELECT {at:DateTime}', { at: new Date(0) })).toEqual({ query: "SELECT {at:DateTime('UTC')}", parameters: { param_at: '1970-01-01 00:00:00' } })
  })

  it('binds a name once, however often it stands there', () => {
    const { query, parameters } = bindParameters('SELECT :a + :a', { a: 1 })
    expect(query).toBe('SELECT {a:Int64} + {a:Int64}')
    expect(Object.keys(parameters)).toEqual(['param_a'])
  })

  it('binds by position', () => {
    expect(bindParameters('SELECT $2, $1', ['x', 1])).toEqual({
      query: 'SELECT {positional_2:Int64}, {positional_1:String}',
      parameters: { param_positional_2: '1', param_positional_1: 'x' },
    })
  })

  it.each(['CREATE VIEW v AS', 'create or replace view v as', '/* x */ CREATE VIEW IF NOT EXISTS a.v AS'])('keeps the parameters of a view, and gives values to the others: %s', (begin) => {
    expect(bindParameters(`${begin} SELECT {own:UInt8}, {given:UInt8}`, { given: 2 })).toEqual({ query: `${begin} SELECT {own:UInt8}, {given:UInt8}`, parameters: { param_given: '2' } })
  })

  it.each(['CREATE TABLE view AS SELECT {own:UInt8}', 'SELECT {own:UInt8} AS `CREATE VIEW`', 'CREATE MATERIALIZED VIEW v AS SELECT {own:UInt8}', 'CREATE VIEW v AS SELECT :own'])('misses a value in %s', (query) => {
    expect(() => bindParameters(query)).toThrow('no value was given')
  })

  it('leaves out values that have no place, and a query without places as it is', () => {
    expect(bindParameters("SELECT ':a'", { a: 1 })).toEqual({ query: "SELECT ':a'", parameters: {} })
  })

  it.each([
    ['a missing name', ':a', {}, 'a'],
    ['a missing position', '$2', [1], '$2'],
    ['a name among positions', ':a', [1], 'a'],
    ['an inherited name', ':toString', {}, 'toString'],
    ['undefined', ':a', { a: undefined }, 'a'],
    ['a function', ':a', { a: () => 1 }, 'a'],
    ['an invalid Date', ':a', { a: new Date(Number.NaN) }, 'a'],
    ['a mixed list', ':a', { a: [1, 'x'] }, 'a'],
    ['a class of its own', ':a', { a: new URL('http://localhost') }, 'a'],
    ['null for a type that has none', '{a:UInt8}', { a: null }, 'a'],
    ['a number out of range', '{a:UInt8}', { a: 256 }, 'a'],
    ['text for a number', '{a:Int32}', { a: '1 OR 1' }, 'a'],
    ['a tuple of the wrong size', '{a:Tuple(UInt8, UInt8)}', { a: [1] }, 'a'],
    ['a type that is SQL', ':a', { a: typed('Int8} OR {b:Int8', 1) }, 'a'],
    ['an integer beyond 256 bits', ':a', { a: 2n ** 256n }, 'a'],
  ])('refuses %s and names it', (_what, place, values, path) => {
    const error = thrown(() => bindParameters(`SELECT ${place}`, values as Record<string, unknown>))

    expect(ValidationError.isInstance(error) && error.code).toBe('ERR_CLICKHOUSE_PARAMETER')
    expect(ValidationError.isInstance(error) && error.issues[0]?.path).toEqual(['params', path])
  })

  it('never tells a value in an error', () => {
    const error = thrown(() => bindParameters('SELECT {a:UInt8}', { a: 'secret-value' })) as Error
    expect(error.message).not.toContain('secret-value')
  })
})
