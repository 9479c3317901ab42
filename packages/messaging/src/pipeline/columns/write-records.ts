import type { BatchTransaction } from '@smart-whale/interfaces'
import type { IngestRow } from '../event-types.ts'
import type { SliceRecord } from '../slice-records.ts'
import { rowsOfRecords } from './slice-columns.ts'

/** Writes the rows of records into a transaction: their columns where they have some and the store takes them, else the rows themselves. */
export async function writeRecords(transaction: Pick<BatchTransaction<IngestRow>, 'write' | 'writeColumns'>, records: readonly SliceRecord[]): Promise<void> {
  const given = rowsOfRecords(records)
  if (given.columns !== undefined && (await transaction.writeColumns?.(given.columns)) === true) return
  await transaction.write(given.rows)
}
