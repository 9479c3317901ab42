import type { CallOptions, Clock, Logger } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../../adapter-options.ts'

/** What a {@link RollupManager} is made from. */
export interface RollupManagerOptions {
  /** Of a user who may create and alter tables, and see everybody's inserts in `system.processes`. @default none, required */
  adapter: ClickHouseAdapter
  /** How long to wait for inserts that began before a rollup, in milliseconds. @default 300000 */
  waitForInsertsMs?: number | undefined
  /** Time of one statement, in milliseconds; the one that fills a rollup reads the whole source. @default 3600000 */
  timeoutMs?: number | undefined
  /** How long to wait for another process that makes rollups, in milliseconds. @default 60000 */
  lockTimeoutMs?: number | undefined
  /** When a process that made rollups and is silent counts as dead, in seconds. @default 30 */
  leaseSeconds?: number | undefined
  /** Who makes them, for whoever waits. @default the host and the process id */
  holder?: string | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of each step. @default silentLogger */
  logger?: Logger | undefined
}

/** How one call is made. */
export interface RollupCallOptions extends CallOptions {
  /** Rollups to take care of. @default all of the definition */
  only?: readonly string[] | undefined
}

/** What became of a rollup. */
export interface RollupOutcome {
  readonly rollup: string
  readonly table: string
  /** `there`: nothing to do. `made`: built, filled and compared. `finished`: it was made before, and something was left over. */
  readonly outcome: 'there' | 'made' | 'finished'
  /** Rows of the source that it stands for. */
  readonly rows: number
  /** Tables of former definitions that were dropped. */
  readonly dropped: readonly string[]
}

/** What there is of a rollup. */
export interface RollupStatus {
  readonly rollup: string
  readonly table: string
  readonly state: 'missing' | 'building' | 'filled' | 'ready'
  /** Tables of former definitions, which no question goes to. */
  readonly former: readonly string[]
}

/** Makes the rollups of a definition, and drops those that are none any more. */
export interface RollupManager {
  /**
   * Makes what is missing, while inserts go on: afterwards each rollup stands for every row of its source once. May be broken off
   * at any point and run again, by several processes too. Rollups whose definition changed are made anew beside the former ones,
   * which are dropped when the new ones are filled.
   *
   * @throws OperationalError `ERR_CLICKHOUSE_ROLLUP`, and what the server has against a statement
   */
  apply(options?: RollupCallOptions): Promise<RollupOutcome[]>
  /** What there is. */
  status(options?: RollupCallOptions): Promise<RollupStatus[]>
  /** Drops rollups, present and former. Resolves to the tables that were dropped. */
  drop(options?: RollupCallOptions): Promise<string[]>
}
