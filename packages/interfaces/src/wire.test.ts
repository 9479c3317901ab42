import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toWire } from './index.ts'

describe('toWire', () => {
  it.each<[string, unknown, unknown]>([
    ['64-bit integers as strings', 9_223_372_036_854_775_807n, '9223372036854775807'],
    ['times as ISO 8601 UTC', new Date('2024-02-29T12:34:56.789+02:00'), '2024-02-29T10:34:56.789Z'],
    ['a time that is none as null', new Date(Number.NaN), null],
    ['bytes as base64', Uint8Array.from([0, 255, 16]), 'AP8Q'],
    ['a part of a buffer as that part', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), 'AgM='],
    ['other typed arrays as lists', new Float64Array([0.5, Number.NaN]), [0.5, null]],
    ['64-bit typed arrays as lists of strings', new BigInt64Array([-1n]), ['-1']],
    ['numbers that JSON lacks as null', [Number.NaN, Infinity, -Infinity], [null, null, null]],
    ['a Map as an object', new Map<unknown, unknown>([['a', 1n], [2, new Map([['b', null]])]]), { a: '1', 2: { b: null } }],
    ['a Set as a list', new Set([1n, 'a']), ['1', 'a']],
    ['undefined and functions as null in lists', [undefined, () => 1, Symbol('s')], [null, null, null]],
    ['undefined in objects as absent', { a: undefined, b: 1 }, { b: 1 }],
    ['plain values as they are', { a: 'x', b: 1.5, c: true, d: null, e: [{}] }, { a: 'x', b: 1.5, c: true, d: null, e: [{}] }],
  ])('writes %s', (_what, value, expected) => {
    expect(toWire(value)).toEqual(expected)
  })

  it('keeps a key that would name the prototype an ordinary key', () => {
    const wire = toWire(new Map([['__proto__', { polluted: true }]])) as object

    expect(JSON.stringify(wire)).toBe('{"__proto__":{"polluted":true}}')
    expect('polluted' in wire).toBe(false)
  })

  it('gives plain JSON for anything', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withSparseArray: true }), (value) => {
        const wire = toWire(value)
        expect(JSON.parse(JSON.stringify(wire))).toEqual(JSON.parse(JSON.stringify(toWire(wire))))
      }),
    )
  })
})
