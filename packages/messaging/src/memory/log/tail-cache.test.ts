import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TailCache } from './tail-cache.ts'

describe('TailCache', () => {
  it('answers with exactly what was written, or not at all, and stays within its budget', () => {
    const write = fc.record({ segment: fc.integer({ min: 0, max: 2 }), bytes: fc.uint8Array({ maxLength: 300 }), forget: fc.boolean() })
    fc.assert(
      fc.property(fc.array(write, { maxLength: 60 }), fc.nat(1_000), fc.nat(1_000), (writes, from, length) => {
        const cache = new TailCache(2_000)
        const segments = [0, 1, 2].map(() => ({ content: Buffer.alloc(0) }))
        for (const { segment, bytes, forget } of writes) {
          const target = segments[segment] as { content: Buffer }
          if (forget) cache.forget(target)
          cache.add(target, target.content.length, Buffer.from(bytes))
          target.content = Buffer.concat([target.content, bytes])
        }
        expect(cache.bytes).toBeLessThanOrEqual(2_000)
        for (const segment of segments) {
          const position = Math.min(from, segment.content.length)
          const wanted = Math.min(length, segment.content.length - position)
          const found = cache.read(segment, position, wanted)
          if (found !== undefined) expect(found).toEqual(segment.content.subarray(position, position + wanted))
        }
      }),
    )
  })

  it('holds the end of what was written last', () => {
    const cache = new TailCache(10_000)
    const segment = {}
    for (let i = 0; i < 100; i++) cache.add(segment, i * 10, Buffer.from(String(i).padStart(10, '0')))

    expect(cache.read(segment, 985, 15)?.toString()).toBe('000980000000099')
    expect(cache.read(segment, 0, 10)).toBeUndefined()
    cache.forget(segment)
    expect(cache.bytes).toBe(0)
  })
})
