import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName } from '../adapter/table-columns.ts'
import type { KnownSlice, Slice } from './cut-slices.ts'
import type { Microseconds } from './moments.ts'

/** Remembers in ClickHouse which slices of a series were begun and done. Entries are only added; the latest one of a slice counts. */
export class SliceJournal {
  readonly #adapter: ClickHouseAdapter
  readonly #table: string
  readonly #series: { readonly target: string; readonly source: string }
  readonly #call: CallOptions
  #step = 0n

  constructor(adapter: ClickHouseAdapter, table: string, series: { readonly target: string; readonly source: string }, call: CallOptions) {
    this.#adapter = adapter
    this.#table = table
    this.#series = series
    this.#call = call
  }

  async create(): Promise<void> {
    await this.#adapter.execute(
      `CREATE TABLE IF NOT EXISTS ${quoteTableName(this.#table)} (target String, source String, from_us Int64, to_us Int64, rows UInt64, checksum String, state LowCardinality(String), step UInt64, at DateTime64(3) DEFAULT now64(3))
       ENGINE = MergeTree ORDER BY (target, source, from_us, step)`,
      {},
      this.#call,
    )
  }

  /** Slices that have a moment in common with a range. */
  async read(from: Microseconds, to: Microseconds): Promise<KnownSlice[]> {
    const { rows } = await this.#adapter.execute<Row & { from: bigint; to: bigint; checksum: string; state: KnownSlice['state']; latest: bigint }>(
      `SELECT from_us AS from, to_us AS to, argMax(slices.checksum, slices.step) AS checksum, argMax(slices.state, slices.step) AS state, max(slices.step) AS latest FROM ${quoteTableName(this.#table)} AS slices
       WHERE target = {target:String} AND source = {source:String} GROUP BY from_us, to_us ORDER BY from_us`,
      this.#series,
      this.#call,
    )
    this.#step = rows.reduce((highest, { latest }) => (latest > highest ? latest : highest), 0n)
    return rows.filter((slice) => slice.from <= to && slice.to >= from).map(({ latest: _latest, ...slice }) => slice)
  }

  async record(slice: Slice, checksum: string, state: KnownSlice['state']): Promise<void> {
    const entry = { ...this.#series, from_us: slice.from, to_us: slice.to, rows: slice.rows.length, checksum, state, step: ++this.#step }
    await this.#adapter.insert(this.#table, [entry], this.#call)
  }
}
