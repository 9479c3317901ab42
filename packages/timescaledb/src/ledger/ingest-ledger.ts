import {
  type CallOptions,
  type ClaimedTable,
  type ClaimOptions,
  type RecordOptions,
  type Row,
  type Slice,
  type SliceClaim,
  type SliceLedger,
  type SliceScope,
  type SliceState,
  staleEpochError,
  type TableClaim,
  tableTakenError,
} from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleValidationError } from '../errors.ts'
import { checkEpoch, checkOwner, checkScope, checkSlice, checkStartOffset } from './ingest-ledger-check.ts'
import { INGEST_LEDGER_TABLE, tablesApartIndex } from './ingest-ledger-table.ts'
import { quoteTable } from '../quote-identifier.ts'
import { DURABLY, isElsewhere, progressName, TableClaims, tableNameOf } from './table-claims.ts'

/** Where and how patiently an {@link IngestLedger} keeps its rows. */
export interface IngestLedgerOptions {
  /** Table made by the built-in migration, or by `ingestLedgerDefinition(table)`. @default 'smart_whale_ingest_ledger' */
  table?: string
  /** How long one statement may take. @default 10_000 */
  timeoutMs?: number
  /**
   * How long `claim` may wait for the former owner's open transaction to end. Keep it above the writer's
   * `idleTimeoutMs`, after which the server itself ends a transaction whose owner fell silent. @default 45_000
   */
  claimTimeoutMs?: number
}

/** What the ledger needs of a storage, and of a transaction that completes a slice together with its rows. */
export interface LedgerExecutor {
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
}

interface LedgerRow extends Row {
  next_offset: string
  epoch: bigint
  owner: string
  first_offset: string | null
  last_offset: string | null
  token: string | null
  excluded_offsets: StoredExclusions | readonly string[] | null
}

/** What is left out of a slice, where its dead letters are looked for, and whose it was; without the latter two, only the list. */
interface StoredExclusions {
  readonly offsets: readonly string[]
  readonly deadLetters?: { readonly partition: number; readonly offset: string }
  readonly recordedBy?: string
}

const STATE = 'next_offset, epoch, owner, first_offset, last_offset, token, excluded_offsets'
const KEY = 'pipeline = $1 and topic_id = $2 and "partition" = $3'

/**
 * The {@link SliceLedger} in PostgreSQL. Each method is one statement on one row, so the row's lock decides every race:
 *
 * - `complete` inside a rows' transaction holds the row until that transaction ends. A `claim` waits for it: if it commits, the claim
 *   already sees the slice done; if it rolls back, the slice is still in flight and the new owner sends it again.
 * - A transaction that reaches `complete` after the claim finds a newer epoch and is refused; its rows are rolled back.
 *
 * A second pipeline that would store the topic into the same table is refused: the table is claimed for all partitions before the first of them, and each claim of a
 * partition holds on to that. A unique index of the entries refuses besides what a worker of an earlier version would claim.
 *
 * There is no order in which both owners store the rows. A `claim` or `record` whose answer got lost may have happened: repeat it.
 */
export class IngestLedger implements SliceLedger {
  readonly keepsTablesApart = true
  readonly #storage: LedgerExecutor
  readonly #table: string
  readonly #tablesApart: string
  readonly #claims: TableClaims
  readonly #timeoutMs: number
  readonly #claimTimeoutMs: number

  constructor(storage: LedgerExecutor, options: IngestLedgerOptions = {}) {
    this.#storage = storage
    this.#table = quoteTable(options.table ?? INGEST_LEDGER_TABLE)
    this.#tablesApart = tablesApartIndex(options.table ?? INGEST_LEDGER_TABLE)
    this.#claims = new TableClaims(storage, options.table ?? INGEST_LEDGER_TABLE)
    this.#timeoutMs = options.timeoutMs ?? 10_000
    this.#claimTimeoutMs = options.claimTimeoutMs ?? 45_000
  }

  /** Takes a partition over; waits for a transaction of the former owner that is about to complete its slice. */
  async claim(scope: SliceScope, owner: string, options: ClaimOptions = {}): Promise<SliceClaim> {
    const { startOffset = 0n, aboveEpoch = 0n, isKnown = false, into } = options
    checkScope(scope)
    checkOwner(owner)
    checkStartOffset(startOffset)
    checkEpoch(aboveEpoch)
    for (;;) {
      const row = await this.#claimEntry(scope, owner, options)
      if (row !== undefined) return claimOf(scope, row)
      // Nobody has the table yet, or another pipeline has.
      if (into !== undefined) await this.claimTable({ ...into, pipeline: scope.pipeline, topicId: scope.topicId }, options)
      if (isKnown && (await this.inspect(scope, options)) === null) throw staleEpochError(scope, aboveEpoch)
    }
  }

  /** Takes a table for all partitions of a topic; it is the pipeline's until it is taken over. */
  async claimTable(claim: TableClaim, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkScope({ ...claim, partition: 0 })
    await this.#claims.claim(claim, this.#call(options))
  }

  /** Nothing where the table is not the pipeline's, or the entry isn't any more: one that is being given away is waited for. It can't be taken over before this is done: its claim is locked meanwhile. */
  async #claimEntry(scope: SliceScope, owner: string, options: ClaimOptions): Promise<LedgerRow | undefined> {
    const { startOffset = 0n, aboveEpoch = 0n, isKnown = false, into } = options
    // The entry names a table of PostgreSQL alone.
    const own = into === undefined || isElsewhere(into) ? undefined : into
    const elsewhere = into === undefined || !isElsewhere(into) ? null : progressName({ ...into, pipeline: scope.pipeline })
    // Durable as well: an epoch that a crash of the server took back would be handed out twice.
    const [row] = await this.#storage.execute<LedgerRow>(
      `with mine as materialized (select 1 from ${this.#claims.quoted} where table_name = coalesce($9::text, ${tableNameOf('$7')}) and topic_id = $2 and pipeline = $1 for share),
            known as materialized (select 1 from ${this.#table} where $8::boolean and ${KEY} for update)
       insert into ${this.#table} as ledger (pipeline, topic_id, "partition", next_offset, epoch, owner, table_name)
       select $1, $2, $3::integer, $4::numeric, $6::bigint + 1, $5, ${tableNameOf('$7')} where (coalesce($7::text, $9::text) is null or exists (select from mine)) and (not $8::boolean or exists (select from known))
       on conflict (pipeline, topic_id, "partition") do update
         set epoch = greatest(ledger.epoch, $6::bigint) + 1, owner = excluded.owner, table_name = excluded.table_name, claimed_at = clock_timestamp(), updated_at = clock_timestamp()
       returning ${STATE}, ${DURABLY}`,
      [...keyOf(scope), String(startOffset), owner, String(aboveEpoch), own === undefined ? null : quoteTable(own.table), isKnown, elsewhere],
      { signal: options.signal, timeoutMs: this.#claimTimeoutMs },
    ).catch(async (error: unknown) => {
      throw own === undefined ? error : await this.#explainRefusedClaim(error, scope, own, options)
    })
    return row
  }

  /** Commits the slice as in flight, on disk before it returns. */
  async record(claim: SliceClaim, slice: Slice, options: RecordOptions = {}): Promise<void> {
    checkSlice(slice)
    const updated = await this.#storage.execute(
      `update ${this.#table}
       set first_offset = $6::numeric, last_offset = $7::numeric, token = $8, excluded_offsets = $9::text::jsonb, updated_at = clock_timestamp()
       where ${KEY} and epoch = $4 and owner = $5
         and next_offset <= $6::numeric and ($10::numeric is null or next_offset = $10::numeric)
         and (first_offset is null or (first_offset = $6::numeric and last_offset = $7::numeric and ($11::text[] is null or token = $8 or token = any($11::text[]))))
       returning ${DURABLY}`,
      [
        ...rightOf(claim),
        String(slice.firstOffset),
        String(slice.lastOffset),
        slice.token,
        JSON.stringify(exclusionsOf(slice)),
        options.expectedOffset === undefined ? null : String(options.expectedOffset),
        options.replaces ?? null,
      ],
      this.#call(options),
    )
    if (updated.length === 0) throw await this.#explainRefusedRecord(claim, slice, options)
  }

  /** Marks the slice done in a commit of its own, for a pipeline whose rows go elsewhere. */
  async complete(claim: SliceClaim, slice: Slice, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.completeWithin(this.#storage, claim, slice, options)
  }

  /**
   * Marks the slice done in the transaction that also holds its rows. The ledger's row stays locked until that transaction ends.
   *
   * @throws OperationError `ERR_STALE_EPOCH`: a newer owner has taken over; the transaction has to be rolled back
   * @throws TimescaleValidationError when the slice isn't the one in flight
   */
  async completeWithin(transaction: LedgerExecutor, claim: SliceClaim, slice: Slice, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkSlice(slice)
    const updated = await transaction.execute(
      `update ${this.#table}
       set next_offset = last_offset + 1, first_offset = null, last_offset = null, token = null, excluded_offsets = null, updated_at = clock_timestamp()
       where ${KEY} and epoch = $4 and owner = $5
         and first_offset = $6::numeric and last_offset = $7::numeric and token = $8
       returning true as done`,
      [...rightOf(claim), String(slice.firstOffset), String(slice.lastOffset), slice.token],
      this.#call(options),
    )
    if (updated.length === 0) throw await this.#explainRefusedComplete(transaction, claim, slice, options)
  }

  /** What is known of a partition; `null` when nothing is. */
  async inspect(scope: SliceScope, options: { signal?: AbortSignal | undefined } = {}): Promise<SliceState | null> {
    checkScope(scope)
    return this.#read(this.#storage, scope, options)
  }

  /** Entries of the same partition that have the pipeline or the topic in common with the scope, or both. */
  async knownBeside(scope: SliceScope, options: { signal?: AbortSignal | undefined } = {}): Promise<readonly SliceScope[]> {
    checkScope(scope)
    const rows = await this.#storage.execute<Row & { pipeline: string; topic_id: string }>(
      `select pipeline, topic_id from ${this.#table} where "partition" = $3 and (pipeline = $1 or topic_id = $2) order by (pipeline = $1 and topic_id = $2) desc, updated_at desc limit 10`,
      keyOf(scope),
      this.#call(options),
    )
    return rows.map(({ pipeline, topic_id: topicId }) => ({ pipeline, topicId, partition: scope.partition }))
  }

  async #read(executor: LedgerExecutor, scope: SliceScope, options: { signal?: AbortSignal | undefined }): Promise<SliceState | null> {
    const [row] = await executor.execute<LedgerRow>(`select ${STATE} from ${this.#table} where ${KEY}`, keyOf(scope), this.#call(options))
    return row ? stateOf(row) : null
  }

  async #explainRefusedClaim(error: unknown, scope: SliceScope, into: ClaimedTable, options: ClaimOptions): Promise<unknown> {
    if (!TimescaleValidationError.isInstance(error) || error.context['constraint'] !== this.#tablesApart) return error
    const [holder] = await this.#storage.execute<Row & { pipeline: string }>(
      `select pipeline from ${this.#table} where pipeline <> $1 and topic_id = $2 and "partition" = $3 and table_name = ${tableNameOf('$4')}`,
      [...keyOf(scope), quoteTable(into.table)],
      this.#call(options),
    )
    if (holder !== undefined) return tableTakenError({ ...into, pipeline: scope.pipeline, topicId: scope.topicId, store: 'PostgreSQL', holder: holder.pipeline })
    return new TimescaleOperationError(`another pipeline had the table "${into.table}" for this partition a moment ago, and has given it up`, { code: 'ERR_TIMESCALEDB_CONFLICT', retryable: true, cause: error })
  }

  async #explainRefusedRecord(claim: SliceClaim, slice: Slice, options: RecordOptions): Promise<Error> {
    const state = await this.#read(this.#storage, claim.scope, options)
    if (!holds(claim, state)) return staleEpochError(claim.scope, claim.epoch)
    // The claim is the newest, and yet the ledger is not where it left it: a server took over that lacks its latest commits.
    if (options.expectedOffset !== undefined && state.nextOffset !== options.expectedOffset) return staleEpochError(claim.scope, claim.epoch)
    if (slice.firstOffset < state.nextOffset) {
      return refusal('firstOffset', `offset ${slice.firstOffset} is already done; the next one is ${state.nextOffset}`)
    }
    // Recorded after this request was sent, which was held up somewhere.
    if (state.inFlight?.firstOffset === slice.firstOffset && state.inFlight.lastOffset === slice.lastOffset) return staleEpochError(claim.scope, claim.epoch)
    const inTheWay = state.inFlight ? rangeOf(state.inFlight) : 'another range'
    return refusal('firstOffset', `${rangeOf(slice)} can't be recorded while ${inTheWay} is in flight: complete that first`)
  }

  async #explainRefusedComplete(
    executor: LedgerExecutor,
    claim: SliceClaim,
    slice: Slice,
    options: { signal?: AbortSignal | undefined },
  ): Promise<Error> {
    const state = await this.#read(executor, claim.scope, options)
    if (!holds(claim, state)) return staleEpochError(claim.scope, claim.epoch)
    if (!state.inFlight) return refusal('firstOffset', `${rangeOf(slice)} is not in flight; nothing is: record a slice before completing it`)
    const sameRange = state.inFlight.firstOffset === slice.firstOffset && state.inFlight.lastOffset === slice.lastOffset
    if (sameRange) return refusal('token', `${rangeOf(slice)} is in flight under another token: complete it as it was recorded`)
    return refusal('firstOffset', `${rangeOf(slice)} is not in flight; ${rangeOf(state.inFlight)} is`)
  }

  #call(options: { signal?: AbortSignal | undefined }): CallOptions {
    return { signal: options.signal, timeoutMs: this.#timeoutMs }
  }
}

/** The ledger over a storage; its table comes with the built-in migrations. */
export function createIngestLedger(storage: LedgerExecutor, options?: IngestLedgerOptions): IngestLedger {
  return new IngestLedger(storage, options)
}

function claimOf(scope: SliceScope, row: LedgerRow): SliceClaim {
  return { scope: { ...scope }, ...stateOf(row) }
}

function keyOf(scope: SliceScope): unknown[] {
  return [scope.pipeline, scope.topicId, scope.partition]
}

/** The owner counts besides the epoch, so that a restored backup can't give two owners the same right. */
function rightOf(claim: SliceClaim): unknown[] {
  return [...keyOf(claim.scope), claim.epoch, claim.owner]
}

function holds(claim: SliceClaim, state: SliceState | null): state is SliceState {
  return state !== null && state.epoch === claim.epoch && state.owner === claim.owner
}

function stateOf(row: LedgerRow): SliceState {
  return { nextOffset: BigInt(row.next_offset), inFlight: sliceOf(row), epoch: BigInt(row.epoch), owner: row.owner }
}

function sliceOf(row: LedgerRow): Slice | null {
  const { first_offset: first, last_offset: last, token, excluded_offsets: excluded } = row
  if (first === null || last === null || token === null || excluded === null) return null
  const slice = { firstOffset: BigInt(first), lastOffset: BigInt(last), token }
  if (!('offsets' in excluded)) return { ...slice, excluded: excluded.map(BigInt) }
  const { offsets, deadLetters, recordedBy } = excluded
  const letters = deadLetters === undefined ? {} : { deadLettersFrom: { partition: deadLetters.partition, offset: BigInt(deadLetters.offset) } }
  return { ...slice, excluded: offsets.map(BigInt), ...letters, ...(recordedBy === undefined ? {} : { recordedBy }) }
}

function exclusionsOf({ excluded, deadLettersFrom, recordedBy }: Slice): StoredExclusions | readonly string[] {
  const offsets = excluded.map(String)
  if (deadLettersFrom === undefined && recordedBy === undefined) return offsets
  const letters = deadLettersFrom === undefined ? {} : { deadLetters: { partition: deadLettersFrom.partition, offset: String(deadLettersFrom.offset) } }
  return { offsets, ...letters, ...(recordedBy === undefined ? {} : { recordedBy }) }
}

function rangeOf(slice: Slice): string {
  return `the range ${slice.firstOffset}–${slice.lastOffset}`
}

function refusal(field: string, message: string): TimescaleValidationError {
  return new TimescaleValidationError(message, { issues: [{ path: [field], message }] })
}
