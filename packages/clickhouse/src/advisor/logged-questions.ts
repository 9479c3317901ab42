import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryParams } from '../adapter-options.ts'

/** A question that was asked, maybe many times with other values. */
export interface LoggedQuestion {
  /** One of its texts, with values. */
  readonly query: string
  /** Database that unqualified names in it mean. */
  readonly database: string
  /** Tables that it reads, as `database.table`. */
  readonly tables: readonly string[]
  readonly times: number
  /** On average. */
  readonly readRows: number
  readonly readBytes: number
  readonly durationMs: number
  readonly resultRows: number
  /** Granules read, and granules of the tables, on average; both 0 where the server doesn't tell. */
  readonly granulesRead: number
  readonly granules: number
}

/** Which questions to look at. */
export interface LoggedQuestionsFilter {
  readonly hours: number
  readonly limit: number
  /** Condition on `database` of a table, as text of a query; `1` for all. */
  readonly inScope: (column: string) => string
}

type LogRow = Row & { [Column in keyof LoggedQuestion]: LoggedQuestion[Column] }

/** How a query of the log is asked: over the adapter, or by whoever looks on behalf of it. */
export type AskLog = <T extends Row>(query: string, params?: QueryParams) => Promise<T[]>

/** What was asked lately, the costliest first. What this package asks by itself (advisors, doctors, migrations) is left out. */
export async function readLoggedQuestions(ask: AskLog, { hours, limit, inScope }: LoggedQuestionsFilter): Promise<LoggedQuestion[]> {
  const rows = await ask<LogRow>(
    `SELECT argMax(log.query, event_time_microseconds) AS query, any(current_database) AS database, any(arraySort(log.tables)) AS tables, count() AS times,
      avg(read_rows) AS readRows, avg(read_bytes) AS readBytes, avg(query_duration_ms) AS durationMs, avg(result_rows) AS resultRows,
      avg(ProfileEvents['SelectedMarks']) AS granulesRead, avg(ProfileEvents['SelectedMarksTotal']) AS granules
    FROM system.query_log AS log
    WHERE event_date >= today() - toUInt32(ceil({hours:UInt32} / 24)) AND event_time >= now() - toIntervalHour({hours:UInt32})
      AND type = 'QueryFinish' AND query_kind = 'Select' AND is_initial_query AND length(log.query) <= 20000
      AND NOT startsWith(query_id, 'smart-whale-') AND arrayExists(name -> ${inScope("splitByChar('.', name)[1]")} AND NOT match(name, '^(system|INFORMATION_SCHEMA|information_schema|_table_function)\\\\.'), log.tables)
    GROUP BY normalized_query_hash ORDER BY sum(read_bytes) DESC LIMIT {limit:UInt32}`,
    { hours, limit },
  )
  return rows.map((row) => ({ ...row, times: Number(row.times) }))
}

/** Asks over an adapter, under names that later looks at the log leave out. */
export function askQuietly(adapter: ClickHouseAdapter, call: CallOptions): AskLog {
  return async <T extends Row>(query: string, params: QueryParams = {}): Promise<T[]> =>
    (await adapter.execute<T>(query, params, { ...call, queryId: `smart-whale-look-${crypto.randomUUID()}` })).rows
}
