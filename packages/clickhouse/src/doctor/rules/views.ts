import type { Row } from '@smart-whale/interfaces'
import { ClickHouseBaseError } from '../../errors.ts'
import { isGone } from '../is-gone.ts'
import { type DoctorRule, found, type Found, rowRule, tableOf } from '../rule.ts'
import { shapeOf } from '../../migrations/table-shape.ts'

interface ViewRow extends Row {
  database: string
  table: string
  engine: string
  query: string
  definition: string
}

/** Views whose query does not run any more. */
export const failingViews: DoctorRule = {
  name: 'failing-views',
  summary: 'views whose query no longer runs; a materialized one makes inserts into its source fail',
  examine: async ({ ask, inScope }) => {
    const views = await ask<ViewRow>(`SELECT database, name AS table, engine, as_select AS query, create_table_query AS definition FROM system.tables WHERE ${inScope('database')} AND engine IN ('View', 'MaterializedView') AND as_select != '' LIMIT 500`)
    const findings: Found[] = []
    for (const view of views) {
      const isMaterialized = view.engine === 'MaterializedView'
      const failures = [
        await failureOf(() => ask(`EXPLAIN SYNTAX ${view.query}`).then(() => ask(`EXPLAIN QUERY TREE ${view.query}`))),
        isMaterialized ? await failureOf(() => ask(`EXPLAIN SYNTAX SELECT * FROM ${targetOf(view)}`).then(() => ask(`DESCRIBE TABLE ${targetOf(view)}`))) : null,
      ].filter((failure) => failure !== null)
      if (failures.length > 0)
        findings.push(
          found(isMaterialized ? 'critical' : 'warning', `${view.database}.${view.table}`, `its query does not run: ${failures.join('; ').slice(0, 300)}${isMaterialized ? '; inserts into its source fail with it' : ''}`, {
            fixes: [{ sql: `DROP VIEW ${tableOf(view)}`, caution: 'the view is gone; keep its definition to make it anew once what it needs is there' }],
            advice: 'make again what it needs, or give it another query: ALTER TABLE … MODIFY QUERY',
          }),
        )
    }
    return findings
  },
}

function targetOf(view: ViewRow): string {
  return shapeOf(view.definition).target ?? tableOf(view)
}

async function failureOf(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (!isGone(error) && ClickHouseBaseError.isInstance(error) && error.code !== 'ERR_CLICKHOUSE_PERMISSION_DENIED') return error.message
    throw error
  }
}

interface RefreshRow extends Row {
  database: string
  view: string
  exception: string
  status: string
}

/** Views that are refreshed by the clock, and whose last refresh failed. */
export const failingRefreshes = rowRule<RefreshRow>({
  name: 'failing-refreshes',
  summary: 'views that are refreshed by the clock, and whose last refresh failed',
  read: ({ ask, inScope }) => ask(`SELECT database, view, exception, toString(status) AS status FROM system.view_refreshes WHERE ${inScope('database')} AND exception != '' LIMIT 100`),
  judge: (rows) =>
    rows.map((row) =>
      found('critical', `${row.database}.${row.view}`, `its last refresh failed: ${row.exception.slice(0, 300)}`, { fixes: [{ sql: `SYSTEM REFRESH VIEW ${tableOf({ database: row.database, table: row.view })}`, caution: 'tries again; fails again unless the reason is gone' }] }),
    ),
})
