import { describe, expect, it } from 'vitest'
import type { Batch, RecoverableBatchWriter, SliceSource } from '../batch-writer.ts'
import { abortedError, OperationError, ValidationError } from '../errors.ts'
import { failuresOf } from './doubles/failures-of.ts'
import { batchWriterContract, type BatchWriterFixture, type BatchWriterSubject } from './index.ts'

interface NumberedRow {
  readonly index: number
  readonly good: boolean
}

/** A table in memory that keeps the contract. */
class MemoryTable implements RecoverableBatchWriter<NumberedRow> {
  readonly stored: number[] = []
  readonly tokens = new Set<string>()

  async write({ rows, token }: Batch<NumberedRow>, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<{ rows: number }> {
    if (signal?.aborted) throw abortedError('the write', signal)
    const bad = rows.findIndex((row) => !row.good)
    if (bad >= 0) throw new ValidationError('a row is refused', { issues: [{ path: [bad], message: 'is bad' }] })
    if (!this.tokens.has(token)) for (const row of rows) this.stored.push(row.index)
    this.tokens.add(token)
    return { rows: rows.length }
  }

  async findRefused(rows: readonly NumberedRow[]): Promise<{ index: number; reason: string }[]> {
    return rows.flatMap((row, index) => (row.good ? [] : [{ index, reason: 'is bad' }]))
  }

  async storedOffsets({ topic, partition, firstOffset, lastOffset }: SliceSource): Promise<bigint[]> {
    if (topic !== 'events' || partition !== 0) return []
    const offsets = this.stored.map(BigInt).filter((offset) => offset >= firstOffset && offset <= lastOffset)
    return offsets.sort((one, other) => Number(one - other))
  }
}

type Change = (table: MemoryTable) => Partial<RecoverableBatchWriter<NumberedRow>>

function subjectOf(change: Change = () => ({})): BatchWriterSubject<unknown> {
  const create = async (): Promise<BatchWriterFixture<NumberedRow>> => {
    const table = new MemoryTable()
    Object.assign(table, change(table))
    return {
      writer: table,
      makeRow: (index) => ({ index, good: true }),
      makeRefusedRow: (index) => ({ index, good: false }),
      storedIndexes: async () => table.stored,
      recovery: { writer: table, topic: 'events', partition: 0 },
      dispose: async () => {},
    }
  }
  return { create }
}

describe('batchWriterContract on a writer that keeps it', () => {
  it.each(batchWriterContract)('$name', ({ run }) => run(subjectOf()))
})

const original = MemoryTable.prototype

const broken: readonly [string, string, Change][] = [
  ['a row gets lost', 'every row of a batch once', (table) => ({ write: ({ rows, token }) => original.write.call(table, { rows: rows.slice(1), token }) })],
  ['tokens are ignored', 'sent again once', (table) => ({ write: (batch) => original.write.call(table, { ...batch, token: String(Math.random()) }) })],
  ['a repeat is refused', 'sent again once', (table) => ({
    write: async (batch) => {
      if (table.tokens.has(batch.token)) throw new OperationError('seen before')
      return original.write.call(table, batch)
    },
  })],
  ['repeats at once race', 'many times at once', (table) => ({
    write: async (batch) => {
      const known = table.tokens.has(batch.token)
      await new Promise((resolve) => setImmediate(resolve))
      return original.write.call(table, { ...batch, token: known ? batch.token : String(Math.random()) })
    },
  })],
  ['only the last token is known', 'after other batches', (table) => ({
    write: async (batch) => {
      if (!table.tokens.has(batch.token)) table.tokens.clear()
      return original.write.call(table, batch)
    },
  })],
  ['good rows of a bad batch are stored', 'as a whole', (table) => ({
    write: async (batch) => {
      for (const row of batch.rows) if (row.good) table.stored.push(row.index)
      return original.write.call(table, batch)
    },
  })],
  ['the wrong row is blamed', 'as a whole', (table) => ({
    write: (batch) =>
      original.write.call(table, batch).catch(() => {
        throw new ValidationError('bad', { issues: [{ path: [0], message: 'is bad' }] })
      }),
  })],
  ['a bad row is worth a retry', 'as a whole', (table) => ({
    write: (batch) =>
      original.write.call(table, batch).catch(() => {
        throw new OperationError('try again', { retryable: true })
      }),
  })],
  ['a refused token is remembered', 'already aborted', (table) => ({
    write: (batch, options) => {
      const writing = original.write.call(table, batch, options)
      table.tokens.add(batch.token)
      return writing
    },
  })],
  ['aborted signals are ignored', 'already aborted', (table) => ({ write: (batch) => original.write.call(table, batch) })],
  ['findRefused misses a row', 'findRefused', (table) => ({ findRefused: async (rows) => (await original.findRefused.call(table, rows)).slice(0, 1) })],
  ['findRefused stores rows', 'findRefused', (table) => ({
    findRefused: async (rows) => {
      table.stored.push(99)
      return original.findRefused.call(table, rows)
    },
  })],
  ['storedOffsets leaves the last one out', 'storedOffsets', (table) => ({
    storedOffsets: (source) => original.storedOffsets.call(table, { ...source, lastOffset: source.lastOffset - 1n }),
  })],
  ['storedOffsets mixes partitions up', 'storedOffsets', (table) => ({ storedOffsets: (source) => original.storedOffsets.call(table, { ...source, partition: 0 }) })],
]

describe('batchWriterContract on a writer that breaks it', () => {
  it.each(broken)('notices that %s', async (_fault, only, change) => {
    const failed = await failuresOf(batchWriterContract, () => subjectOf(change), only)

    expect(failed).toHaveLength(1)
  })
})
