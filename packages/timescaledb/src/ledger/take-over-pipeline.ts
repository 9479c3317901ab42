import { type CallOptions, type ClaimedTable, type Row, tableTakenError } from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleValidationError } from '../errors.ts'
import { quoteTable } from '../quote-identifier.ts'
import type { TimescaleStorage } from '../timescale-storage.ts'
import type { LedgerExecutor } from './ingest-ledger.ts'
import { INGEST_LEDGER_TABLE } from './ingest-ledger-table.ts'
import { TableClaims, tableNameOf } from './table-claims.ts'

/** Whose progress goes to whom. */
export interface PipelineTakeover {
  /** The pipeline that has the entries. */
  readonly from: string
  /** The one that goes on with them. */
  readonly to: string
  readonly topicId: string
  /** Where both store the topic; the claim for it goes along, and entries of other tables stay. @default entries of whatever table */
  readonly into?: ClaimedTable | undefined
}

/** How entries are handed over. */
export interface TakeOverOptions extends CallOptions {
  /** The ledger's table. @default 'smart_whale_ingest_ledger' */
  table?: string
}

/**
 * Hands a pipeline's progress with one topic over to another pipeline, together with the table that it stores it in, and answers the partitions: for a pipeline that
 * got another name. Its former owners are refused from then on. None where there are no entries: done before, perhaps. All of it is one transaction.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_IN_FLIGHT` while a slice is being written, which is known by the pipeline's name
 * @throws TimescaleValidationError `ERR_TIMESCALEDB_UNIQUE` when the other one has entries of its own
 * @throws OperationError `ERR_TABLE_TAKEN` when neither of the two has the table
 */
export async function takeOverPipeline(storage: Pick<TimescaleStorage, 'withTransaction'>, takeover: PipelineTakeover, { table = INGEST_LEDGER_TABLE, ...call }: TakeOverOptions = {}): Promise<readonly number[]> {
  return storage.withTransaction(async (transaction) => {
    // The order is the point: a claim of the former pipeline has ended before the table is given away, and its entry is seen below; what comes later is refused.
    if (takeover.into !== undefined) await giveTable(transaction, takeover, takeover.into, table, call)
    return moveEntries(transaction, takeover, table, call)
  }, call)
}

async function giveTable(transaction: LedgerExecutor, { from, to, topicId }: PipelineTakeover, into: ClaimedTable, ledgerTable: string, call: CallOptions): Promise<void> {
  const claims = new TableClaims(transaction, ledgerTable)
  const claim = { ...into, topicId, pipeline: to }
  const holder = await claims.settle(transaction, claim, call)
  if (holder !== from && holder !== to) throw tableTakenError({ ...claim, store: 'PostgreSQL', holder })
  await transaction.execute(`update ${claims.quoted} set pipeline = $3, claimed_at = clock_timestamp() where table_name = ${tableNameOf('$1')} and topic_id = $2`, [quoteTable(into.table), topicId, to], call)
}

async function moveEntries(transaction: LedgerExecutor, { from, to, topicId, into }: PipelineTakeover, ledgerTable: string, call: CallOptions): Promise<readonly number[]> {
  const ledger = quoteTable(ledgerTable)
  const params = [from, topicId, into === undefined ? null : quoteTable(into.table)]
  const entries = `pipeline = $1 and topic_id = $2 and ($3::text is null or table_name is null or table_name = ${tableNameOf('$3')})`
  const [busy] = await transaction.execute<Row & { partition: number }>(`select "partition" from ${ledger} where ${entries} and first_offset is not null for update`, params, call)
  if (busy !== undefined) {
    throw new TimescaleOperationError(`a slice of the pipeline "${from}" is being written in partition ${busy.partition}, or was when it ended: let it finish under that name, then stop it`, { code: 'ERR_TIMESCALEDB_IN_FLIGHT', status: 409, context: { pipeline: from, partition: busy.partition } })
  }
  const moved = await transaction
    .execute<Row & { partition: number }>(
      `update ${ledger} set pipeline = $4, epoch = epoch + 1, owner = 'taken over', claimed_at = clock_timestamp(), updated_at = clock_timestamp() where ${entries} returning "partition"`,
      [...params, to],
      call,
    )
    .catch((error: unknown) => {
      throw hasEntries(error, to)
    })
  return moved.map(({ partition }) => partition).sort((one, other) => one - other)
}

function hasEntries(error: unknown, pipeline: string): unknown {
  if (!TimescaleValidationError.isInstance(error) || error.code !== 'ERR_TIMESCALEDB_UNIQUE') return error
  const message = `the ledger has entries of the pipeline "${pipeline}" for this topic already, so that it can't go on with another one's: delete the ones that are not to count`
  return new TimescaleValidationError(message, { code: error.code, status: 409, issues: [{ path: ['to'], message }], cause: error })
}
