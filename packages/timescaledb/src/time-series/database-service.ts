import type { CallOptions, JsonValue, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { isPartitionMissing } from '../partitions/partition-missing.ts'
import { quoteTable } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import type { OnConflict, TimescaleStorage } from '../timescale-storage.ts'
import { toTime } from './parse-time.ts'
import type { TimeInput } from './time-range.ts'
import { TimeSeriesData } from './time-series-data.ts'

/** How a {@link DatabaseService} stores and reads. */
export interface DatabaseServiceOptions {
  /**
   * What happens to a point whose series has one at that moment already: `'update'` replaces value and metadata, `'ignore'` keeps
   * the stored one, `'error'` refuses. All but `'error'` need a unique key on (id, timestamp). @default 'update'
   */
  onConflict?: 'update' | 'ignore' | 'error'
  /** Most points that one read gives. @default 100_000 */
  maxRows?: number
  /** How long one statement may take. @default 30_000 */
  timeoutMs?: number
}

/** One point as {@link DatabaseService.storeMany} takes it. */
export interface TimeSeriesPoint {
  /** Which series it belongs to. */
  readonly id: string
  readonly time: TimeInput
  readonly value: number | null
  readonly metadata?: Record<string, JsonValue> | undefined
}

/** What this class needs of the storage. */
export type DatabaseServiceStorage = Pick<TimescaleStorage, 'execute' | 'bulkInsert'>

type Signalled = { signal?: AbortSignal | undefined }

/**
 * Points in and out of tables shaped like the built-in `time_series_data`: `id`, `timestamp`, `value`, `metadata`.
 * A point is known by its series and moment: storing it again stores it once.
 */
export class DatabaseService {
  readonly #storage: DatabaseServiceStorage
  readonly #onConflict: OnConflict
  readonly #maxRows: number
  readonly #timeoutMs: number

  constructor(storage: DatabaseServiceStorage, options: DatabaseServiceOptions = {}) {
    const onConflict = options.onConflict ?? 'update'
    this.#storage = storage
    this.#onConflict = onConflict === 'update' ? { update: ['value', 'metadata'], key: ['id', 'timestamp'] } : onConflict
    this.#maxRows = options.maxRows ?? 100_000
    this.#timeoutMs = options.timeoutMs ?? 30_000
  }

  /**
   * Stores one point.
   *
   * @throws TimescaleValidationError naming the part of it that is wrong
   */
  async storeTimeSeriesData(
    table: string,
    id: string,
    time: TimeInput,
    value: number | null,
    metadata: Record<string, JsonValue> = {},
    options: Signalled = {},
  ): Promise<void> {
    await this.#store(table, [TimeSeriesData.parse({ id, timestamp: time, value, metadata })], options)
  }

  /**
   * Stores many points, all or none. Of two for the same series and moment the later one counts.
   *
   * @returns how many were stored or replaced
   */
  async storeMany(table: string, points: readonly TimeSeriesPoint[], options: Signalled = {}): Promise<number> {
    const parsed = points.map(({ id, time, value, metadata = {} }, index) => TimeSeriesData.parse({ id, timestamp: time, value, metadata }, [index]))
    return parsed.length === 0 ? 0 : this.#store(table, parsed, options)
  }

  /**
   * The points of `[start, end)`, oldest first.
   *
   * @throws TimescaleOperationError `ERR_TIMESCALEDB_TOO_MANY_ROWS` rather than giving a part of them
   */
  async getTimeSeriesData(table: string, start: TimeInput, end: TimeInput, options: Signalled & { id?: string } = {}): Promise<TimeSeriesData[]> {
    const range = { start: toTime(start, 'start'), end: toTime(end, 'end') }
    if (range.start > range.end) refuseInput(['end'], 'must not be before start')
    const series = options.id === undefined ? '' : 'and id = $3'
    const rows = await this.#storage.execute<{ id: string; timestamp: Date; value: number | null; metadata: Record<string, JsonValue> | null }>(
      `select id, "timestamp", value, metadata from ${quoteTable(table)}
       where "timestamp" >= $1::timestamptz and "timestamp" < $2::timestamptz ${series} order by "timestamp", id limit ${this.#maxRows + 1}`,
      [range.start, range.end, ...(options.id === undefined ? [] : [options.id])],
      this.#call(options),
    )
    if (rows.length > this.#maxRows) {
      const remedy = 'read a shorter one, or page through it with TimeSeriesRepository'
      throw new TimescaleOperationError(`there are more than ${this.#maxRows} points in the range: ${remedy}`, { code: 'ERR_TIMESCALEDB_TOO_MANY_ROWS', status: 422 })
    }
    return rows.map(({ metadata, ...row }) => TimeSeriesData.parse({ ...row, metadata: metadata ?? {} }))
  }

  /** Any SQL of yours, with its values bound. */
  async executeQuery<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options: CallOptions = {}): Promise<T[]> {
    return this.#storage.execute<T>(sql, params, { timeoutMs: this.#timeoutMs, ...options })
  }

  async #store(table: string, points: readonly TimeSeriesData[], options: Signalled): Promise<number> {
    const rows = lastOfEach(points).map(({ id, timestamp, value, metadata }) => ({ id, timestamp, value, metadata }))
    const insert = () =>
      this.#storage.bulkInsert(table, rows, { columns: ['id', 'timestamp', 'value', 'metadata'], onConflict: this.#onConflict, ...this.#call(options) })
    try {
      return await insert()
    } catch (error) {
      // It was dropped after it was last seen; the second attempt makes it again.
      if (isPartitionMissing(error)) return insert()
      throw error
    }
  }

  #call(options: Signalled): CallOptions {
    return { signal: options.signal, timeoutMs: this.#timeoutMs }
  }
}

/** The points of a storage. */
export function createDatabaseService(storage: DatabaseServiceStorage, options?: DatabaseServiceOptions): DatabaseService {
  return new DatabaseService(storage, options)
}

/** The server refuses to replace one row twice in a statement. */
function lastOfEach(points: readonly TimeSeriesData[]): TimeSeriesData[] {
  const byKey = new Map<string, TimeSeriesData>()
  for (const point of points) byKey.set(`${point.timestamp.getTime()} ${point.id}`, point)
  return [...byKey.values()]
}
