/**
 * A query by which a tenant might reach what is not its own. `<table>` stands for a table of several tenants' rows with the columns
 * `tenant`, `id` and `secret`, `<other>` for a table that the caller has no right to, `<foreign>` for another tenant, `<file>` for a file
 * of the server, `<port>` for a TCP port at which nobody may ring, `<user>` for the ClickHouse user of the caller.
 */
export interface AbuseCase {
  /** What it reaches for. */
  readonly category: AbuseCategory
  /** The query, as a caller would send it. */
  readonly query: string
  /** Values that go with it. */
  readonly params?: Readonly<Record<string, unknown>>
  /** Whether an answer is fine as long as nothing foreign is in it. Otherwise the query must be refused. */
  readonly mayAnswer?: boolean
}

/** Everything that abuse may reach for. */
export type AbuseCategory =
  | 'foreign rows'
  | 'files'
  | 'sockets'
  | 'table functions'
  | 'settings'
  | 'several statements'
  | 'writing'
  | 'system tables'
  | 'error texts'
  | 'counts'
  | 'timing'
  | 'host'
  | 'exhaustion'

/** Cases of one category from their queries. */
export function casesOf(category: AbuseCategory, queries: readonly (string | Omit<AbuseCase, 'category'>)[]): AbuseCase[] {
  return queries.map((query) => (typeof query === 'string' ? { category, query } : { category, ...query }))
}
