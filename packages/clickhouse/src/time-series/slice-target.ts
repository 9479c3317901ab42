import { hash } from 'node:crypto'
import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName } from '../adapter/table-columns.ts'
import { checkDeduplicates } from '../storage/check-deduplicates.ts'
import { createTable } from '../storage/create-table.ts'
import type { Slice } from './cut-slices.ts'
import { textOfMoment } from './moments.ts'
import { LINE_IN_CLICKHOUSE, type SliceRow } from './slice-rows.ts'

/** The table that slices go to. */
export class SliceTarget {
  readonly #adapter: ClickHouseAdapter
  readonly #table: string
  readonly #call: CallOptions

  constructor(adapter: ClickHouseAdapter, table: string, call: CallOptions) {
    this.#adapter = adapter
    this.#table = table
    this.#call = call
  }

  /** Makes it, unless it is there. @throws ConfigurationError `ERR_CLICKHOUSE_NO_DEDUPLICATION` for one that would store a repeat twice */
  async prepare(): Promise<void> {
    const columns = { timestamp: "DateTime64(6, 'UTC')", value: 'Nullable(Float64)', metadata: 'String' }
    await createTable(this.#adapter, this.#table, { columns, primaryKey: ['timestamp'] }, { ...this.#call, partitionBy: 'toYYYYMM(timestamp)' })
    await checkDeduplicates(this.#adapter, this.#table)
  }

  /** What it holds between a slice's ends comes to; see `checksumOfLines`. */
  async checksumOf(slice: Slice): Promise<string> {
    const { rows } = await this.#adapter.execute<Row & { checksum: string }>(
      `SELECT lower(hex(SHA256(arrayStringConcat(arraySort(groupArray(${LINE_IN_CLICKHOUSE})), '\\n')))) AS checksum FROM ${quoteTableName(this.#table)} WHERE ${WITHIN}`,
      endsOf(slice),
      this.#call,
    )
    return rows[0]?.checksum ?? ''
  }

  /** The lines that it holds between a slice's ends. */
  async linesOf(slice: Slice): Promise<string[]> {
    const { rows } = await this.#adapter.execute<Row & { line: string }>(`SELECT ${LINE_IN_CLICKHOUSE} AS line FROM ${quoteTableName(this.#table)} WHERE ${WITHIN}`, endsOf(slice), this.#call)
    return rows.map(({ line }) => line)
  }

  /** Stores rows of a slice; once, however often the same ones are sent. */
  async insert(slice: Slice, rows: readonly SliceRow[], checksum: string): Promise<void> {
    const name = this.#nameOf(slice)
    const token = `${name}-${checksum}`
    await this.#adapter.insert(this.#table, rows.map(({ row }) => row), { ...this.#call, token, queryId: `${name}-${hash('sha256', `${Math.random()}`, 'hex').slice(0, 12)}` })
  }

  /** Ends inserts of a slice that a dead process may have left running: what is to be stored now has other rows and another token. */
  async endInserts(slice: Slice): Promise<void> {
    await this.#adapter.execute('KILL QUERY WHERE startsWith(query_id, {name:String}) SYNC', { name: this.#nameOf(slice) }, this.#call)
  }

  #nameOf({ from, to }: Slice): string {
    return `smart-whale-slice-${hash('sha256', `${this.#adapter.database}.${this.#table}:${from}:${to}`, 'hex').slice(0, 24)}`
  }
}

const WITHIN = "timestamp >= toDateTime64({begin:String}, 6, 'UTC') AND timestamp <= toDateTime64({end:String}, 6, 'UTC')"

function endsOf({ from, to }: Slice): { readonly begin: string; readonly end: string } {
  return { begin: textOfMoment(from), end: textOfMoment(to) }
}
