import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor } from './range-cursor.ts'

const scope = { table: '"public"."flights"', order: 'asc', columns: ['id'] } as const

describe('a cursor', () => {
  it('comes back as it was, whatever the values hold', () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'))
    fc.assert(fc.property(fc.tuple(text, text), (position) => {
        expect(decodeCursor(scope, encodeCursor(scope, position))).toEqual(position)
      }))
  })

  it('is refused when any character of it was changed', () => {
    const cursor = encodeCursor(scope, ['2001-01-01T00:00:00.123456+00:00', '42'])
    for (let index = 0; index < cursor.length; index++) {
      const changed = cursor.slice(0, index) + (cursor[index] === 'A' ? 'B' : 'A') + cursor.slice(index + 1)
      let decoded: unknown
      try {
        decoded = decodeCursor(scope, changed)
      } catch (error) {
        decoded = (error as { issues: { path: unknown }[] }).issues[0]?.path
      }
      // The last character holds unused bits: changing only those changes nothing.
      expect([['cursor'], ['2001-01-01T00:00:00.123456+00:00', '42']]).toContainEqual(decoded)
    }
  })

  it('is good for the read that gave it only', () => {
    const cursor = encodeCursor(scope, ['t', '1'])

    for (const other of [{ ...scope, order: 'desc' as const }, { ...scope, table: '"public"."sp500"' }, { ...scope, columns: ['other'] }, { ...scope, columns: ['id', 'other'] }]) {
      expect(() => decodeCursor(other, cursor)).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_INPUT' }))
    }
  })

  it('is refused when it is something else', () => {
    const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const anything = fc.oneof(fc.string(), fc.json().map((text) => Buffer.from(text).toString('base64url')), fc.constantFrom('', json([1, 't', '1', 'forged']), json(null), json([1, 2, 3, 4])))
    fc.assert(fc.property(anything, (cursor) => {
        expect(() => decodeCursor(scope, cursor)).toThrow(expect.objectContaining({ status: 400 }))
      }))
  })
})
