import { type CallOptions, type Logger, type Row, silentLogger, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createAdapter } from '../create-adapter.ts'
import { requireKeptTable } from '../lifecycle/kept-table.ts'
import type { OptimizeOptions, OptimizeReport } from '../lifecycle/lifecycle-options.ts'
import { optimizeTable } from '../lifecycle/optimize-table.ts'
import { columnSizes, ratioOf, tableSizes } from '../lifecycle/table-sizes.ts'
import { DataManagementError } from '../operational-errors.ts'
import { adviseCodec } from './advise-codecs.ts'
import type { CodecAdvice, DataCompressor, DataCompressorOptions, StorageStats } from './compression-options.ts'

/**
 * Makes a {@link DataCompressor} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * The adapter's user must be allowed to optimize tables, and for codec advice to create and drop them.
 */
export function createDataCompressor(adapter?: ClickHouseAdapter, options: DataCompressorOptions = {}): DataCompressor {
  if (adapter !== undefined) return new MeasuringCompressor(adapter, options)
  const own = createAdapter({}, { logger: options.logger })
  return new MeasuringCompressor(own, options, () => own.close())
}

class MeasuringCompressor implements DataCompressor {
  readonly #adapter: ClickHouseAdapter
  readonly #sampleRows: number
  readonly #minSaving: number
  readonly #timeoutMs: number
  readonly #logger: Logger
  readonly #closeAdapter: () => Promise<void>

  constructor(adapter: ClickHouseAdapter, options: DataCompressorOptions, closeAdapter = async (): Promise<void> => {}) {
    const { sampleRows = 200_000, minSaving = 0.1, timeoutMs = 600_000, logger = silentLogger } = options
    if (!Number.isSafeInteger(sampleRows) || sampleRows < 1) throw wrong('sampleRows', `must be a whole number above 0, got ${String(sampleRows)}`)
    this.#adapter = adapter
    this.#sampleRows = sampleRows
    this.#minSaving = minSaving
    this.#timeoutMs = timeoutMs
    this.#logger = logger
    this.#closeAdapter = closeAdapter
  }

  async optimizeTable(table: string, options: OptimizeOptions = {}): Promise<OptimizeReport> {
    const report = await optimizeTable(this.#adapter, table, options, this.#callOf(options))
    this.#logger.info({ ...report }, 'a table was merged')
    return report
  }

  async compressPart(table: string, part: string, options: CallOptions = {}): Promise<OptimizeReport> {
    const call = this.#callOf(options)
    const { database, name } = await requireKeptTable(this.#adapter, table, call)
    const { rows } = await this.#adapter.execute<Row & { partition: string }>(
      'SELECT partition_id AS partition FROM system.parts WHERE active AND database = {database:String} AND table = {name:String} AND name = {part:String}',
      { database, name, part },
      call,
    )
    const [found] = rows
    if (found === undefined) throw new DataManagementError(`table "${table}" has no part "${part}", or it has been merged into another one; system.parts tells which it has`, { status: 404, context: { table, part } })
    return this.optimizeTable(table, { ...options, partition: found.partition, final: true })
  }

  async getStorageStats(table: string, options: CallOptions = {}): Promise<StorageStats> {
    const call = this.#callOf(options)
    const { database, name } = await requireKeptTable(this.#adapter, table, call)
    const [[size], columns] = await Promise.all([tableSizes(this.#adapter, database, name, call), columnSizes(this.#adapter, { database, name }, call)])
    const { rows, parts, compressedBytes, uncompressedBytes, compressionRatio } = size as NonNullable<typeof size>
    return {
      table: `${database}.${name}`,
      rows,
      parts,
      compressedBytes,
      uncompressedBytes,
      compressionRatio,
      columns: columns.map((column) => ({ ...column, compressionRatio: ratioOf(column.uncompressedBytes, column.compressedBytes) })),
    }
  }

  async optimizeAllTables(exclude: readonly string[] = [], options: OptimizeOptions = {}): ReturnType<DataCompressor['optimizeAllTables']> {
    const sizes = await tableSizes(this.#adapter, this.#adapter.database, null, this.#callOf(options))
    const optimized: OptimizeReport[] = []
    const failed: { table: string; error: Error }[] = []
    for (const { table } of sizes) {
      if (exclude.includes(table)) continue
      try {
        optimized.push(await this.optimizeTable(`\`${table.replace(/[\\`]/g, '\\$&')}\``, options))
      } catch (error) {
        if (options.signal?.aborted === true) throw error
        this.#logger.warn({ err: error, table }, 'a table could not be merged; the others are')
        failed.push({ table, error: error as Error })
      }
    }
    return { optimized, failed }
  }

  async adviseCodecs(table: string, columns?: readonly string[], options: CallOptions = {}): Promise<CodecAdvice[]> {
    const call = this.#callOf(options)
    const kept = await requireKeptTable(this.#adapter, table, call)
    const unknown = columns?.find((column) => !kept.columns.some(({ name }) => name === column))
    if (unknown !== undefined) throw wrong('columns', `must be columns of "${kept.name}", which has no "${unknown}"`)
    const advice: CodecAdvice[] = []
    for (const column of kept.columns) {
      if (columns !== undefined && !columns.includes(column.name)) continue
      advice.push(await adviseCodec({ adapter: this.#adapter, table: kept, sampleRows: this.#sampleRows, minSaving: this.#minSaving, call }, column))
    }
    return advice
  }

  async close(): Promise<void> {
    await this.#closeAdapter()
  }

  #callOf({ signal, timeoutMs }: CallOptions): CallOptions {
    return { signal, timeoutMs: timeoutMs ?? this.#timeoutMs }
  }
}

function wrong(field: string, message: string): ValidationError {
  return new ValidationError(`${field} ${message}`, { issues: [{ path: [field], message }] })
}
