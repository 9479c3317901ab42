import type { Drift } from './drift.ts'
import type { Topology } from './topology.ts'
import type { CallOptions, Clock, InfrastructureError, Logger } from '@smart-whale/interfaces'

/** What a `MigrationManager` is made from. */
export interface MigrationManagerOptions {
  /** Table, in the adapter's database, that remembers what happened. Independent sets of migrations need tables of their own. @default 'smart_whale_migrations' */
  table?: string | undefined
  /** After how long without a sign of life a runner is taken for dead and its lock is taken over. @default 30 */
  leaseSeconds?: number | undefined
  /** How long to wait for another runner. @default 60000 */
  lockTimeoutMs?: number | undefined
  /** How long one statement may take. @default 600000 */
  timeoutMs?: number | undefined
  /** Whether a migration may be applied although a later one was. @default false */
  allowOutOfOrder?: boolean | undefined
  /** How the servers share the tables; the same files then fit one server, replicas or shards. @default one server */
  topology?: Topology | undefined
  /** Who runs, for whoever waits. @default the host's name and the process id */
  holder?: string | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of each migration. @default silentLogger */
  logger?: Logger | undefined
  /** Hears of each statement before it is sent, with its place of so many. @default nobody hears */
  onStatement?: ((sending: { readonly version: number; readonly name: string; readonly statement: string; readonly place: number; readonly of: number }) => void) | undefined
}

/** What a single call may be told. */
export interface MigrationCallOptions {
  /** `true` tells what would be done and changes nothing. @default false */
  dryRun?: boolean | undefined
  /** The last version to apply, of a folder. @default all of them */
  upTo?: number | undefined
  /** Ends the run; the statement under way is ended on the server. @default never aborted */
  signal?: AbortSignal | undefined
}

/** What settling a statement may be told. */
export interface SettleOptions extends CallOptions {
  /** Place of the statement that you looked at, counted from 1: refused when it is another one by now. @default whichever is uncertain */
  statement?: number | undefined
}

/** What became of one migration. */
export interface MigrationOutcome {
  readonly version: number
  readonly name: string
  /** Statements that were sent by this run. */
  readonly statements: number
  readonly durationMs: number
  readonly error?: InfrastructureError
  /** The statement that failed, and its place counted from 1; not there when it was none that failed. */
  readonly failedAt?: { readonly place: number; readonly statement: string }
}

/** What was changed by other hands than the migrations'. */
export interface DriftReport {
  /** When a run last wrote down how it left the database; null when none has, and nothing can be told. */
  readonly since: Date | null
  readonly drift: readonly Drift[]
}

/** A migration that was not run, and what running it would send. */
export interface PlannedMigration {
  readonly version: number
  readonly name: string
  readonly statements: readonly string[]
}

/** What became of a run. */
export interface MigrationReport {
  readonly dryRun: boolean
  readonly succeeded: readonly MigrationOutcome[]
  /** At most one: a run stops at the first failure. */
  readonly failed: readonly MigrationOutcome[]
  /** In a dry run all that would be run; else what stands behind the failure. */
  readonly planned: readonly PlannedMigration[]
}

/** Where one migration stands. */
export interface MigrationStatus {
  readonly version: number
  readonly name: string
  /** `half-done`: some statements took effect; `changed`: applied, and its file reads differently now; `missing`: applied, and its file is gone. */
  readonly state: 'pending' | 'applied' | 'half-done' | 'changed' | 'missing'
  /** Statements of a half-done migration that took effect. */
  readonly statementsDone: number
  /** Whether nobody knows if the next statement took effect; see `settleMigration`. */
  readonly uncertain: boolean
  readonly error: string | null
  readonly at: Date | null
}
