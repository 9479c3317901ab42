import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endOfText } from './text-scan.ts'

/** Where the closing quote is, by looking at one byte after the other and leaving UTF-8 to the runtime. */
function slowly(bytes: Uint8Array, begin: number, end: number): number {
  for (let at = begin; at < end; at++) {
    const byte = bytes[at] as number
    if (byte === 0x22) return isUtf8(bytes.subarray(begin, at)) ? at : -1
    if (byte < 0x20 || byte === 0x5c) return -1
  }
  return -1
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

describe('endOfText', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom([0x22], [0x5c], [0x1f], [0x7f], [0xc1, 0x80], [0xe0, 0x9f, 0x80], [0xed, 0xa0, 0x80], [0xef, 0xbf, 0xbf], [0xf0, 0x8f, 0x80, 0x80], [0xf4, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xc3], [0xe2, 0x82]).map((list) => Uint8Array.from(list)),
  )

  it('is where a look at each byte finds it, wherever the text begins and ends', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.nat({ max: 5 }), fc.nat({ max: 5 }), (pieces, before, behind) => {
        const bytes = Buffer.concat([Buffer.alloc(before, 0x61), ...pieces, Buffer.from('"'), Buffer.alloc(behind, 0x62)])

        for (const end of [bytes.length, bytes.length - behind, bytes.length - behind - 1]) expect(endOfText(viewOf(bytes), before, end)).toBe(slowly(bytes, before, end))
      }),
      { numRuns: 5000 },
    )
  })
})
