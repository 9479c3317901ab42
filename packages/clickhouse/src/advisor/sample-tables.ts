import type { CallOptions, Row } from '@smart-whale/interfaces'
import { randomBytes } from 'node:crypto'
import type { ClickHouseAdapter, QueryStatistics } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { shapeOf, type TableShape } from '../migrations/table-shape.ts'

/** Start of the names of sample tables: what a run left behind that was killed is known by it, and removed by the next one. */
export const SAMPLE_PREFIX = 'smart_whale_sample_'
/** Runs don't take longer. */
const ABANDONED_SECONDS = 3600
const GRANULARITY = 8192
const TIMES = 3

/** A table with a sample of its rows beside it, and changed copies of that. */
export class SampleTables {
  readonly #adapter: ClickHouseAdapter
  readonly #call: CallOptions
  readonly #run = randomBytes(5).toString('hex')
  readonly #made: string[] = []

  constructor(adapter: ClickHouseAdapter, call: CallOptions) {
    this.#adapter = adapter
    this.#call = call
  }

  /** Removes what runs left behind that were killed. */
  async dropAbandoned(database: string): Promise<void> {
    const { rows } = await this.#adapter.execute<Row & { name: string }>(
      `SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, '${SAMPLE_PREFIX}') AND metadata_modification_time < now() - ${ABANDONED_SECONDS}`,
      { database },
      this.#call,
    )
    for (const { name } of rows) await this.#adapter.execute(`DROP TABLE IF EXISTS ${quoteName(database)}.${quoteName(name)} SYNC`, {}, this.#call)
  }

  /** A copy of so many rows by chance, in the table's own order; granules are smaller by as much as the copy, so that indexes leave out the same share. */
  async sampleOf(database: string, table: string, sampleRows: number): Promise<SampleSource> {
    const { rows } = await this.#adapter.execute<Row & { definition: string; rows: bigint }>('SELECT create_table_query AS definition, ifNull(total_rows, 0) AS rows FROM system.tables WHERE database = {database:String} AND name = {table:String}', { database, table }, this.#call)
    const { definition = '', rows: total = 0n } = rows[0] ?? {}
    const share = Math.min(1, sampleRows / Math.max(1, Number(total)))
    const granularity = Math.max(64, Math.round(GRANULARITY * share))
    const source: SampleSource = { database, table, shape: shapeOf(definition), totalRows: Number(total), granularity, name: '' }
    const name = await this.create(source, source.shape)
    await this.#adapter.execute(`INSERT INTO ${name} SELECT * FROM ${quoteName(database)}.${quoteName(table)} WHERE rand() % 1000000 < ${Math.ceil(share * 1_000_000)} LIMIT ${sampleRows}`, {}, this.#call)
    await this.#adapter.execute(`OPTIMIZE TABLE ${name} FINAL`, {}, this.#call)
    return { ...source, name }
  }

  /** The sample with something changed: same rows, another shape. */
  async changed(source: SampleSource, shape: TableShape): Promise<string> {
    const name = await this.create(source, shape)
    await this.#adapter.execute(`INSERT INTO ${name} SELECT * FROM ${source.name}`, {}, this.#call)
    await this.#adapter.execute(`OPTIMIZE TABLE ${name} FINAL`, {}, this.#call)
    return name
  }

  async create(source: SampleSource, { columns, parts, clauses }: TableShape): Promise<string> {
    const name = this.nameOf(source.database)
    const listed = [...Object.entries(columns).map(([column, text]) => `${quoteName(column)} ${text.replace(/ TTL .*$/s, '')}`), ...Object.entries(parts).map(([part, text]) => `${part.split(' ')[0]} ${quoteName(part.split(' ').slice(1).join(' '))} ${text}`)]
    const kept = ['PARTITION BY', 'PRIMARY KEY', 'ORDER BY'].flatMap((clause) => (clauses[clause] === undefined ? [] : [`${clause} ${clauses[clause]}`]))
    await this.#adapter.execute(`CREATE TABLE ${name} (${listed.join(', ')}) ENGINE = MergeTree ${kept.join(' ')} SETTINGS index_granularity = ${source.granularity}, allow_nullable_key = 1, min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0 COMMENT 'A sample, removed when it was measured'`, {}, this.#call)
    return name
  }

  /** A new name, which `dropAll` removes. */
  nameOf(database: string): string {
    const name = `${quoteName(database)}.${quoteName(`${SAMPLE_PREFIX}${this.#run}_${this.#made.length}`)}`
    this.#made.push(name)
    return name
  }

  /** What a query costs: the least of a few runs. */
  async costOf(query: string): Promise<QueryStatistics & { readonly answer: string }> {
    let best: (QueryStatistics & { readonly answer: string }) | undefined
    for (let time = 0; time < TIMES; time++) {
      const { statistics, rows } = await this.#adapter.execute(query, {}, { ...this.#call, queryId: `smart-whale-look-${crypto.randomUUID()}`, settings: { use_query_cache: 0, use_query_condition_cache: 0, max_threads: 2 } })
      const answer = JSON.stringify(rows.map((row) => JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))).sort())
      if (best === undefined || statistics.elapsedMs < best.elapsedMs) best = { ...statistics, answer }
    }
    return best as QueryStatistics & { readonly answer: string }
  }

  /** A table of what a query answers. */
  async filled(database: string, query: string): Promise<string> {
    const name = this.nameOf(database)
    await this.#adapter.execute(`CREATE TABLE ${name} ENGINE = MergeTree ORDER BY tuple() EMPTY AS ${query}`, {}, this.#call)
    await this.#adapter.execute(`INSERT INTO ${name} ${query}`, {}, this.#call)
    return name
  }

  async rowsOf(name: string): Promise<number> {
    const { rows } = await this.#adapter.execute<Row & { n: bigint }>(`SELECT count() AS n FROM ${name}`, {}, this.#call)
    return Number(rows[0]?.n ?? 0)
  }

  /** Size of a table on disk, and of one of its columns. */
  async bytesOf(name: string, column?: string): Promise<number> {
    const [database = '', table = ''] = name.split('.').map((part) => part.replace(/^`|`$/g, ''))
    const { rows } = await this.#adapter.execute<Row & { bytes: bigint }>(
      column === undefined
        ? 'SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}'
        : 'SELECT sum(data_compressed_bytes) AS bytes FROM system.columns WHERE database = {database:String} AND table = {table:String} AND name = {column:String}',
      { database, table, ...(column === undefined ? {} : { column }) },
      this.#call,
    )
    return Number(rows[0]?.bytes ?? 0)
  }

  /** The caller's signal does not end it. */
  async dropAll(): Promise<void> {
    for (const name of this.#made) await this.#adapter.execute(`DROP TABLE IF EXISTS ${name} SYNC`, {}, { timeoutMs: this.#call.timeoutMs })
  }
}

/** A table, and its sample. */
export interface SampleSource {
  readonly database: string
  readonly table: string
  readonly shape: TableShape
  readonly totalRows: number
  readonly granularity: number
  /** Of the sample, quoted. */
  readonly name: string
}
