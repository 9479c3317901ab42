import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textBytes, writeText } from './short-text.ts'

const text = fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '\ud800') }))

describe('a short text', () => {
  it('has the bytes, and as many of them, that Buffer says', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 5 }), (given, at) => {
        const bytes = textBytes(given)
        const target = Buffer.alloc(at + bytes + 3)

        writeText(target, at, given, bytes)

        expect(target).toEqual(Buffer.concat([Buffer.alloc(at), Buffer.from(given), Buffer.alloc(3)]))
      }),
    )
  })
})
