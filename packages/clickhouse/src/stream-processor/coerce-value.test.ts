import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileRowCheck } from './check-row.ts'

/** What becomes of a value for a column of that type: the coerced value, or the reason why there is none. */
function outcome(type: string, value: unknown): unknown {
  const checked = compileRowCheck([{ name: 'c', type, defaultKind: '' }]).check({ c: value })
  return 'row' in checked ? checked.row.c : { refused: checked.issues[0]?.message }
}

const refused = { refused: expect.any(String) as string }

describe('values of stream rows', () => {
  it.each([
    ['UInt64', '18446744073709551615', '18446744073709551615'],
    ['Int32', ' 42 ', '42'],
    ['Int32', '+7', '7'],
    ['Int32', '7.000', '7'],
    ['UInt8', true, 1],
    ['Float64', '1.5e3', 1500],
    ['Float64', '.5', 0.5],
    ['Float64', 'nan', NaN],
    ['Float64', '-inf', -Infinity],
    ['Float64', 12n, 12],
    ['Decimal(10, 2)', '12.30', '12.30'],
    ['Bool', 1, true],
    ['Bool', 'false', false],
    ['String', 12.5, '12.5'],
    ['LowCardinality(String)', 12n, '12'],
    ['Nullable(Int32)', null, null],
    ['Nullable(Int32)', '5', '5'],
    ['DateTime', 1_000_000_000_000, new Date(1_000_000_000_000)],
    ['DateTime', '2001-09-09 01:46:40', '2001-09-09 01:46:40Z'],
    ['DateTime64(3)', '2001-09-09T01:46:40.123+02:00', '2001-09-09T01:46:40.123+02:00'],
    ['DateTime', '2001-09-09', '2001-09-09T00:00:00Z'],
    ['Date', '2001-09-09', '2001-09-09'],
    ['Date', new Date('2001-09-09T23:59:59.999Z'), '2001-09-09'],
    ['Date', '2001-09-09T23:00:00-05:00', '2001-09-10'],
    ['Array(UInt8)', ['1', 2], ['1', 2]],
    ['Array(Float64)', ['1.5'], [1.5]],
    ['Map(String, Float64)', { a: '1.5' }, new Map([['a', 1.5]])],
    ['Tuple(a Float64, b Bool)', { a: '1', b: 1 }, [1, true]],
  ])('for %s: %o becomes %o', (type, value, expected) => {
    expect(outcome(type, value)).toEqual(expected)
  })

  it.each([
    ['Int32', '1.5'],
    ['Int32', 1.5],
    ['Int32', ''],
    ['Int8', 128],
    ['UInt64', 2 ** 60],
    ['UInt64', -1],
    ['Float64', 'one'],
    ['Float64', ''],
    ['Bool', 'yes'],
    ['Bool', 2],
    ['String', { a: 1 }],
    ['DateTime', 'yesterday'],
    ['DateTime', '2001-02-30 00:00:00'],
    ['DateTime', 1e15],
    ['DateTime', NaN],
    ['Date', '2001-13-01'],
    ['Date', 'NaN'],
    ['Int32', null],
    ['Array(UInt8)', [300]],
    ["Enum8('a' = 1)", 'b'],
  ])('for %s: %o is refused', (type, value) => {
    expect(outcome(type, value)).toEqual(refused)
  })

  it('never change what an integer is worth', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(BigInt(outcome('Int64', value) as string)).toBe(value)
        expect(BigInt(outcome('Int64', String(value)) as string)).toBe(value)
      }),
    )
  })

  it('never make the check throw, whatever they are', () => {
    const types = [
      'Int64',
      'Float64',
      'Bool',
      'String',
      'Date',
      'DateTime64(6)',
      'Decimal(9, 2)',
      'UUID',
      'Array(Date)',
      'Map(String, UInt8)',
      'Tuple(a Int8)',
      'JSON',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
        (type, value) => {
          expect(() => outcome(type, value)).not.toThrow()
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('a stream row', () => {
  const check = compileRowCheck([
    { name: 'id', type: 'UInt32', defaultKind: '' },
    { name: 'at', type: 'DateTime', defaultKind: 'DEFAULT' },
    { name: 'day', type: 'Date', defaultKind: 'MATERIALIZED' },
  ])

  it('may leave columns out', () => {
    expect(check.check({ id: 1, at: undefined })).toEqual({ row: { id: 1 }, bytes: 4, shape: 'id' })
  })

  it('is told everything that is wrong with it, by column', () => {
    const checked = check.check({ id: 'x', at: 'y', day: '2001-01-01', other: 1 })

    expect(checked).toMatchObject({
      issues: [
        { path: ['id'], message: expect.stringContaining('UInt32') as string },
        { path: ['at'], message: expect.stringContaining('DateTime') as string },
        { path: ['day'], message: 'is computed by the table; leave it out' },
        { path: ['other'], message: 'is not a column of the table' },
      ],
    })
  })

  it.each([[null], [undefined], ['text'], [[1]], [5]])('must be an object: %o is refused', (row) => {
    expect(check.check(row)).toMatchObject({ issues: [{ path: [] }] })
  })
})
