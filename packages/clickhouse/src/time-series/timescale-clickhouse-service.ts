import { type CallOptions, type Logger, type Row, silentLogger, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createAdapter } from '../create-adapter.ts'
import { cutSlices } from './cut-slices.ts'
import { microsecondsOf } from './moments.ts'
import { settleSlice } from './settle-slice.ts'
import { SliceJournal } from './slice-journal.ts'
import { RowMapper, type SliceRow } from './slice-rows.ts'
import { SliceTarget } from './slice-target.ts'
import { openSource } from './source-dialect.ts'
import type { MigrateOptions, TimescaleClickHouseOptions, TimeSeriesMapping, TimeSeriesMigrator, TimeSeriesReport, TimeSeriesSource } from './time-series-options.ts'

const DEFAULT_JOURNAL = 'smart_whale_time_series_slices'

/**
 * Copies time series out of TimescaleDB, or any other store of the family, into ClickHouse: slice by slice, each compared on both sides. It may be killed and run
 * again at any time; one run at a time for a target.
 */
export class TimescaleClickHouseService implements TimeSeriesMigrator {
  readonly #source: TimeSeriesSource
  readonly #adapter: ClickHouseAdapter
  readonly #ownsAdapter: boolean
  readonly #options: TimescaleClickHouseOptions
  readonly #logger: Logger

  /** Without an adapter it makes one of its own, by the `CLICKHOUSE_*` variables; `close` closes it. */
  constructor(source: TimeSeriesSource, adapter?: ClickHouseAdapter, options: TimescaleClickHouseOptions = {}) {
    const { sliceRows = 1000 } = options
    if (!Number.isInteger(sliceRows) || sliceRows < 1) throw wrong('sliceRows', `must be a whole number above 0, got ${String(sliceRows)}`)
    this.#source = source
    this.#adapter = adapter ?? createAdapter({}, { logger: options.logger, clock: options.clock })
    this.#ownsAdapter = adapter === undefined
    this.#options = options
    this.#logger = options.logger ?? silentLogger
  }

  /**
   * Copies the rows from `start` to `end`, both included, into `<table>_analytics (timestamp, value, metadata)`, or as the mapping says. What is there already
   * stays; rows that came late are added; rows that the source has no more are kept.
   * @throws OperationalError `ERR_CLICKHOUSE_TIME_SERIES_CHANGED` when a row that was copied has other values now
   */
  async migrateTimeSeries(start: Date | string, end: Date | string, table: string, options: MigrateOptions = {}): Promise<TimeSeriesReport> {
    const range = { from: microsecondsOf(start, 'start'), to: microsecondsOf(end, 'end') }
    if (range.from > range.to) throw wrong('end', 'must not lie before start')
    const call: CallOptions = { signal: options.signal, timeoutMs: options.timeoutMs ?? this.#options.timeoutMs ?? 120_000 }
    const mapping: TimeSeriesMapping = { ...this.#options.mapping, ...options.mapping }
    const targetTable = mapping.target ?? `${table.split('.').at(-1) ?? table}_analytics`

    const target = new SliceTarget(this.#adapter, targetTable, call)
    const journal = new SliceJournal(this.#adapter, this.#options.journal ?? DEFAULT_JOURNAL, { target: targetTable, source: table }, call)
    await Promise.all([target.prepare(), journal.create()])
    const known = await journal.read(range.from, range.to)
    const reader = await openSource(this.#source, table, mapping.timestamp ?? 'timestamp', call)

    // A slice that reaches out of the range is read whole: it can't be compared otherwise.
    const from = known.reduce((least, slice) => (slice.from < least ? slice.from : least), range.from)
    const to = known.reduce((most, slice) => (slice.to > most ? slice.to : most), range.to)
    const report = { table, target: targetTable, rows: 0, slices: 0, written: 0, gone: 0 }
    const slices = cutSlices(mapped(reader.read(from, to), new RowMapper(mapping)), from, known, this.#options.sliceRows ?? 1000)
    for await (const slice of slices) {
      const { written, gone } = await settleSlice(slice, target, journal)
      report.slices++
      report.rows += slice.rows.filter(({ moment }) => moment >= range.from && moment <= range.to).length
      report.written += written ? 1 : 0
      report.gone += gone
      options.onProgress?.({ slices: report.slices, rows: report.rows })
    }
    this.#logger.info({ ...report }, 'a time series was copied')
    return report
  }

  /** Closes an adapter that the service made itself. May be called twice. */
  async close(): Promise<void> {
    if (this.#ownsAdapter) await this.#adapter.close()
  }
}

async function* mapped(rows: AsyncIterable<Row>, mapper: RowMapper): AsyncIterable<SliceRow> {
  for await (const row of rows) yield mapper.map(row)
}

function wrong(field: string, message: string): ValidationError {
  return new ValidationError(`${field} ${message}`, { issues: [{ path: [field], message }] })
}
