import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import type { Schema } from './drift.ts'

/** A database's tables as a run left them. */
export interface DeclaredSchema {
  readonly schema: Schema
  /** The run. */
  readonly epoch: number
  readonly at: Date
}

/** The table that remembers how each run left the database; only the latest counts. */
export class DeclaredSchemas {
  readonly #adapter: ClickHouseAdapter
  readonly #table: string

  constructor(adapter: ClickHouseAdapter, table: string) {
    this.#adapter = adapter
    this.#table = table
  }

  /** How the latest run left the database; undefined when none has written it down. */
  async latest(call: CallOptions): Promise<DeclaredSchema | undefined> {
    const { rows: found } = await this.#adapter.execute('SELECT 1 AS found FROM system.tables WHERE database = {database:String} AND name = {table:String}', { database: this.#adapter.database, table: this.#table }, call)
    if (found.length === 0) return undefined
    const { rows } = await this.#adapter.execute<Row & { epoch: bigint; at: Date; tables: Map<string, string> | Record<string, string> }>(
      `SELECT epoch, at, tables FROM ${this.#qualified()} ORDER BY epoch DESC LIMIT 1`,
      {},
      call,
    )
    const [row] = rows
    if (row === undefined) return undefined
    const { tables } = row
    return { schema: tables instanceof Map ? Object.fromEntries(tables) : tables, epoch: Number(row.epoch), at: row.at }
  }

  async record(schema: Schema, epoch: number, call: CallOptions): Promise<void> {
    await this.#adapter.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#qualified()} (epoch UInt64, at DateTime64(3, 'UTC') DEFAULT now64(3), tables Map(String, String) CODEC(ZSTD(3)))
      ENGINE = MergeTree ORDER BY epoch COMMENT 'How each run of migrations left the database; what differs now was changed by other hands'`,
      {},
      call,
    )
    // Not as parameters: those travel in the address, and a schema may be long.
    await this.#adapter.insert(this.#qualified(), [{ epoch, tables: schema }], { ...call, settings: { async_insert: 0 } })
  }

  #qualified(): string {
    return `${quoteName(this.#adapter.database)}.${quoteName(this.#table)}`
  }
}

/**
 * What counts as declared after a run: what it changed, as it is now; everything else as it was declared before, so that what was changed
 * by other hands meanwhile stays a difference.
 */
export function declaredAfter(declared: Schema | undefined, before: Schema, now: Schema): Schema {
  if (declared === undefined) return now
  const names = new Set([...Object.keys(declared), ...Object.keys(now)])
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const wasChanged = before[name] !== now[name]
      const text = wasChanged ? now[name] : declared[name]
      return text === undefined ? [] : [[name, text]]
    }),
  )
}
