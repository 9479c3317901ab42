import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentBytes, headersAt, keyAt, payloadBytesAt, recordBytes, recordEnd, timestampAt, valueAt, writeRecord } from './record-layout.ts'

const content = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
const record = fc.record({
  key: fc.option(content, { nil: null }),
  value: fc.option(content, { nil: null }),
  headers: fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 10 }), content, { maxKeys: 5 }),
  timestamp: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
})
const bytesOf = (part: Uint8Array | string | null): Buffer | null => (part === null ? null : Buffer.from(part as string))

describe('record layout', () => {
  it('gives any records back as they were, one after the other', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
        const buffer = Buffer.alloc(records.reduce((sum, each) => sum + recordBytes(each), 0))
        let end = 0
        for (const each of records) end = writeRecord(buffer, end, each, each.timestamp)
        expect(end).toBe(buffer.length)

        let at = 0
        for (const each of records) {
          expect(keyAt(buffer, at)).toEqual(bytesOf(each.key))
          expect(valueAt(buffer, at)).toEqual(bytesOf(each.value))
          expect(timestampAt(buffer, at)).toBe(each.timestamp)
          const headers = Object.entries(each.headers).map(([name, value]) => [name, bytesOf(value)])
          expect(Object.entries(headersAt(buffer, at)).sort()).toEqual(headers.sort())
          expect(payloadBytesAt(buffer, at)).toBeGreaterThanOrEqual(contentBytes(each))
          at = recordEnd(buffer, at)
        }
        expect(at).toBe(buffer.length)
      }),
    )
  })
})
