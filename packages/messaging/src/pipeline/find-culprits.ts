import type { RecoverableBatchWriter } from '@smart-whale/interfaces'
import { rowsOfRecords } from './columns/slice-columns.ts'
import type { IngestRow } from './decode-record.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { SliceRecord } from './slice-records.ts'

/** A store that can say which rows it refuses. */
export type JudgingStore = Pick<RecoverableBatchWriter<IngestRow>, 'findRefused'>

/** Records that a store refused, by offset, with the reason. */
export type Refusals = ReadonlyMap<bigint, string>

/** Fewer refused rows than these are no flood: the search for them need not be prepared. */
const FEW = 16

/** The records whose rows a store refuses, each tried alone. @throws OperationError `ERR_MESSAGING_PIPELINE_HALTED` when they are a flood */
export async function findCulprits(store: JudgingStore, records: readonly SliceRecord[], signal: AbortSignal, flood: Pick<FloodGuard, 'expectRefused'>): Promise<Refusals> {
  const { rows } = rowsOfRecords(records)
  const few = await store.findRefused(rows, { signal, atMost: FEW })
  if (few.length >= FEW) await refuseFlood(store, rows, signal, flood)
  const refused = few.length < FEW ? few : await store.findRefused(rows, { signal })
  return new Map(refused.map(({ index, reason }) => [records[index]?.offset ?? -1n, reason]))
}

/** How many rows are tried alone before a search that would try them all, and how many of them must be refused to call it a flood. */
const SAMPLE = { rows: 64, flood: 48 }

/** Finding each of thousands of refused rows takes thousands of attempts. Where a sample says that most are, the pipeline halts instead. */
async function refuseFlood(store: JudgingStore, rows: readonly IngestRow[], signal: AbortSignal, flood: Pick<FloodGuard, 'expectRefused'>): Promise<void> {
  if (rows.length < 8 * SAMPLE.rows) return
  const step = Math.floor(rows.length / SAMPLE.rows)
  const sample = rows.filter((_row, index) => index % step === 0).slice(0, SAMPLE.rows)
  const refused = await store.findRefused(sample, { signal })
  if (refused.length >= SAMPLE.flood) flood.expectRefused(Math.round((rows.length * refused.length) / SAMPLE.rows))
}
