/** A statement that must not take effect twice, and a query that answers 1 once it took effect. */
export interface TriedStatement {
  readonly version: number
  readonly statement: string
  readonly tookEffect: string
}

const exists = (table: string): string => `SELECT count() > 0 FROM system.tables WHERE database = currentDatabase() AND name = '${table}'`

/** Migrations of which no statement may be sent twice: a second time it fails, or does harm. In order. */
export const STATEMENTS: readonly TriedStatement[] = [
  { version: 1, statement: 'CREATE TABLE counts (id UInt64, n Int64) ENGINE = MergeTree ORDER BY id', tookEffect: exists('counts') },
  { version: 1, statement: 'INSERT INTO counts SELECT number, 0 FROM numbers(100)', tookEffect: 'SELECT count() > 0 FROM counts' },
  { version: 1, statement: 'ALTER TABLE counts UPDATE n = n + 1 WHERE 1', tookEffect: 'SELECT sum(n) > 0 FROM counts' },
  { version: 2, statement: 'CREATE TABLE next (id UInt64, n Int64) ENGINE = MergeTree ORDER BY id', tookEffect: exists('next') },
  { version: 2, statement: 'INSERT INTO next SELECT id, n + 10 + 0 * sleepEachRow(0.001) FROM counts', tookEffect: 'SELECT count() > 0 FROM next' },
  { version: 2, statement: 'EXCHANGE TABLES counts AND next', tookEffect: 'SELECT min(n) >= 11 FROM counts' },
  { version: 2, statement: 'RENAME TABLE next TO old', tookEffect: exists('old') },
  { version: 3, statement: "ALTER TABLE counts ADD COLUMN note String DEFAULT 'x'", tookEffect: "SELECT count() > 0 FROM system.columns WHERE database = currentDatabase() AND table = 'counts' AND name = 'note'" },
  { version: 3, statement: 'CREATE MATERIALIZED VIEW seen ENGINE = SummingMergeTree ORDER BY id AS SELECT id, toUInt64(1) AS times FROM counts', tookEffect: exists('seen') },
  { version: 3, statement: 'INSERT INTO counts (id, n) SELECT 1000 + number, 1 FROM numbers(50)', tookEffect: 'SELECT count() > 100 FROM counts' },
  { version: 3, statement: 'DROP TABLE old', tookEffect: `SELECT NOT (${exists('old')})` },
]

/** What is there when each took effect once: rows, their sum, what the view saw, and tables left over. */
export const OUTCOME = {
  query: "SELECT (SELECT count() FROM counts), (SELECT sum(n) FROM counts), (SELECT sum(times) FROM seen), (SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('old', 'next'))",
  wanted: '150 1150 50 0',
}

/** The files, by name. */
export function migrationFiles(): Record<string, string> {
  const versions = [...new Set(STATEMENTS.map(({ version }) => version))]
  return Object.fromEntries(versions.map((version) => [`${version}_step.up.sql`, STATEMENTS.filter((each) => each.version === version).map(({ statement }) => statement).join(';\n')]))
}
