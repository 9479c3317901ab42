import {
  type Batch,
  type BatchReceipt,
  type Clock,
  type ColumnBatch,
  type LatestTurn,
  type RefusalSearchOptions,
  type RefusedRow,
  type Row,
  type SliceClaim,
  type SliceScope,
  systemClock,
  type TableClaim,
  type TurnBatch,
  type TurnBatchWriter,
  ValidationError,
  type WriteTurn,
} from '@smart-whale/interfaces'
import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { requireOnePlace } from '../servers/one-place.ts'
import { checkDeduplicates } from './check-deduplicates.ts'
import { EpochsTable } from './epochs-table.ts'
import { columnCandidates, rowCandidates } from './candidates.ts'
import { findRefusedRows } from './find-refused-rows.ts'
import { KnownConstraints } from './known-constraints.ts'
import { storedSlices } from './stored-slices.ts'
import { tableLacks } from './table-lacks.ts'
import { TableClaims } from './table-claims.ts'
import { WriteTurns } from './write-turns.ts'

/** How batches are written. */
export interface BatchWriterOptions {
  /** How long one write may take, in milliseconds. @default 30000 */
  timeoutMs?: number | undefined
  /**
   * How long `takeTurn` may wait for inserts of a former owner to end, in milliseconds. More than the server's `http_receive_timeout`,
   * after which it gives up a request that was half-sent. @default 60000
   */
  takeoverTimeoutMs?: number | undefined
  /** Table of the database that turns are kept in. @default 'smart_whale_ingest_epochs' */
  epochsTable?: string | undefined
  /** Whose time passes while a turn waits. @default systemClock */
  clock?: Clock | undefined
}

interface Call {
  signal?: AbortSignal | undefined
}

/**
 * Writes batches into one table under their tokens. Before the first one it checks that the table remembers tokens at all.
 *
 * A batch that carries a turn is stored only while that turn is the newest of its partition; the server itself looks, when the insert begins.
 * `storedOffsets` and `lastStored` read the columns `source_topic`, `source_partition` and `source_offset`.
 * @throws ConfigurationError `ERR_CLICKHOUSE_NO_DEDUPLICATION`, from `write`, when the table or what its views feed would not drop a repeat;
 *   `ERR_CLICKHOUSE_CONFIGURATION` when an adapter over several servers would scatter its rows
 */
export function createBatchWriter<R extends Row>(adapter: ClickHouseAdapter, table: string, options: BatchWriterOptions = {}): TurnBatchWriter<R> {
  const { timeoutMs = 30_000, takeoverTimeoutMs = 60_000, epochsTable, clock = systemClock } = options
  const epochs = new EpochsTable({ adapter, epochsTable, timeoutMs })
  const claims = new TableClaims({ adapter, target: table, epochs, timeoutMs, settleTimeoutMs: takeoverTimeoutMs, clock })
  const turns = new WriteTurns({ adapter, target: table, epochs, claims, timeoutMs, takeoverTimeoutMs, clock })
  const check = onceUntilItFails(async () => {
    await requireOnePlace(adapter, [table], { timeoutMs })
    await checkDeduplicates(adapter, table)
  })
  const search = { adapter, table, known: new KnownConstraints(), timeoutMs }
  return {
    write: async (batch: Batch<R> | TurnBatch<R>, { signal }: Call = {}): Promise<BatchReceipt> => {
      const { columns, token } = batch
      if (token === '') throw new ValidationError('a batch needs a token', { issues: [{ path: ['token'], message: 'must not be empty' }] })
      await check()
      const turn = 'turn' in batch ? batch.turn : null
      const call = { token, signal, timeoutMs, ...(turn === null ? {} : turns.insertOptions(turn)) }
      try {
        const written = columns === undefined ? null : await adapter.insertColumns(table, columns, call)
        return { rows: (written ?? (await adapter.insert(table, batch.rows, call))).rows }
      } catch (error) {
        throw tableLacks(error) ?? (turn === null ? error : turns.explain(error, turn))
      }
    },
    findRefused: (rows: readonly R[], options: RefusalSearchOptions = {}): Promise<readonly RefusedRow[]> => findRefusedRows(rowCandidates(adapter, rows), { ...search, ...options }),
    findRefusedColumns: async (columns: ColumnBatch, options: RefusalSearchOptions = {}): Promise<readonly RefusedRow[] | null> => {
      const candidates = columnCandidates(adapter, columns)
      const refused = await findRefusedRows(candidates, { ...search, ...options })
      return candidates.isTaken ? refused : null
    },
    ...storedSlices<R>(adapter, table, timeoutMs),
    claimTable: (claim: Omit<TableClaim, 'table'>, call?: Call): Promise<void> => claims.claim(claim, call),
    tableHolder: (topicId: string, call?: Call): Promise<string | null> => claims.holder(topicId, call),
    latestTurn: (scope: SliceScope, call?: Call): Promise<LatestTurn | null> => turns.latest(scope, call),
    takeTurn: (claim: SliceClaim, call?: Call): Promise<WriteTurn> => turns.take(claim, call),
  }
}

/** Asked for once for all writes: the abort of one of them doesn't end it for the others. */
function onceUntilItFails(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null
  return () => {
    done ??= outsideOfCalls(work).catch((error: unknown) => {
      done = null
      throw error
    })
    return done
  }
}
