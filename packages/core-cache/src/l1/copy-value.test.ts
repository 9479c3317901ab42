import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copyForCache, copyForReader } from './copy-value.ts'

describe('copyForCache', () => {
  it('copies any plain data and freezes all of it', () => {
    const data = fc.letrec((tie) => ({
      value: fc.oneof(fc.string(), fc.double(), fc.bigInt(), fc.boolean(), fc.constant(null), tie('list'), tie('record')),
      list: fc.array(tie('value'), { maxLength: 4 }),
      record: fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('value'), { maxKeys: 4 }),
    })).value
    fc.assert(
      fc.property(data, (value) => {
        const { value: copy, frozen } = copyForCache(value)

        expect(copy).toStrictEqual(value)
        expect(frozen).toBe(true)
        expectDeeplyFrozen(copy)
        const readers = copyForReader(copy)
        expect(readers).toStrictEqual(value)
        if (typeof readers === 'object' && readers !== null) expect(readers).not.toBe(copy)
      }),
    )
  })

  it.each([
    ['Date', new Date(5)],
    ['Map', new Map([[{ key: 1 }, [new Set([1n])]]])],
    ['bytes', new Uint8Array([1, 2, 3])],
    ['a list that holds a Date', [1, { at: new Date(5) }]],
    ['ArrayBuffer', new Uint8Array([1]).buffer],
    ['DataView', new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 1)],
    ['64-bit array', new BigUint64Array([2n ** 63n])],
  ])('marks %s as not to be shared', (_what, value) => {
    const { value: copy, frozen } = copyForCache(value)

    expect(frozen).toBe(false)
    expect(copy).toStrictEqual(value)
    expect(copy).not.toBe(value)
  })

  it('copies what a view shows, not the buffer behind it', () => {
    const view = new Uint8Array(1_000_000).subarray(10, 20)
    const { value, bytes } = copyForCache(view)

    expect((value as Uint8Array).buffer.byteLength).toBe(10)
    expect(bytes).toBeLessThan(1000)
  })

  it('gives a Node Buffer back as the Uint8Array that it is', () => {
    const { value } = copyForCache(Buffer.from('abc'))

    expect(value).toStrictEqual(new Uint8Array([97, 98, 99]))
  })

  it('keeps what is shared shared and what is circular circular', () => {
    const shared = [1]
    const value: Record<string, unknown> = { one: shared, two: shared }
    value['self'] = value
    const copy = copyForCache(value).value as typeof value

    expect(copy['one']).toBe(copy['two'])
    expect(copy['self']).toBe(copy)
    expect(copy).not.toBe(value)
  })

  it('takes data of many paths to the same members in linear time', () => {
    let value: unknown = []
    for (let level = 0; level < 60; level++) value = [value, value]

    expect(copyForCache(value).bytes).toBeLessThan(10_000)
  })

  it('refuses what is nested too deep rather than failing in the middle', () => {
    let value: unknown = []
    for (let level = 0; level < 200_000; level++) value = [value]

    expect(() => copyForCache(value)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_VALUE' }))
  })

  it.each([
    ['a function', { a: () => 1 }, ['value', 'a']],
    ['a symbol', [Symbol('s')], ['value', 0]],
    ['an instance of RegExp', new Map([['k', /x/]]), ['value', 'k']],
    ['an instance of Promise', new Set([Promise.resolve()]), ['value', 0]],
    ['an instance of Error', { failure: new Error('x') }, ['value', 'failure']],
  ])('refuses %s and says where it is', (what, value, path) => {
    expect(() => copyForCache(value)).toThrow(
      expect.objectContaining({ code: 'ERR_CACHE_VALUE', message: expect.stringContaining(what) as string, issues: [expect.objectContaining({ path })] }),
    )
  })

  it('estimates more for more', () => {
    const row = { id: 123_456_789n, note: 'some text', value: 1.5, at: '2024-01-01' }
    const bytesOf = (rows: number): number => copyForCache(Array.from({ length: rows }, () => ({ ...row }))).bytes

    expect(bytesOf(100) - bytesOf(99)).toBe(bytesOf(2) - bytesOf(1))
    expect(bytesOf(1)).toBeGreaterThan(100)
    expect(bytesOf(1)).toBeLessThan(400)
  })
})

function expectDeeplyFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  expect(Object.isFrozen(value)).toBe(true)
  for (const member of Object.values(value)) expectDeeplyFrozen(member)
}
