import { describe, expect, it } from 'vitest'
import { murmur2, partitionOfKey } from './murmur2.ts'

describe('murmur2', () => {
  // The values that Apache Kafka's own UtilsTest expects.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Kafka does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  it('gives every key a partition that there is, whatever the sign of its hash', () => {
    for (let i = 0; i < 1_000; i++) {
      const partition = partitionOfKey(Buffer.from(`key ${i}`), 7)
      expect(partition).toBeGreaterThanOrEqual(0)
      expect(partition).toBeLessThan(7)
    }
  })
})
