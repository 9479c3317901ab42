import type { Logger } from '@smart-whale/interfaces'
import { findCulprits } from './find-culprits.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { PartitionHold } from './partition-hold.ts'
import { goesTo, isRouted, liesBehindLedger, partByRefusal, type SliceRecord, withRefusals } from './slice-records.ts'
import type { PipelineStores } from './write-slice.ts'

/** Whom to ask, and whether it is worth it. */
export interface ForesightOptions {
  /** Where the rows will go. @default none, required */
  readonly stores: Omit<PipelineStores, 'ledger'>
  /** The partition as this worker holds it. @default none, required */
  readonly hold: Pick<PartitionHold, 'storedUpTo'>
  /** Knows whether slices had refused rows of late. @default none, required */
  readonly flood: Pick<FloodGuard, 'expectRefused' | 'expectsRefusals'>
  /** Gives the question up, not the slice. @default none, required */
  readonly signal: AbortSignal
  /** Told of a question that got no answer. @default none, required */
  readonly logger: Pick<Logger, 'debug'>
}

/**
 * Where ClickHouse refused rows of the latest slices, it is asked about the next one before PostgreSQL gets that, and while the one before is
 * written: PostgreSQL would have to give it all back, and take it again. Only a hint: where no answer comes, the write finds out for itself.
 * A row that may be stored already is not asked about, since it could not be excluded any more.
 */
export async function foreseeRefusals(records: readonly SliceRecord[], { stores, hold, flood, signal, logger }: ForesightOptions): Promise<readonly SliceRecord[]> {
  const { clickhouse, timescaledb } = stores
  if (clickhouse === null || timescaledb === null || !flood.expectsRefusals || liesBehindLedger(records, hold)) return records
  const { good } = partByRefusal(records)
  const asked = isRouted(good) ? good.filter((record) => goesTo(record, 'clickhouse')) : good
  if (asked.length === 0) return records
  try {
    const refused = await findCulprits(clickhouse, asked, { signal, flood, likely: true })
    return refused.size === 0 ? records : withRefusals(records, refused)
  } catch (error) {
    logger.debug({ err: error, from: String(records[0]?.offset) }, 'rows that ClickHouse may refuse were not foreseen')
    return records
  }
}
