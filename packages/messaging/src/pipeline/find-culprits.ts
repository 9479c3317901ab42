import type { RecoverableBatchWriter, RefusalSearchOptions, RefusedRow } from '@smart-whale/interfaces'
import { rowsOfRecords } from './columns/slice-columns.ts'
import type { IngestRow } from './decode-record.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { SliceRecord } from './slice-records.ts'

/** A store that can say which rows it refuses. */
export type JudgingStore = Pick<RecoverableBatchWriter<IngestRow>, 'findRefused' | 'findRefusedColumns'>

/** Records that a store refused, by offset, with the reason. */
export type Refusals = ReadonlyMap<bigint, string>

/** Fewer refused rows than these are no flood: the search for them need not be prepared. */
const FEW = 16

/** How culprits are looked for. */
export interface CulpritSearch extends Pick<RefusalSearchOptions, 'likely'> {
  readonly signal: AbortSignal
  readonly flood: Pick<FloodGuard, 'expectRefused'>
}

/** The records whose rows a store refuses, each tried alone. @throws OperationError `ERR_MESSAGING_PIPELINE_HALTED` when they are a flood */
export async function findCulprits(store: JudgingStore, records: readonly SliceRecord[], { signal, flood, likely }: CulpritSearch): Promise<Refusals> {
  const few = await findRefused(store, records, { signal, likely, atMost: FEW })
  if (few.length >= FEW) await refuseFlood(store, records, signal, flood)
  const refused = few.length < FEW ? few : await findRefused(store, records, { signal, likely })
  return new Map(refused.map(({ index, reason }) => [records[index]?.offset ?? -1n, reason]))
}

/** By column where the records lie so: no row has to be made. */
async function findRefused(store: JudgingStore, records: readonly SliceRecord[], options: RefusalSearchOptions): Promise<readonly RefusedRow[]> {
  const given = rowsOfRecords(records)
  const refused = given.columns === undefined ? null : await store.findRefusedColumns?.(given.columns, options)
  return refused ?? store.findRefused(given.rows, options)
}

/** How many rows are tried alone before a search that would try them all, and how many of them must be refused to call it a flood. */
const SAMPLE = { rows: 64, flood: 48 }

/** Finding each of thousands of refused rows takes thousands of attempts. Where a sample says that most are, the pipeline halts instead. */
async function refuseFlood(store: JudgingStore, records: readonly SliceRecord[], signal: AbortSignal, flood: Pick<FloodGuard, 'expectRefused'>): Promise<void> {
  if (records.length < 8 * SAMPLE.rows) return
  const step = Math.floor(records.length / SAMPLE.rows)
  const sample = records.filter((_record, index) => index % step === 0).slice(0, SAMPLE.rows)
  const refused = await findRefused(store, sample, { signal })
  if (refused.length >= SAMPLE.flood) flood.expectRefused(Math.round((records.length * refused.length) / SAMPLE.rows))
}
