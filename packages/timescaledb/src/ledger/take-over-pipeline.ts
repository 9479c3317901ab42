import { type CallOptions, type ClaimedTable, type Row, tableTakenError, TAKEN_OVER } from '@smart-whale/interfaces'
import { TimescaleValidationError } from '../errors.ts'
import { quoteTable } from '../quote-identifier.ts'
import type { TimescaleStorage } from '../timescale-storage.ts'
import type { LedgerExecutor } from './ingest-ledger.ts'
import { INGEST_LEDGER_TABLE } from './ingest-ledger-table.ts'
import { isElsewhere, TableClaims, tableNameOf } from './table-claims.ts'

/** Whose progress goes to whom. */
export interface PipelineTakeover {
  /** The pipeline that has the entries. */
  readonly from: string
  /** The one that goes on with them. */
  readonly to: string
  readonly topicId: string
  /**
   * Where both store the topic; the claim for it goes along, and entries of other tables stay. With a table of another store all entries go, and the former pipeline may
   * begin none anew for it. @default entries of whatever table
   */
  readonly into?: ClaimedTable | undefined
  /** Hands over the claim of a pipeline that has stored nothing, and nothing of one that has entries. @default false */
  readonly claimAlone?: boolean | undefined
}

/** How entries are handed over. */
export interface TakeOverOptions extends CallOptions {
  /** The ledger's table. @default 'smart_whale_ingest_ledger' */
  table?: string
}

/** What was handed over. */
export interface HandedOver {
  /** Of which there were entries. */
  readonly partitions: readonly number[]
  /** Which pipeline had the table; null where nobody had, or where no table of PostgreSQL was named. */
  readonly holder: string | null
}

/**
 * Hands a pipeline's progress with one topic over to another pipeline, together with the table that it stores it in: for a pipeline that got another name. Its former
 * owners are refused from then on, whatever they are at. A slice in flight goes along, under the name that it was begun under; the other pipeline finishes it. All of
 * it is one transaction, which waits for a commit of the former owner that is under way. May be repeated.
 *
 * @throws TimescaleValidationError `ERR_TIMESCALEDB_UNIQUE` when the other one has entries of its own
 * @throws OperationError `ERR_TABLE_TAKEN` when a third pipeline has the table, or was given the progress with it
 */
export async function takeOverPipeline(storage: Pick<TimescaleStorage, 'withTransaction'>, takeover: PipelineTakeover, { table = INGEST_LEDGER_TABLE, ...call }: TakeOverOptions = {}): Promise<HandedOver> {
  const { from, to, topicId, into } = takeover
  return storage.withTransaction(async (transaction) => {
    if (into === undefined) return { partitions: await moveEntries(transaction, takeover, table, call), holder: null }
    const claims = new TableClaims(transaction, table)
    const claim = { ...into, topicId, pipeline: to }
    // All of it is one commit: what was given before has no entries left, and those of another table are not asked for.
    if (isElsewhere(into)) return { partitions: (await claims.giveProgress(from, claim, call)) ? await moveEntries(transaction, takeover, table, call) : [], holder: null }
    const holder = await claims.holder(claim, call)
    if (holder === null) return { partitions: [], holder }
    if (holder !== from && holder !== to) throw tableTakenError({ ...claim, store: 'PostgreSQL', holder })
    // Before the entries are looked at: a claim of the former pipeline that is under way has ended then, and later ones are refused.
    await claims.give(claim, call)
    if (takeover.claimAlone !== true) return { partitions: await moveEntries(transaction, takeover, table, call), holder }
    const [stored] = await transaction.execute(`select 1 from ${quoteTable(table)} where ${ENTRIES} limit 1`, entriesOf(takeover), call)
    if (stored !== undefined) await claims.give({ ...claim, pipeline: holder }, call)
    return { partitions: [], holder: stored === undefined ? holder : null }
  }, call)
}

/** An entry that names no table is of a pipeline without PostgreSQL, or of one that has not begun since entries name theirs: what it has done says nothing of a table. */
const ENTRIES = `pipeline = $1 and topic_id = $2 and ($3::text is null or table_name = ${tableNameOf('$3')})`
const entriesOf = ({ from, topicId, into }: PipelineTakeover): unknown[] => [from, topicId, into === undefined || isElsewhere(into) ? null : quoteTable(into.table)]

async function moveEntries(transaction: LedgerExecutor, takeover: PipelineTakeover, ledgerTable: string, call: CallOptions): Promise<readonly number[]> {
  const moved = await transaction
    .execute<Row & { partition: number }>(
      `update ${quoteTable(ledgerTable)} set pipeline = $4, epoch = epoch + 1, owner = $5, claimed_at = clock_timestamp(), updated_at = clock_timestamp(),
         excluded_offsets = case when first_offset is null then null
           else jsonb_build_object('recordedBy', $1::text) || case jsonb_typeof(excluded_offsets) when 'array' then jsonb_build_object('offsets', excluded_offsets) else excluded_offsets end end
       where ${ENTRIES} returning "partition"`,
      [...entriesOf(takeover), takeover.to, TAKEN_OVER],
      call,
    )
    .catch((error: unknown) => {
      throw hasEntries(error, takeover.to)
    })
  return moved.map(({ partition }) => partition).sort((one, other) => one - other)
}

function hasEntries(error: unknown, pipeline: string): unknown {
  if (!TimescaleValidationError.isInstance(error) || error.code !== 'ERR_TIMESCALEDB_UNIQUE') return error
  const message = `the ledger has entries of the pipeline "${pipeline}" for this topic already, so that it can't go on with another one's: delete the ones that are not to count`
  return new TimescaleValidationError(message, { code: error.code, status: 409, issues: [{ path: ['to'], message }], cause: error })
}
