import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { Clock, Logger, Row, TimerHandle } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { insertBatch } from './insert-batch.ts'
import type { Room } from './room.ts'
import { BatchBuilder, failBatch, type RejectedRow, settleBatch, type StreamBatch } from './stream-batch.ts'
import type { StreamLimits, TableInvalidation } from './stream-options.ts'
import type { StreamTable } from './stream-tables.ts'

/** What every table's stream works with. */
export interface StreamWork {
  readonly adapter: ClickHouseAdapter
  readonly limits: StreamLimits
  readonly room: Room
  readonly clock: Clock
  readonly logger: Logger
  readonly invalidates: TableInvalidation | undefined
  /** A token that no other batch has. */
  readonly nextToken: () => string
  readonly count: (outcome: 'batches' | 'failures', rows: number) => void
}

/** Some rows of one call that fill the same columns, checked, with their places in the call. */
export interface CheckedRows {
  readonly shape: string
  readonly rows: readonly Row[]
  readonly indexes: readonly number[]
  readonly bytes: number
}

/** Rows that fill ever other columns would otherwise leave ever more batches open. */
const MAX_OPEN_BATCHES = 16

/** The rows on their way into one table: put together into batches, which are inserted one after the other. */
export class TableStream {
  readonly #table: StreamTable
  readonly #work: StreamWork
  readonly #sealed: StreamBatch[] = []
  /** Batches that are being put together, by the columns that their rows fill; the oldest first. */
  readonly #building = new Map<string, { readonly builder: BatchBuilder; readonly timer: TimerHandle }>()
  #draining: Promise<void> | undefined

  constructor(table: StreamTable, work: StreamWork) {
    this.#table = table
    this.#work = work
  }

  /** Adds rows to the batch that is being put together. Resolves, once they are stored, to those that were refused. */
  add({ shape, rows, indexes, bytes }: CheckedRows): Promise<readonly RejectedRow[]> {
    const { limits } = this.#work
    const open = this.#building.get(shape)?.builder
    if (open !== undefined && (open.rows + rows.length > limits.maxBatchRows || open.bytes + bytes > limits.maxBatchBytes))
      this.#seal(shape)
    const builder = this.#building.get(shape)?.builder ?? this.#begin(shape)
    const stored = builder.add(rows, indexes, bytes)
    if (builder.rows >= limits.maxBatchRows || builder.bytes >= limits.maxBatchBytes) this.#seal(shape)
    return stored
  }

  /** Sends rows as a batch of their own, under a token that stands for just these rows. */
  addAlone({ rows, indexes, bytes }: CheckedRows, token: string): Promise<readonly RejectedRow[]> {
    const builder = new BatchBuilder()
    const stored = builder.add(rows, indexes, bytes)
    this.#send(builder.build(this.#table.name, token))
    return stored
  }

  /** Sends what there is and resolves when nothing is under way any more. */
  async flush(): Promise<void> {
    for (const shape of [...this.#building.keys()]) this.#seal(shape)
    await this.#draining
  }

  #begin(shape: string): BatchBuilder {
    const [oldest] = this.#building.keys()
    if (oldest !== undefined && this.#building.size >= MAX_OPEN_BATCHES) this.#seal(oldest)
    const { clock, limits } = this.#work
    const builder = new BatchBuilder()
    this.#building.set(shape, { builder, timer: clock.setTimeout(() => this.#seal(shape), limits.maxBatchAgeMs) })
    return builder
  }

  #seal(shape: string): void {
    const building = this.#building.get(shape)
    if (building === undefined) return
    this.#building.delete(shape)
    this.#work.clock.clearTimeout(building.timer)
    this.#send(building.builder.build(this.#table.name, this.#table.deduplicates ? this.#work.nextToken() : undefined))
  }

  #send(batch: StreamBatch): void {
    this.#sealed.push(batch)
    // It goes on for all who add rows.
    this.#draining ??= outsideOfCalls(() => this.#drain()).finally(() => {
      this.#draining = undefined
    })
  }

  async #drain(): Promise<void> {
    for (let batch = this.#sealed.shift(); batch !== undefined; batch = this.#sealed.shift()) {
      await this.#insert(batch)
      this.#work.room.leave(batch.rows.length, batch.bytes)
    }
  }

  async #insert(batch: StreamBatch): Promise<void> {
    const { adapter, limits, logger, count } = this.#work
    const rows = batch.rows.length
    try {
      const refused = await insertBatch(adapter, batch, { timeoutMs: limits.insertTimeoutMs })
      // Before the callers hear of it: what they ask next must see what they wrote.
      await this.#invalidate()
      count('batches', rows - refused.size)
      settleBatch(batch, refused)
    } catch (error) {
      logger.error({ err: error, table: this.#table.name, rows }, 'a batch could not be inserted')
      // What broke may have broken after the rows were stored.
      await this.#invalidate()
      count('failures', rows)
      failBatch(batch, error)
    }
  }

  async #invalidate(): Promise<void> {
    try {
      await this.#work.invalidates?.invalidateTables([this.#table.name])
    } catch (error) {
      this.#work.logger.error(
        { err: error, table: this.#table.name },
        'answers that read the table could not be voided; they are served until their life ends',
      )
    }
  }
}
