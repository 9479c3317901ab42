/** Which tables a query depends on, and which tables a write changes. Names are `database.table`. */
export interface TableDependencies {
  /** Tables whose rows the answer comes from; `any` when that can't be told. */
  readBy(query: string): Promise<readonly string[] | 'any'>
  /** As `readBy`, without a wait: the same list for as long as it holds; undefined when it takes one. */
  readAtOnce?(query: string): readonly string[] | 'any' | undefined
  /** The written table and all that materialized views fill from it; `any` when that can't be told. */
  affectedBy(table: string): Promise<readonly string[] | 'any'>
}

/** For whoever knows nothing of the tables: every query may read every one, every write may change any. */
export const allTables: TableDependencies = {
  readBy: async () => 'any',
  readAtOnce: () => 'any',
  affectedBy: async () => 'any',
}

/** Tag of answers that may depend on any table: every write to any table renews it. */
export const ANY_TABLE = 'any-table'

/** Tag of answers that depend on a table. */
export const tableTag = (table: string): string => `table:${table}`
