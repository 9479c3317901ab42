import type { Batch, RecoverableBatchWriter, SliceSource } from '../../batch-writer.ts'
import { abortedError, ValidationError } from '../../errors.ts'
import type { BatchWriterFixture, BatchWriterSubject } from '../batch-writer-contract.ts'

/** A row that is known by its number. */
export interface NumberedRow {
  readonly index: number
  readonly good: boolean
}

/** A table in memory with a writer that keeps the whole contract, to try the suite on. */
export class MemoryTable implements RecoverableBatchWriter<NumberedRow> {
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

/** The subject that the suite runs on; `wrap` may give a writer that breaks a promise. */
export function tableSubject(
  wrap: (table: MemoryTable) => RecoverableBatchWriter<NumberedRow> = (table) => table,
): BatchWriterSubject<unknown> {
  const create = async (): Promise<BatchWriterFixture<NumberedRow>> => {
    const table = new MemoryTable()
    const writer = wrap(table)
    return {
      writer,
      makeRow: (index) => ({ index, good: true }),
      makeRefusedRow: (index) => ({ index, good: false }),
      storedIndexes: async () => table.stored,
      recovery: { writer, topic: 'events', partition: 0 },
      dispose: async () => {},
    }
  }
  return { create }
}
