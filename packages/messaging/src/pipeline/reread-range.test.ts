import { expect, it } from 'vitest'
import { messagingError } from '../errors.ts'
import type { PartitionReader, RecordBatch } from '../transport.ts'
import { rereadRange } from './cut-slices.ts'
import type { SliceRecord } from './slice-records.ts'

const slice = { firstOffset: 10n, lastOffset: 13n, token: 't', excluded: [] }
const decoder = { begin: () => {}, end: () => {}, decode: (batch: RecordBatch, into: SliceRecord[]) => void into.push(...Array.from({ length: batch.length }, (_, index) => ({ offset: batch.offsetAt(index) }) as SliceRecord)) } as unknown as Parameters<typeof rereadRange>[2]

const batchOf = (offsets: readonly bigint[], nextOffset: bigint): RecordBatch => ({ length: offsets.length, nextOffset, offsetAt: (index: number) => offsets[index] }) as unknown as RecordBatch
const empty = (next: bigint): RecordBatch => batchOf([], next)

function readerOf(answers: (RecordBatch | Error)[], bounds = { earliest: 0n, latest: 20n }): PartitionReader {
  const read = async (): Promise<RecordBatch> => {
    const answer = answers.shift()
    if (answer instanceof Error || answer === undefined) throw answer ?? new TypeError('read too often')
    return answer
  }
  return { topic: 'rides', partition: 2, seek: () => {}, read, bounds: async () => bounds } as unknown as PartitionReader
}

it.each<[string, (RecordBatch | Error)[], bigint[]]>([
  ['in one piece', [batchOf([10n, 11n, 12n, 13n], 14n)], [10n, 11n, 12n, 13n]],
  ['in several', [batchOf([10n], 11n), batchOf([11n, 12n], 13n), batchOf([13n], 14n)], [10n, 11n, 12n, 13n]],
  ['with a gap, of which a read brings nothing', [batchOf([10n], 11n), empty(13n), batchOf([13n], 14n)], [10n, 13n]],
  ['with more behind it', [batchOf([10n, 12n, 13n, 14n], 15n)], [10n, 12n, 13n]],
])('reads a range again %s', async (_how, answers, offsets) => {
  expect((await rereadRange(readerOf(answers), slice, decoder)).map(({ offset }) => offset)).toEqual(offsets)
})

it('takes a broker that brings nothing in time for slow, not for one that has lost the range', async () => {
  await expect(rereadRange(readerOf([empty(10n)]), slice, decoder)).rejects.toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
  await expect(rereadRange(readerOf([batchOf([10n], 11n), empty(11n)]), slice, decoder)).rejects.toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
})

it.each<[string, (RecordBatch | Error)[], { earliest: bigint; latest: bigint }]>([
  ['its beginning was removed', [messagingError('ERR_MESSAGING_OFFSET_OUT_OF_RANGE', 'gone')], { earliest: 11n, latest: 20n }],
  ['it was removed while it was read', [batchOf([10n], 11n), empty(11n)], { earliest: 12n, latest: 20n }],
  ['the topic ends before it', [empty(10n)], { earliest: 0n, latest: 13n }],
  ['its first record was compacted away', [batchOf([11n, 12n, 13n], 14n)], { earliest: 0n, latest: 20n }],
  ['its last record was compacted away', [batchOf([10n, 11n, 12n], 14n)], { earliest: 0n, latest: 20n }],
])('says that a range is gone when %s', async (_why, answers, bounds) => {
  await expect(rereadRange(readerOf(answers, bounds), slice, decoder)).rejects.toMatchObject({ code: 'ERR_MESSAGING_SLICE_GONE' })
})
