import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { requireOneServer } from '../servers/one-place.ts'
import { INGEST_EPOCHS_TABLE, ingestEpochsDefinition } from './ingest-epochs.ts'

/** What {@link EpochsTable} works with. */
export interface EpochsTableOptions {
  /** Speaks to the server. @default none, required */
  readonly adapter: ClickHouseAdapter
  /** Table that turns and claims are kept in. @default 'smart_whale_ingest_epochs' */
  readonly epochsTable?: string | undefined
  /** How long one statement may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
}

/** The table of turns and claims, made when it is missing. */
export class EpochsTable {
  /** As SQL may contain it. */
  readonly quoted: string
  readonly #options: EpochsTableOptions
  #made: Promise<void> | null = null

  constructor(options: EpochsTableOptions) {
    this.#options = options
    this.quoted = quoteTableName(options.epochsTable ?? INGEST_EPOCHS_TABLE)
  }

  /** Looked for first: to make a table that is there needs a right that a writer may lack. Asked once, until it fails. */
  make(): Promise<void> {
    this.#made ??= outsideOfCalls(() => this.#makeOnce()).catch((error: unknown) => {
      this.#made = null
      throw error
    })
    return this.#made
  }

  /** Whether there is one; nothing is made. */
  async isThere(): Promise<boolean> {
    const { adapter, epochsTable, timeoutMs } = this.#options
    const [database, name] = splitTableName(epochsTable ?? INGEST_EPOCHS_TABLE, adapter.database)
    const { rows } = await adapter.execute('SELECT name FROM system.tables WHERE database = {database:String} AND name = {name:String}', { database, name }, { timeoutMs })
    return rows.length > 0
  }

  /** After a failure: where somebody dropped the table, the next attempt makes it. What was in it is over by that: no turn is the newest any more. */
  lookAgainAfter(error: unknown): void {
    if (ClickHouseBaseError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT') this.#made = null
  }

  async #makeOnce(): Promise<void> {
    const { adapter, epochsTable, timeoutMs } = this.#options
    // Whether an insert of a former owner still runs is known at its server alone.
    requireOneServer(adapter, 'turns of a pipeline')
    if (!(await this.isThere())) await adapter.execute(ingestEpochsDefinition({ table: epochsTable }), {}, { timeoutMs })
  }
}
