import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMessagingError } from '../../../errors.ts'
import type { OutgoingRecord } from '../../../transport.ts'
import { BATCH, CONTROL_BIT, TRANSACTIONAL_BIT } from './batch-layout.ts'
import { crc32c } from './crc32c.ts'
import { decodeRecords } from './decode-records.ts'
import type { DecodedRecords } from './decoded-records.ts'
import { encodeRecordBatch, recordSizeBound } from './encode-record-batch.ts'
import { COMPRESSION_IDS } from './compression.ts'
import { writeVarint } from './varint.ts'

const NOW = 1_700_000_000_000
const ORIGIN = { topic: 'flights', partition: 3 }

const decode = (records: Uint8Array, fetchOffset = 0n, abortedTransactions: { producerId: bigint; firstOffset: bigint }[] = []): DecodedRecords =>
  decodeRecords({ ...ORIGIN, fetchOffset, abortedTransactions, records })

const offsetsOf = (records: DecodedRecords): bigint[] => Array.from({ length: records.length }, (_, index) => records.offsetAt(index))

/** A batch as it lies in the log: with its offset, which no checksum covers. */
function batchAt(offset: bigint, records: readonly OutgoingRecord[], options: Partial<Parameters<typeof encodeRecordBatch>[1]> = {}): Buffer {
  const batch = Buffer.from(encodeRecordBatch(records, { now: NOW, ...options }))
  batch.writeBigInt64BE(offset, BATCH.baseOffset)
  return batch
}

/** Changes a batch and makes its checksum fit. */
function changed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(crc32c(copy, BATCH.attributes), BATCH.crc)
  return copy
}

const numbered = (count: number): OutgoingRecord[] => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: `v${index}` }))

const bytes = fc.uint8Array({ maxLength: 300 })
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  key: fc.option(fc.oneof(bytes, fc.string()), { nil: null }),
  value: fc.option(fc.oneof(bytes, fc.string({ unit: 'grapheme' })), { nil: null }),
  headers: fc.option(fc.dictionary(fc.string(), fc.oneof(bytes, fc.string())), { nil: undefined }),
  timestamp: fc.option(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), { nil: undefined }),
})
const asBytes = (value: Uint8Array | string | null | undefined): Buffer | null => (value === null || value === undefined ? null : Buffer.from(value as Uint8Array))

describe('crc32c', () => {
  it('gives the value that the standard names', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  })

  it('gives the same for any start and any length', () => {
    const whole = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 37) & 0xff))

    for (let start = 0; start < 9; start++) {
      for (let end = start; end <= whole.length; end++) expect(crc32c(whole, start, end)).toBe(crc32c(Buffer.from(whole.subarray(start, end))))
    }
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
  })
})

describe('a record batch', () => {
  it.each(['none', 'gzip', 'zstd'] as const)('has what was put into it, compressed by %s', (compression) => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), fc.bigInt({ min: 0n, max: 2n ** 62n }), (records, offset) => {
        const decoded = decode(batchAt(offset, records, { compression }), offset)

        expect(decoded.length).toBe(records.length)
        expect(decoded.nextOffset).toBe(offset + BigInt(records.length))
        for (const [index, given] of records.entries()) {
          expect(decoded.offsetAt(index)).toBe(offset + BigInt(index))
          expect(decoded.timestampAt(index)).toBe(given.timestamp ?? NOW)
          expect(asBytes(decoded.keyAt(index))).toEqual(asBytes(given.key))
          expect(asBytes(decoded.valueAt(index))).toEqual(asBytes(given.value))
          const headers = Object.entries(given.headers ?? {}).map(([name, value]) => [Buffer.from(name).toString(), asBytes(value)])
          expect(Object.entries(decoded.headersAt(index)).map(([name, value]) => [name, Buffer.from(value)])).toEqual(headers)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('takes no more bytes than its records were estimated at', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (records) => {
        const estimate = records.reduce<number>((sum, one) => sum + recordSizeBound(one), BATCH.records)

        expect(encodeRecordBatch(records, { now: NOW }).length).toBeLessThanOrEqual(estimate)
      }),
    )
  })

  it('carries who wrote it, so that it is stored once', () => {
    const batch = batchAt(0n, numbered(2), { producer: { id: 77n, epoch: 4, sequence: 1_000 } })

    expect(batch.readBigInt64BE(BATCH.producerId)).toBe(77n)
    expect([batch.readInt16BE(BATCH.producerEpoch), batch.readInt32BE(BATCH.baseSequence)]).toEqual([4, 1_000])
  })
})

describe('records of a fetch', () => {
  it('begin where was asked for, within a batch', () => {
    const records = Buffer.concat([batchAt(10n, numbered(5)), batchAt(15n, numbered(5), { compression: 'zstd' })])

    expect(offsetsOf(decode(records, 13n))).toEqual([13n, 14n, 15n, 16n, 17n, 18n, 19n])
    expect(offsetsOf(decode(records, 18n))).toEqual([18n, 19n])
    expect(decode(records, 20n)).toMatchObject({ length: 0, nextOffset: 20n })
  })

  it('end before a batch that is cut off, wherever', () => {
    const [first, second] = [batchAt(0n, numbered(3)), batchAt(3n, numbered(4))]
    const records = Buffer.concat([first, second])

    for (let length = 0; length <= records.length; length++) {
      const decoded = decode(records.subarray(0, length))
      const whole = length === records.length ? 7 : length >= first.length ? 3 : 0
      expect([decoded.length, decoded.nextOffset]).toEqual([whole, BigInt(whole)])
    }
  })

  it('keep the gaps that compaction left, up to an end that is gone', () => {
    const sparse = changed(batchAt(100n, numbered(3)), (batch) => {
      batch.writeInt32BE(9, BATCH.lastOffsetDelta)
      // The deltas of records 1 and 2, each a byte behind length, attributes and timestamp.
      const recordBytes = (batch.length - BATCH.records) / 3
      writeVarint(batch, BATCH.records + recordBytes + 3, 4)
      writeVarint(batch, BATCH.records + 2 * recordBytes + 3, 7)
    })
    const empty = changed(batchAt(110n, numbered(1)).subarray(0, BATCH.records), (batch) => {
      batch.writeInt32BE(BATCH.records - 12, BATCH.length)
      batch.writeInt32BE(0, BATCH.count)
      batch.writeInt32BE(5, BATCH.lastOffsetDelta)
    })

    const decoded = decode(Buffer.concat([sparse, empty]), 100n)

    expect(offsetsOf(decoded)).toEqual([100n, 104n, 107n])
    expect(decoded.nextOffset).toBe(116n)
    expect(offsetsOf(decode(sparse, 105n))).toEqual([107n])
  })

  it("have the broker's time when it stamps them", () => {
    const stamped = changed(batchAt(0n, [{ value: 'a', timestamp: 1 }, { value: 'b', timestamp: 2 }]), (batch) => {
      batch.writeInt16BE(0x08, BATCH.attributes)
      batch.writeBigInt64BE(99n, BATCH.maxTimestamp)
    })

    const decoded = decode(stamped)

    expect([decoded.timestampAt(0), decoded.timestampAt(1)]).toEqual([99, 99])
  })

  it('of aborted transactions and control markers are not handed on', () => {
    const transactional = (offset: bigint, producerId: bigint): Buffer =>
      batchAt(offset, numbered(2), { producer: { id: producerId, epoch: 0, sequence: 0, isTransactional: true } })
    const marker = (offset: bigint, producerId: bigint, kind: number): Buffer =>
      changed(batchAt(offset, [{ key: Buffer.from([0, 0, 0, kind]), value: Buffer.alloc(6) }], { producer: { id: producerId, epoch: 0, sequence: -1 } }), (batch) => {
        batch.writeInt16BE(CONTROL_BIT | TRANSACTIONAL_BIT, BATCH.attributes)
      })
    const [abort, commit] = [0, 1]
    const records = Buffer.concat([
      transactional(0n, 1n),
      transactional(2n, 2n),
      marker(4n, 1n, abort),
      marker(5n, 2n, commit),
      transactional(6n, 1n),
      batchAt(8n, numbered(1), { producer: { id: 1n, epoch: 0, sequence: 4 } }),
      marker(9n, 1n, commit),
    ])

    const decoded = decode(records, 0n, [{ producerId: 1n, firstOffset: 0n }])

    expect(offsetsOf(decoded)).toEqual([2n, 3n, 6n, 7n, 8n])
    expect(decoded.nextOffset).toBe(10n)
  })
})

describe('damaged records', () => {
  const batch = batchAt(40n, numbered(3))
  const corrupt = expect.objectContaining({ code: 'ERR_MESSAGING_CORRUPT_RECORDS', context: { topic: 'flights', partition: 3, offset: '40' } }) as Error

  it('are refused, whichever bit of them is another', () => {
    for (let bit = BATCH.crc * 8; bit < batch.length * 8; bit++) {
      const copy = Buffer.from(batch)
      copy[bit >>> 3] = (copy[bit >>> 3] as number) ^ (1 << (bit & 7))
      expect(() => decode(copy, 40n), `bit ${bit}`).toThrow(corrupt)
    }
  })

  it('are refused by name of topic, partition and offset', () => {
    const copy = Buffer.from(batch)
    copy[copy.length - 1] = 0xff

    expect(() => decode(copy, 40n)).toThrow('the records at offset 40 of partition 3 of "flights" don\'t match their checksum; check the broker\'s disk')
  })

  it('never end in anything but records or a refusal, even when their checksum fits', () => {
    const content = fc.uint8Array({ maxLength: 120 })
    const header = fc.record({ attributes: fc.integer({ min: 0, max: 0x7f }), count: fc.integer({ min: -1, max: 2 ** 31 - 1 }), few: fc.nat(20), isFew: fc.boolean(), last: fc.nat(30) })

    fc.assert(
      fc.property(content, header, (tail, { attributes, count, few, isFew, last }) => {
        const made = changed(Buffer.concat([batch.subarray(0, BATCH.records), tail]), (copy) => {
          copy.writeInt32BE(copy.length - 12, BATCH.length)
          copy.writeInt16BE(attributes, BATCH.attributes)
          copy.writeInt32BE(isFew ? few : count, BATCH.count)
          copy.writeInt32BE(last, BATCH.lastOffsetDelta)
        })
        try {
          const decoded = decode(made, 40n)
          for (let index = 0; index < decoded.length; index++) void [decoded.offsetAt(index), decoded.keyAt(index), decoded.valueAt(index), decoded.headersAt(index), decoded.sizeAt(index)]
        } catch (error) {
          expect(isMessagingError(error) && error.code, String(error)).toBe('ERR_MESSAGING_CORRUPT_RECORDS')
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('of an older message format are refused with that reason', () => {
    const old = Buffer.from(batch)
    old.writeInt8(1, BATCH.magic)

    expect(() => decode(old, 40n)).toThrow('are in message format 1')
  })

  it.each(Object.entries(COMPRESSION_IDS).filter(([name]) => name !== 'none'))('that would fill the memory are refused: %s', (compression) => {
    const bomb = batchAt(40n, [{ value: Buffer.alloc(4_000_000) }], { compression: compression as 'gzip' })

    expect(bomb.length).toBeLessThan(20_000)
    expect(() => decodeRecords({ ...ORIGIN, fetchOffset: 40n, abortedTransactions: [], records: bomb }, 1_000_000)).toThrow("can't be decompressed")
  })
})
