import { setImmediate as turn } from 'node:timers/promises'
import { silentLogger, systemClock } from '@smart-whale/interfaces'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PartitionReader, ReadOptions, RecordBatch } from '../transport.ts'
import { PartitionFlow } from './partition-flow.ts'
import type { ReadRecord } from './read-record.ts'
import { WorkSlots } from './work-slots.ts'

interface LogRecord {
  readonly offset: bigint
  readonly key: string | null
}

/** A partition whose offsets have gaps, with what its group committed. */
class ModelPartition {
  readonly records: readonly LogRecord[]
  committed: bigint | null = null

  constructor(keys: readonly (string | null)[], gaps: readonly number[]) {
    let offset = 3n
    this.records = keys.map((key, index) => {
      offset += BigInt(gaps[index % gaps.length] ?? 1)
      return { offset, key }
    })
  }

  get end(): bigint {
    return (this.records.at(-1)?.offset ?? 0n) + 5n
  }

  /** @param onCommit looks at each commit before it counts */
  reader(signal: AbortSignal, onCommit: (offset: bigint) => void, isFailing: () => boolean): PartitionReader {
    let position = this.committed ?? 0n
    const read = async ({ maxRecords, signal: ended }: ReadOptions): Promise<RecordBatch> => {
      await turn()
      if (signal.aborted || ended?.aborted) throw new Error('revoked')
      const found = this.records.filter(({ offset }) => offset >= position).slice(0, maxRecords)
      if (found.length === 0) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        throw new Error('revoked')
      }
      const last = found.at(-1)?.offset ?? position
      position = last === this.records.at(-1)?.offset ? this.end : last + 1n
      return batchOf(found, position)
    }
    const commit = async (offset: bigint): Promise<void> => {
      onCommit(offset)
      await turn()
      if (isFailing()) throw new Error('the broker is away')
      this.committed = offset
    }
    return { topic: 't', topicId: 'id', partition: 0, signal, read, commit, committed: async () => null, seek: () => {}, bounds: async () => ({ earliest: 0n, latest: this.end }), close: async () => {} }
  }
}

const batchOf = (records: readonly LogRecord[], nextOffset: bigint): RecordBatch => ({
  topic: 't',
  partition: 0,
  length: records.length,
  bytes: records.length * 10,
  nextOffset,
  offsetAt: (index) => records[index]?.offset ?? -1n,
  timestampAt: () => 0,
  keyAt: (index) => {
    const key = records[index]?.key ?? null
    return key === null ? null : Buffer.from(key)
  },
  valueAt: () => null,
  headersAt: () => ({}),
})

const scenario = fc.record({
  keys: fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { freq: 6 }), { minLength: 1, maxLength: 60 }),
  gaps: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
  concurrency: fc.integer({ min: 1, max: 5 }),
  batchSize: fc.integer({ min: 1, max: 6 }),
  maxInFlight: fc.integer({ min: 1, max: 20 }),
  commitIntervalMs: fc.integer({ min: 1, max: 3 }),
  /** How many turns each handler takes, in the order in which they begin. */
  durations: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 20 }),
  /** After how many handled records each owner but the last loses the partition. */
  revocations: fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 4 }),
  failingCommits: fc.oneof(fc.constant<boolean[]>([false]), fc.array(fc.boolean(), { minLength: 1, maxLength: 5 })),
  /** Whether handlers leave messages to the next owner once the partition is revoked. */
  isLeaving: fc.boolean(),
})

describe('the flow of a partition', () => {
  it('loses no message, keeps the order of each key, never commits past an unfinished one and repeats none after a clean handover, whatever handlers and rebalances do', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        const partition = new ModelPartition(given.keys, given.gaps)
        const done = new Set<bigint>()
        let calls = 0
        let commits = 0
        // Collected, as an error thrown into the flow might be taken for one of the broker's.
        const broken: string[] = []
        const check = (isTrue: boolean, what: string): void => {
          if (!isTrue) broken.push(what)
        }

        for (let owner = 0; owner <= given.revocations.length; owner++) {
          if (partition.committed === partition.end) break
          const isLast = owner === given.revocations.length
          const toDo = partition.records.filter(({ offset }) => offset >= (partition.committed ?? 0n)).length
          const revoked = new AbortController()
          const busy = new Set<string>()
          let running = 0
          let handled = 0
          const revokeAfter = given.revocations[owner] ?? Infinity
          if (revokeAfter === 0) revoked.abort()
          const onCommit = (offset: bigint): void => {
            check(partition.records.every((record) => record.offset >= offset || done.has(record.offset)), 'a commit passes an unfinished record')
            check(partition.committed === null || offset >= partition.committed, 'a commit goes back')
          }
          const isFailing = (): boolean => !isLast && (given.failingCommits[commits++ % given.failingCommits.length] ?? false)
          const handle = async (records: readonly ReadRecord[]): Promise<ReadonlySet<ReadRecord>> => {
            running++
            check(running <= given.concurrency, 'too many handlers at a time')
            check(records.length <= given.batchSize, 'too large a batch')
            const keys = new Set(records.map(({ key }) => (given.concurrency === 1 ? '' : key === null ? null : String(key))))
            for (const key of keys) if (key !== null) check(!busy.has(key), 'two handlers have one key')
            for (const key of keys) if (key !== null) busy.add(key)
            for (let turns = given.durations[calls++ % given.durations.length] ?? 0; turns > 0; turns--) await turn()
            const left = new Set<ReadRecord>()
            for (const record of records) {
              // Once the partition is revoked, a handler may leave what it has not done, and what comes after it.
              if (given.isLeaving && revoked.signal.aborted && Number(record.offset) % 2 === 0) left.add(record)
              if (left.size > 0) {
                left.add(record)
                continue
              }
              const before = partition.records.filter((other) => other.offset < record.offset && (given.concurrency === 1 || (record.key !== null && other.key === String(record.key))))
              check(before.every((other) => done.has(other.offset)), 'a message overtook an earlier one of its key')
              if (!given.isLeaving && !given.failingCommits.includes(true)) check(!done.has(record.offset), 'a message was handled again after a clean handover')
              done.add(record.offset)
              handled++
            }
            for (const key of keys) if (key !== null) busy.delete(key)
            running--
            if (handled >= Math.min(revokeAfter, toDo)) revoked.abort()
            return left
          }
          await new PartitionFlow({
            reader: partition.reader(revoked.signal, onCommit, isFailing),
            slots: new WorkSlots(given.concurrency),
            priority: 3,
            isOrderedByKey: given.concurrency > 1,
            batchSize: given.batchSize,
            maxInFlight: given.maxInFlight,
            bufferBytes: 1e9,
            commitIntervalMs: given.commitIntervalMs,
            timeoutMs: 1_000,
            drainTimeoutMs: 1_000,
            clock: systemClock,
            logger: silentLogger,
            waitBefore: () => 0,
            handle,
          }).run()
        }

        expect(broken).toEqual([])
        expect(done.size).toBe(partition.records.length)
        expect(partition.committed).toBe(partition.end)
      }),
      { numRuns: 300 },
    )
  })
})
