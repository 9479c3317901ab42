import type { ClickHouseOptions } from '@smart-whale/clickhouse'

/** When a runner is killed: before its statement is sent, while the server works at it, after the answer and before anything is written down. */
export type KillMoment = 'before' | 'during' | 'after'

/** What a runner is told. */
export interface RunnerPlan {
  readonly connection: ClickHouseOptions
  /** Holds the migrations in `files`, and marks of who was killed. */
  readonly folder: string
  readonly kills: readonly { readonly statement: string; readonly moment: KillMoment }[]
  /** Whether it may read the server's log of queries. */
  readonly seesLog: boolean
}

/** What a runner says that came to its end. */
export interface RunnerReport {
  readonly applied: readonly number[]
  readonly failures: readonly { readonly code: string; readonly message: string }[]
}
