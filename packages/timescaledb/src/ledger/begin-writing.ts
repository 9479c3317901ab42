import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { PartitionManager, PartitionStorage } from '../partitions/partition-manager.ts'
import type { TimescaleStorage, TimescaleTransaction } from '../timescale-storage.ts'
import type { IngestLedger } from './ingest-ledger.ts'

/** What makes partitions; columns whose partitions it can't make are written as rows. */
export type RoomMaker = Pick<PartitionManager, 'makeRoomFor' | 'forget'> & Partial<Pick<PartitionManager, 'ensureForColumns'>>

/** What the writer needs of the storage. */
export type BatchWriterStorage = PartitionStorage & Pick<TimescaleStorage, 'beginTransaction'> & { readonly partitions?: PartitionManager }

/** What a writer writes with. */
export interface WriterParts {
  readonly storage: BatchWriterStorage
  readonly table: string
  readonly ledger: Pick<IngestLedger, 'completeWithin'>
  readonly columns: readonly string[] | undefined
  readonly partitions: RoomMaker
  readonly timeoutMs: number
  readonly idleTimeoutMs: number
}

/** Begins a transaction that the server ends when its owner falls silent, and that checks constraints with each statement. */
export async function beginWriting(parts: WriterParts, call: CallOptions): Promise<TimescaleTransaction> {
  const transaction = await parts.storage.beginTransaction(call)
  try {
    await transaction.execute(`select set_config('idle_in_transaction_session_timeout', $1, true)`, [`${parts.idleTimeoutMs}ms`], call)
    await transaction.execute('set constraints all immediate', [], call)
    return transaction
  } catch (error) {
    await transaction.rollback().catch(() => {})
    throw error
  }
}

/** Every key that one of the rows has, in the order of appearance. */
export function columnsOf(rows: readonly Row[]): string[] {
  const columns = new Set<string>()
  for (const row of rows) for (const column of Object.keys(row)) columns.add(column)
  return [...columns]
}
