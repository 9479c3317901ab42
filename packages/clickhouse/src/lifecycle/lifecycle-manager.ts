import { type CallOptions, type Clock, type Logger, silentLogger, systemClock, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createAdapter } from '../create-adapter.ts'
import { expireData } from './expire-data.ts'
import { requireKeptTable } from './kept-table.ts'
import { checkRetentionDays, retentionDays } from './lifecycle-config.ts'
import type {
  DatabaseSize,
  ExpireOptions,
  ExpiryReport,
  LifecycleManager,
  LifecycleManagerOptions,
  NewTtlRule,
  OptimizeOptions,
  OptimizeReport,
  TableSizeInfo,
  TtlCallOptions,
  TtlChange,
  TtlRule,
} from './lifecycle-options.ts'
import { optimizeTable } from './optimize-table.ts'
import { columnSizes, tableSizes } from './table-sizes.ts'
import { readTtlRules, removeTtl, setTtl, type TtlTask } from './ttl-rules.ts'

/**
 * Makes a {@link LifecycleManager} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * The adapter's user must be allowed to alter and optimize tables.
 */
export function createLifecycleManager(adapter?: ClickHouseAdapter, options: LifecycleManagerOptions = {}): LifecycleManager {
  if (adapter !== undefined) return new DataLifecycleManager(adapter, options)
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new DataLifecycleManager(own, options, () => own.close())
}

const DAY_MS = 86_400_000

class DataLifecycleManager implements LifecycleManager {
  readonly #adapter: ClickHouseAdapter
  readonly #retentionDays: number | null
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #closeAdapter: () => Promise<void>

  constructor(adapter: ClickHouseAdapter, options: LifecycleManagerOptions, closeAdapter = async (): Promise<void> => {}) {
    this.#adapter = adapter
    this.#retentionDays = options.retentionDays === undefined ? retentionDays() : checkRetentionDays(options.retentionDays, 'retentionDays')
    this.#timeoutMs = options.timeoutMs ?? 600_000
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
    this.#closeAdapter = closeAdapter
  }

  async deleteExpiredData(table: string, dateColumn: string, options: ExpireOptions = {}): Promise<bigint> {
    return (await this.expire(table, dateColumn, options)).rows
  }

  async expire(table: string, dateColumn: string, options: ExpireOptions = {}): Promise<ExpiryReport> {
    const olderThan = this.#cutoffOf(options.olderThan)
    const call = this.#callOf(options)
    const kept = await requireKeptTable(this.#adapter, table, call)
    const report = await expireData({ adapter: this.#adapter, table: kept, dateColumn, olderThan, dryRun: options.dryRun === true, call })
    this.#logger.info({ table, olderThan, ...report }, report.dryRun ? 'old rows would be deleted' : 'old rows were deleted')
    return report
  }

  async optimizeTable(table: string, options: OptimizeOptions = {}): Promise<OptimizeReport> {
    const report = await optimizeTable(this.#adapter, table, options, this.#callOf(options))
    this.#logger.info({ ...report }, 'a table was merged')
    return report
  }

  async getTableSizeInfo(table: string, options: CallOptions = {}): Promise<TableSizeInfo> {
    const call = this.#callOf(options)
    const { database, name } = await requireKeptTable(this.#adapter, table, call)
    const [[size], columns] = await Promise.all([tableSizes(this.#adapter, database, name, call), columnSizes(this.#adapter, { database, name }, call)])
    return { ...(size as NonNullable<typeof size>), columns }
  }

  async analyzeDatabaseSize(database: string = this.#adapter.database, options: CallOptions = {}): Promise<DatabaseSize> {
    const tables = await tableSizes(this.#adapter, database, null, this.#callOf(options))
    return {
      database,
      rows: tables.reduce((sum, { rows }) => sum + rows, 0n),
      bytesOnDisk: tables.reduce((sum, { bytesOnDisk }) => sum + bytesOnDisk, 0n),
      parts: tables.reduce((sum, { parts }) => sum + parts, 0),
      tables,
    }
  }

  async getTtlRules(table: string, options: CallOptions = {}): Promise<TtlRule[]> {
    return readTtlRules((await requireKeptTable(this.#adapter, table, this.#callOf(options))).definition)
  }

  async setTtl(table: string, rule: NewTtlRule, options: TtlCallOptions = {}): Promise<TtlChange> {
    const change = await setTtl(await this.#ttlTask(table, options), rule)
    this.#logger.info({ table, ...change }, 'a TTL was set')
    return change
  }

  async removeTtl(table: string, column?: string, options: TtlCallOptions = {}): Promise<TtlChange> {
    const change = await removeTtl(await this.#ttlTask(table, options), column)
    this.#logger.info({ table, ...change }, 'a TTL was removed')
    return change
  }

  async close(): Promise<void> {
    await this.#closeAdapter()
  }

  async #ttlTask(table: string, options: TtlCallOptions): Promise<TtlTask> {
    const call = this.#callOf(options)
    return { adapter: this.#adapter, table: await requireKeptTable(this.#adapter, table, call), dryRun: options.dryRun === true, materialize: options.materialize === true, call }
  }

  /** A moment that hasn't come yet would let go of everything there is. */
  #cutoffOf(olderThan: Date | undefined): Date {
    const nowMs = this.#clock.now()
    if (olderThan === undefined && this.#retentionDays !== null) return new Date(nowMs - this.#retentionDays * DAY_MS)
    if (olderThan instanceof Date && olderThan.getTime() <= nowMs) return olderThan
    const message = olderThan === undefined ? 'must be given, unless CLICKHOUSE_RETENTION_DAYS or retentionDays say how long rows are kept' : `must be a Date that is not in the future, got ${String(olderThan)}`
    throw new ValidationError(`olderThan ${message}`, { issues: [{ path: ['olderThan'], message }] })
  }

  #callOf({ signal, timeoutMs }: CallOptions): CallOptions {
    return { signal, timeoutMs: timeoutMs ?? this.#timeoutMs }
  }
}
