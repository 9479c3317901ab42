import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { isMessagingError } from '../../../errors.ts'
import { BATCH } from './batch-layout.ts'
import { decompress } from './compression.ts'
import { decodeRecords } from './decode-records.ts'

/** The same 61 records, as Apache Kafka's own Java libraries compress them. */
const BATCHES = JSON.parse(readFileSync(new URL('../../../../test/fixtures/java-batches.json', import.meta.url), 'utf8')) as Record<string, string>
const compressions = Object.keys(BATCHES)
const IDS: Readonly<Record<string, number>> = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
const MAX = 1_000_000

const batchOf = (compression: string): Buffer => Buffer.from(BATCHES[compression] ?? '', 'base64')
const compressedOf = (compression: string): Buffer => batchOf(compression).subarray(BATCH.records)

describe.each(compressions)('a batch that Java compressed by %s', (compression) => {
  it('has its records', () => {
    const decoded = decodeRecords({ topic: 't', partition: 0, fetchOffset: 0n, abortedTransactions: [], records: batchOf(compression) })

    const expected = Array.from({ length: 60 }, (_, index) => `${'ab'.repeat(index)} number ${(index * 7919) % 1000} ${Math.sin(index)}`)
    const found = Array.from({ length: decoded.length }, (_, index) => Buffer.from(decoded.valueAt(index) ?? []).toString())
    expect(found).toEqual([...expected, 'x'.repeat(3_000)])
    expect(Buffer.from(decoded.headersAt(7).trace ?? []).toString()).toBe('t7')
  })

  it('is refused, or gives bytes, wherever it is cut off or damaged', () => {
    const id = IDS[compression] ?? 0
    const whole = compressedOf(compression)
    const cut = fc.nat(whole.length - 1).map((length) => whole.subarray(0, length))
    const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => Buffer.concat([whole.subarray(0, at), Buffer.from([byte]), whole.subarray(at + 1)]))

    fc.assert(
      fc.property(fc.oneof(cut, damaged), (bytes) => {
        try {
          expect(decompress(id, bytes, MAX)?.length).toBeLessThanOrEqual(MAX)
        } catch (error) {
          // node:zlib has errors of its own, which whoever reads the batch wraps.
          if (id === 2 || id === 3) expect(isMessagingError(error) && error.code, String(error)).toBe('ERR_MESSAGING_CORRUPT_RECORDS')
          else expect(error).toBeInstanceOf(Error)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is refused when it would take more than it may', () => {
    expect(() => decompress(IDS[compression] ?? 0, compressedOf(compression), 2_000)).toThrow()
  })
})

describe('snappy and lz4', () => {
  it.each([2, 3])('read any bytes without harm (%i)', (id) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decompress(id, bytes, MAX)
        } catch (error) {
          expect(isMessagingError(error), String(error)).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('reserve nothing for a length that lies', () => {
    const fiveBytesThatClaimFourGigabytes = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])

    expect(() => decompress(2, fiveBytesThatClaimFourGigabytes, 2 ** 31)).toThrow('is shorter than it says')
  })

  it('take an answer that librdkafka wrote, in one bare block', () => {
    // Length 11, five literals, six bytes from five before.
    const bare = Buffer.from([11, (5 - 1) << 2, ...Buffer.from('whale'), ((6 - 4) << 2) | 1, 5])

    expect(Buffer.from(decompress(2, bare, MAX) ?? []).toString()).toBe('whalewhalew')
  })
})

describe('gzip and zstd', () => {
  it('read what was compressed in several pieces', () => {
    const pieces = [Buffer.from('whale '), Buffer.from('song')]

    expect(Buffer.from(decompress(4, Buffer.concat(pieces.map((piece) => zstdCompressSync(piece))), MAX) ?? []).toString()).toBe('whale song')
    expect(Buffer.from(decompress(1, Buffer.concat(pieces.map((piece) => gzipSync(piece))), MAX) ?? []).toString()).toBe('whale song')
  })
})
