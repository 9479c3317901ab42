import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEAD_LETTER_HEADERS, deadLetterRecord } from '../dead-letter.ts'
import { RecordSlice } from '../kafka/client/record-slice.ts'
import { BATCH } from '../kafka/protocol/records/batch-layout.ts'
import { crc32c } from '../kafka/protocol/records/crc32c.ts'
import { decodeRecords } from '../kafka/protocol/records/decode-records.ts'
import { encodeRecordBatch, recordSizeBound } from '../kafka/protocol/records/encode-record-batch.ts'
import type { OutgoingRecord, RecordBatch } from '../transport.ts'
import { LetterWriter } from './letter-writer.ts'
import type { EventRefusal } from './event-refusal.ts'
import { WrittenLetter } from './written-letter.ts'

const SOURCE = { topic: 'Fahrten-ä', partition: 3, groupId: 'g' }
const NOW = 1_700_000_000_123

/** Records as a fetch brings them. */
function read(bytes: Uint8Array): RecordBatch {
  const records = decodeRecords({ topic: SOURCE.topic, partition: SOURCE.partition, fetchOffset: 0n, abortedTransactions: [], records: bytes })
  return RecordSlice.fitting(SOURCE.topic, SOURCE.partition, records, { from: 0, maxBytes: 1e9, maxRecords: 1e6 })
}

/** What is in a batch, as whoever reads it has it. */
const contentOf = (batch: RecordBatch): unknown[] =>
  Array.from({ length: batch.length }, (_value, index) => ({
    key: hex(batch.keyAt(index)),
    value: hex(batch.valueAt(index)),
    headers: Object.fromEntries(Object.entries(batch.headersAt(index)).map(([name, value]) => [`name ${name}`, hex(value)])),
  }))
const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'))

const lettersOf = (batch: RecordBatch, refusals: readonly EventRefusal[]): OutgoingRecord[] =>
  new LetterWriter(SOURCE).lettersOf(
    refusals.map((refusal, index) => ({ batch, index, offset: batch.offsetAt(index), row: null, refusal })),
    5,
  )

/** The letters as they are made of the parts of records. */
const plainLetters = (batch: RecordBatch, refusals: readonly EventRefusal[]): OutgoingRecord[] =>
  refusals.map(({ code, reason }, index) =>
    deadLetterRecord(
      { topic: SOURCE.topic, partition: SOURCE.partition, offset: batch.offsetAt(index), key: batch.keyAt(index), value: batch.valueAt(index), headers: batch.headersAt(index), timestamp: batch.timestampAt(index) },
      { code, message: reason, groupId: SOURCE.groupId },
    ),
  )

const bytes = fc.uint8Array({ maxLength: 300 })
const headerName = fc.oneof({ weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) }, fc.constantFrom('__proto__', DEAD_LETTER_HEADERS.reason, DEAD_LETTER_HEADERS.group, 'smartwhale-dlq-', 'traceparent'))
const refusal: fc.Arbitrary<EventRefusal> = fc.record({ code: fc.constantFrom('invalid' as const, 'undecodable' as const), reason: fc.oneof(fc.constantFrom('the message is not JSON', '', 'ä'.repeat(1500)), fc.string({ unit: 'grapheme' })) })
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  key: fc.option(bytes, { nil: null }),
  value: fc.option(fc.oneof(bytes, fc.uint8Array({ minLength: 9000, maxLength: 9000 })), { nil: null }),
  headers: fc.option(fc.dictionary(headerName, bytes, { maxKeys: 12 }), { nil: undefined }),
  timestamp: fc.option(fc.oneof(fc.integer({ min: -2, max: 12 }), fc.maxSafeInteger()), { nil: undefined }),
})

describe('letters that are copied from their records', () => {
  it('are those that are made of the parts', () => {
    let copied = 0
    fc.assert(
      fc.property(fc.array(fc.tuple(record, refusal), { minLength: 1, maxLength: 20 }), (given) => {
        const batch = read(encodeRecordBatch(given.map(([one]) => one), { now: NOW }))
        const refusals = given.map(([, one]) => one)
        const letters = lettersOf(batch, refusals)
        const written = encodeRecordBatch(letters, { now: NOW })

        expect(contentOf(read(written))).toEqual(contentOf(read(encodeRecordBatch(plainLetters(batch, refusals), { now: NOW }))))
        expect(letters.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(plainLetters(batch, refusals))
        expect(letters.every(({ partition }) => partition === 5)).toBe(true)
        expect(written.length).toBeLessThanOrEqual(letters.reduce<number>((sum, letter) => sum + recordSizeBound(letter), BATCH.records))
        copied += letters.filter((letter) => letter instanceof WrittenLetter).length
      }),
      { numRuns: 60 },
    )
    expect(copied).toBeGreaterThan(100)
  })

  it('are taken apart where a header comes twice, has no value, or is of an earlier letter', () => {
    const refused: EventRefusal[] = [{ code: 'invalid', reason: 'bad' }]
    const once = Buffer.from(encodeRecordBatch([{ key: null, value: 'v', headers: { aaaa: 'first', bbbb: 'last!' } }], { now: NOW }))
    const changed = (change: (batch: Buffer) => void): RecordBatch => {
      const copy = Buffer.from(once)
      change(copy)
      copy.writeUInt32BE(crc32c(copy, BATCH.attributes), BATCH.crc)
      return read(copy)
    }
    const twice = changed((copy) => void copy.write('aaaa', copy.indexOf('bbbb')))
    const again = read(encodeRecordBatch(lettersOf(read(once), refused), { now: NOW }))

    for (const batch of [twice, again]) expect(lettersOf(batch, refused)[0]).not.toBeInstanceOf(WrittenLetter)
    expect(lettersOf(read(once), refused)[0]).toBeInstanceOf(WrittenLetter)
    expect(Buffer.from(lettersOf(twice, refused)[0]?.headers?.['aaaa'] as Uint8Array).toString()).toBe('last!')
  })
})
