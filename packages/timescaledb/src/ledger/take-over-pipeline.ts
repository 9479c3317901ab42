import type { CallOptions, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleValidationError } from '../errors.ts'
import { quoteTable } from '../quote-identifier.ts'
import type { LedgerExecutor } from './ingest-ledger.ts'
import { INGEST_LEDGER_TABLE } from './ingest-ledger-table.ts'

/** Whose progress goes to whom. */
export interface PipelineTakeover {
  /** The pipeline that has the entries. */
  readonly from: string
  /** The one that goes on with them. */
  readonly to: string
  readonly topicId: string
}

/** How entries are handed over. */
export interface TakeOverOptions extends CallOptions {
  /** The ledger's table. @default 'smart_whale_ingest_ledger' */
  table?: string
}

/**
 * Hands a pipeline's progress with one topic over to another pipeline, together with the tables that it stores it in, and answers the partitions: for a pipeline that
 * got another name. Its former owners are refused from then on. None where there are no entries: done before, perhaps.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_IN_FLIGHT` while a slice is being written, which is known by the pipeline's name
 * @throws TimescaleValidationError `ERR_TIMESCALEDB_UNIQUE` when the other one has entries of its own
 */
export async function takeOverPipeline(storage: LedgerExecutor, { from, to, topicId }: PipelineTakeover, { table = INGEST_LEDGER_TABLE, ...call }: TakeOverOptions = {}): Promise<readonly number[]> {
  const ledger = quoteTable(table)
  const moved = await storage
    .execute<Row & { partition: number }>(
      `update ${ledger} set pipeline = $2, epoch = epoch + 1, owner = 'taken over', claimed_at = clock_timestamp(), updated_at = clock_timestamp()
       where pipeline = $1 and topic_id = $3 and not exists (select 1 from ${ledger} other where other.pipeline = $1 and other.topic_id = $3 and other.first_offset is not null)
       returning "partition"`,
      [from, to, topicId],
      call,
    )
    .catch((error: unknown) => {
      throw hasEntries(error, to)
    })
  if (moved.length > 0) return moved.map(({ partition }) => partition).sort((one, other) => one - other)
  const [busy] = await storage.execute<Row & { partition: number }>(`select "partition" from ${ledger} where pipeline = $1 and topic_id = $3 and pipeline <> $2 and first_offset is not null`, [from, to, topicId], call)
  if (busy === undefined) return []
  throw new TimescaleOperationError(`a slice of the pipeline "${from}" is being written in partition ${busy.partition}, or was when it ended: let it finish under that name, then stop it`, { code: 'ERR_TIMESCALEDB_IN_FLIGHT', status: 409, context: { pipeline: from, partition: busy.partition } })
}

function hasEntries(error: unknown, pipeline: string): unknown {
  if (!TimescaleValidationError.isInstance(error) || error.code !== 'ERR_TIMESCALEDB_UNIQUE') return error
  const message = `the ledger has entries of the pipeline "${pipeline}" for this topic already, so that it can't go on with another one's: delete the ones that are not to count`
  return new TimescaleValidationError(message, { code: error.code, status: 409, issues: [{ path: ['to'], message }], cause: error })
}
