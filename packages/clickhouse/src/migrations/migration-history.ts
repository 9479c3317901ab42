import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'

/** Which way a migration runs. */
export type Direction = 'up' | 'down'

/**
 * One thing that happened to a migration. ClickHouse has no DDL transactions: only what is written down before and after
 * each statement tells later how far a run came.
 */
export interface MigrationEvent {
  readonly version: number
  readonly name: string
  readonly direction: Direction
  /**
   * `started`: a run set out; `begun`: a statement was about to be sent; `done`: it took effect; `failed`: it took no effect;
   * `finished`: every statement took effect.
   */
  readonly event: 'started' | 'begun' | 'done' | 'failed' | 'finished'
  /** Index of the statement, from 0; 0 for `started` and `finished`. */
  readonly statement: number
  /** Of the statement; of the whole text for `started` and `finished`. */
  readonly checksum: string
  /** Text that takes the migration back, with `started` alone. */
  readonly down: string
  readonly error: string
}

/** An event as it was recorded. */
export interface RecordedEvent extends MigrationEvent {
  readonly at: Date
  /** Of the lock that it was recorded under; grows from run to run. */
  readonly epoch: number
  /** Place among what was recorded under that lock. */
  readonly step: number
}

/** Which history this is. */
export interface HistoryIdentity {
  /** Another one for each table that was ever made, whatever its name. */
  readonly id: string
  /** Whether several servers hold it: then one server's log doesn't tell what others did. */
  readonly isShared: boolean
}

/** The table that remembers what happened to each migration; rows are only ever added. */
export class MigrationHistory {
  readonly #adapter: ClickHouseAdapter
  readonly #table: string

  constructor(adapter: ClickHouseAdapter, table: string) {
    this.#adapter = adapter
    this.#table = table
  }

  async create(call: CallOptions): Promise<void> {
    await this.#adapter.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#qualified()} (
        epoch UInt64,
        step UInt64,
        at DateTime64(3, 'UTC') DEFAULT now64(3),
        version UInt64,
        name String,
        direction LowCardinality(String),
        event LowCardinality(String),
        statement UInt32,
        checksum String,
        down String,
        error String
      ) ENGINE = MergeTree ORDER BY (epoch, step) COMMENT 'What happened to each migration; rows are only ever added'`,
      {},
      call,
    )
  }

  /** Which history this is; it must have been made. */
  async identify(call: CallOptions): Promise<HistoryIdentity> {
    const { rows } = await this.#adapter.execute<Row & { id: string; engine: string; databaseEngine: string }>(
      `SELECT toString(tables.uuid) AS id, tables.engine AS engine, databases.engine AS databaseEngine FROM system.tables AS tables
      LEFT JOIN system.databases AS databases ON databases.name = tables.database
      WHERE tables.database = {database:String} AND tables.name = {table:String}`,
      { database: this.#adapter.database, table: this.#table },
      call,
    )
    const { id = '', engine = '', databaseEngine = '' } = rows[0] ?? {}
    return { id, isShared: engine !== 'MergeTree' || /Replicated|Shared/.test(databaseEngine) }
  }

  /** Every event in the order in which it happened; none when the table doesn't exist yet. */
  async read(call: CallOptions): Promise<RecordedEvent[]> {
    if (!(await this.#exists(call))) return []
    const { rows } = await this.#adapter.execute<{ [Column in keyof RecordedEvent]: RecordedEvent[Column] }>(
      `SELECT epoch, step, at, version, name, direction, event, statement, checksum, down, error FROM ${this.#qualified()} ORDER BY epoch, step`,
      {},
      call,
    )
    return rows.map((row) => ({ ...row, epoch: Number(row.epoch), step: Number(row.step), version: Number(row.version), statement: Number(row.statement) }))
  }

  /** Writes an event down; `epoch` and `step` give its place in the order, whatever the clocks say. */
  async record(event: MigrationEvent, epoch: number, step: number, call: CallOptions & { queryId?: string | undefined }): Promise<void> {
    const { version, name, direction, event: kind, statement, checksum, down, error } = event
    await this.#adapter.execute(
      `INSERT INTO ${this.#qualified()} (epoch, step, version, name, direction, event, statement, checksum, down, error)
      SELECT {epoch:UInt64}, {step:UInt64}, {version:UInt64}, {name:String}, {direction:String}, {event:String}, {statement:UInt32}, {checksum:String}, {down:String}, {error:String}`,
      { epoch, step, version, name, direction, event: kind, statement, checksum, down, error },
      // Sent once: recorded twice would be harmless for the fold, but a failure here must stop the run at once.
      { ...call, retry: false },
    )
  }

  async #exists(call: CallOptions): Promise<boolean> {
    const query = 'SELECT 1 AS found FROM system.tables WHERE database = {database:String} AND name = {table:String}'
    const { rows } = await this.#adapter.execute(query, { database: this.#adapter.database, table: this.#table }, call)
    return rows.length > 0
  }

  #qualified(): string {
    return `${quoteName(this.#adapter.database)}.${quoteName(this.#table)}`
  }
}
