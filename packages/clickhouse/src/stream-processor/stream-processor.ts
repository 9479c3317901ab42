import { type Clock, InfrastructureError, type Logger, type Row, silentLogger, systemClock, ValidationError } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import { randomUUID } from 'node:crypto'
import { createAdapter } from '../create-adapter.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import { canonical, digest } from '../stable-digest.ts'
import type { CheckedRow } from './check-row.ts'
import { Room } from './room.ts'
import type { RejectedRow } from './stream-batch.ts'
import { checkStreamLimits, type StreamLimits, type StreamProcessorOptions } from './stream-options.ts'
import { type StreamTable, StreamTables } from './stream-tables.ts'
import { type CheckedRows, TableStream } from './table-stream.ts'

/** What a single call may be told. */
export interface StreamCallOptions {
  /**
   * Names these rows: the same rows under the same key are stored once, however often they are handed over, by whichever process.
   * They are then inserted as batches of their own. Needs a table that deduplicates. @default undefined: every call is new rows
   */
  idempotencyKey?: string | undefined
  /** Ends the wait. Rows that were let in are stored nevertheless. @default never aborted */
  signal?: AbortSignal | undefined
  /** How long the call may take. @default the processor's `timeoutMs` */
  timeoutMs?: number | undefined
}

/** What became of a call's rows, once those accepted are durably stored. */
export interface StreamReceipt {
  readonly accepted: number
  /** Rows that were stored nowhere, in the order of the call. */
  readonly rejected: readonly RejectedRow[]
}

/** What went through a processor since it was made. */
export interface StreamStats {
  readonly rowsStored: number
  readonly rowsRejected: number
  readonly rowsFailed: number
  readonly batches: number
  readonly failedBatches: number
  readonly pendingRows: number
  readonly pendingBytes: number
  /** Calls that wait for room. */
  readonly waitingCalls: number
}

/** Takes rows for any table, a few or many at a time, and stores them in batches. */
export interface StreamProcessor {
  /**
   * Resolves when every row is either durably stored or rejected for a reason that is told.
   * @throws OperationalError `ERR_CLICKHOUSE_STREAM_FULL` when there was no room in time; `ERR_CLICKHOUSE_STREAM_STOPPED` after `stop`
   */
  processStreamData(table: string, rows: readonly Row[], options?: StreamCallOptions): Promise<StreamReceipt>
  /** Sends what waits, without waiting for more. */
  flush(): Promise<void>
  getStats(): StreamStats
  /** Takes no more, stores what was taken, and leaves no timer behind. May be called twice. */
  stop(options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined }): Promise<void>
}

/** One call on its way. */
interface StreamCall {
  readonly table: string
  readonly rows: readonly Row[]
  readonly key: string | undefined
  waitsForRoom: boolean
}

/**
 * Makes a {@link StreamProcessor} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * The adapter's user must be allowed to insert, and to read the tables' columns.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option
 */
export function createStreamProcessor(adapter?: ClickHouseAdapter, options: StreamProcessorOptions = {}): StreamProcessor {
  const limits = checkStreamLimits(options)
  if (adapter !== undefined) return new BatchingStreamProcessor(adapter, options, limits)
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new BatchingStreamProcessor(own, options, limits, () => own.close())
}

class BatchingStreamProcessor implements StreamProcessor {
  readonly #adapter: ClickHouseAdapter
  readonly #options: StreamProcessorOptions
  readonly #limits: StreamLimits
  readonly #room: Room
  readonly #tables: StreamTables
  readonly #streams = new Map<string, TableStream>()
  readonly #id = randomUUID()
  readonly #counts = { rowsStored: 0, rowsRejected: 0, rowsFailed: 0, batches: 0, failedBatches: 0 }
  readonly #closeAdapter: () => Promise<void>
  #sequence = 0
  #stopped = false

  constructor(
    adapter: ClickHouseAdapter,
    options: StreamProcessorOptions,
    limits: StreamLimits,
    closeAdapter = async (): Promise<void> => {},
  ) {
    this.#closeAdapter = closeAdapter
    this.#adapter = adapter
    this.#options = options
    this.#limits = limits
    this.#room = new Room(limits.maxPendingRows, limits.maxPendingBytes)
    this.#tables = new StreamTables(adapter, limits.columnsMaxAgeMs, this.#clock)
  }

  async processStreamData(table: string, rows: readonly Row[], options: StreamCallOptions = {}): Promise<StreamReceipt> {
    checkCall(table, rows)
    if (this.#stopped) throw stoppedError()
    const { signal, timeoutMs = this.#limits.timeoutMs, idempotencyKey } = options
    const call: StreamCall = { table, rows, key: idempotencyKey, waitsForRoom: false }
    const what = `writing ${rows.length} rows to "${table}"`
    try {
      const rejected = await withDeadline((context) => this.#process(call, context.signal), { timeoutMs, signal, what, clock: this.#clock })
      this.#counts.rowsRejected += rejected.length
      return { accepted: rows.length - rejected.length, rejected }
    } catch (error) {
      const late = InfrastructureError.isInstance(error) && error.code === 'ERR_TIMEOUT'
      throw late && call.waitsForRoom ? fullError(this.#room, error) : error
    }
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#streams.values()].map((stream) => stream.flush()))
  }

  getStats(): StreamStats {
    return { ...this.#counts, pendingRows: this.#room.rows, pendingBytes: this.#room.bytes, waitingCalls: this.#room.waiting }
  }

  async stop(options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {}): Promise<void> {
    this.#stopped = true
    this.#room.close(stoppedError())
    const { signal, timeoutMs = this.#limits.timeoutMs } = options
    try {
      await withDeadline(() => this.#flushAll(), {
        timeoutMs,
        signal,
        what: 'storing what the stream processor still held',
        clock: this.#clock,
      })
    } finally {
      await this.#closeAdapter()
    }
  }

  /** What was let in just now may not have reached its batch yet when the others are sent. */
  async #flushAll(): Promise<void> {
    do await this.flush()
    while (this.#room.rows > 0)
  }

  async #process(call: StreamCall, signal: AbortSignal): Promise<readonly RejectedRow[]> {
    const table = await this.#tables.describe(call.table, columnsOf(call.rows))
    if (call.key !== undefined) table.assertDeduplicates()
    const rejected: RejectedRow[] = []
    const stored: Promise<readonly RejectedRow[]>[] = []
    try {
      let part = 0
      for (const checked of partsOf(call.rows, table, this.#limits, rejected)) {
        call.waitsForRoom = true
        await this.#room.enter(checked.rows.length, checked.bytes, signal)
        call.waitsForRoom = false
        stored.push(this.#hand(table, checked, call.key, part++))
      }
    } catch (error) {
      // The parts that were let in are on their way; nobody waits for them any more.
      void Promise.allSettled(stored)
      throw error
    }
    const refused = await allOrFirstError(stored)
    return [...rejected, ...refused.flat()].sort((one, other) => one.index - other.index)
  }

  #hand(table: StreamTable, checked: CheckedRows, key: string | undefined, part: number): Promise<readonly RejectedRow[]> {
    const stream = this.#streamOf(table)
    if (key === undefined) return stream.add(checked)
    // The rows are part of it: the same key with other rows must not pass for a repeat, which the server would drop without a word.
    return stream.addAlone(checked, `${digest(`${table.name} ${key}`)}:${part}:${digest(canonical(checked.rows))}`)
  }

  #streamOf(table: StreamTable): TableStream {
    const known = this.#streams.get(table.name)
    if (known !== undefined) return known
    const stream = new TableStream(table, {
      adapter: this.#adapter,
      limits: this.#limits,
      room: this.#room,
      clock: this.#clock,
      logger: this.#logger,
      invalidates: this.#options.invalidates,
      nextToken: () => `${this.#id}:${this.#sequence++}`,
      count: (outcome, rows) => this.#count(outcome, rows),
    })
    this.#streams.set(table.name, stream)
    return stream
  }

  #count(outcome: 'batches' | 'failures', rows: number): void {
    if (outcome === 'batches') {
      this.#counts.batches += 1
      this.#counts.rowsStored += rows
    } else {
      this.#counts.failedBatches += 1
      this.#counts.rowsFailed += rows
    }
  }

  get #clock(): Clock {
    return this.#options.clock ?? systemClock
  }

  get #logger(): Logger {
    return this.#options.logger ?? silentLogger
  }
}

/** Names of all columns that the rows have. Most rows look alike: the first few tell. */
function columnsOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.slice(0, 10).flatMap((row) => (typeof row === 'object' && row !== null ? Object.keys(row) : [])))]
}

/**
 * Checks rows and puts those that fit into parts that fit a batch, each of rows that fill the same columns.
 * What goes into which part depends on the rows alone, so that a repeat is cut the same way.
 */
function* partsOf(rows: readonly Row[], table: StreamTable, limits: StreamLimits, rejected: RejectedRow[]): Generator<CheckedRows> {
  const open = new Map<string, OpenPart>()
  for (const [index, row] of rows.entries()) {
    const checked: CheckedRow = table.check(row)
    if ('issues' in checked) {
      rejected.push({ index, issues: checked.issues })
      continue
    }
    const { shape, bytes } = checked
    let part = open.get(shape)
    if (part !== undefined && (part.rows.length >= limits.maxBatchRows || part.bytes + bytes > limits.maxBatchBytes)) {
      yield part
      part = undefined
    }
    part ??= { shape, rows: [], indexes: [], bytes: 0 }
    open.set(shape, part)
    part.rows.push(checked.row)
    part.indexes.push(index)
    part.bytes += bytes
  }
  yield* open.values()
}

interface OpenPart extends CheckedRows {
  readonly rows: Row[]
  readonly indexes: number[]
  bytes: number
}

/** Waits for all, so that no failure goes unheard, and then fails with the first one. */
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(promises)
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}

function checkCall(table: unknown, rows: unknown): void {
  if (typeof table !== 'string' || table === '') throw wrongArgument('table', `must be a table's name, got ${typeof table}`)
  if (!Array.isArray(rows)) throw wrongArgument('rows', `must be a list of rows, got ${rows === null ? 'null' : typeof rows}`)
}

function wrongArgument(name: string, message: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError<ClickHouseErrorCode>(`${name} ${message}`, { code: 'ERR_CLICKHOUSE_ROW', issues: [{ path: [name], message }] })
}

function stoppedError(): OperationalError {
  return new OperationalError('the stream processor was stopped and takes no more rows', {
    code: 'ERR_CLICKHOUSE_STREAM_STOPPED',
    status: 503,
  })
}

function fullError(room: Room, cause: unknown): OperationalError {
  return new OperationalError(
    `no room for more rows in time: ${room.rows} rows (${room.bytes} bytes) wait to be stored. ClickHouse takes them slower than they come; send slower or raise maxPendingRows`,
    { code: 'ERR_CLICKHOUSE_STREAM_FULL', retryable: true, status: 503, cause },
  )
}
