import { ConfigurationError, type Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, remembersTokens, splitTableName } from '../adapter/table-columns.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { DEFAULT_DEDUPLICATION_WINDOW } from './create-table.ts'

interface TableRow extends Row {
  readonly engine: string
  readonly definition: string
}

/**
 * Makes sure that a repeated batch changes neither the table nor what its views feed: each has to remember tokens.
 * A plain MergeTree ignores them unless a window is set; a replicated one has a window by itself.
 * @throws ConfigurationError `ERR_CLICKHOUSE_NO_DEDUPLICATION` naming the table and the `ALTER` to run
 */
export async function checkDeduplicates(adapter: ClickHouseAdapter, table: string): Promise<void> {
  const [database, name] = splitTableName(table, adapter.database)
  const [found] = await describe(adapter, database, name)
  if (found === undefined) throw notReady(table, 'it does not exist, or this user may not see it: create it first')
  if (!remembersTokens(found.engine, found.definition)) {
    if (!found.engine.endsWith('MergeTree')) throw notReady(table, `its engine is ${found.engine}, which keeps no tokens: use a MergeTree`)
    throw notReady(table, remedy(quoteTableName(table)))
  }
  for (const view of await viewTargets(adapter, database, name)) {
    const [target] = await describe(adapter, view.database, view.name)
    if (target === undefined || !target.engine.endsWith('MergeTree') || remembersTokens(target.engine, target.definition)) continue
    throw notReady(`${view.database}.${view.name}`, `a view feeds it from "${table}": ${remedy(quoteTableName(`${quotePart(view.database)}.${quotePart(view.name)}`))}`)
  }
}

async function describe(adapter: ClickHouseAdapter, database: string, name: string): Promise<TableRow[]> {
  const query = 'SELECT engine, create_table_query AS definition FROM system.tables WHERE database = {database:String} AND name = {name:String}'
  return (await adapter.execute<TableRow>(query, { database, name })).rows
}

/** Tables that the views of a table write into, also through views of views. */
async function viewTargets(adapter: ClickHouseAdapter, database: string, name: string, seen = new Set<string>()): Promise<{ database: string; name: string }[]> {
  const { rows } = await adapter.execute<Row & { database: string; name: string; uuid: string; definition: string }>(
    `SELECT views.database AS database, views.name AS name, toString(views.uuid) AS uuid, views.create_table_query AS definition
     FROM system.tables AS base ARRAY JOIN base.dependencies_database AS d, base.dependencies_table AS t
     INNER JOIN system.tables AS views ON views.database = d AND views.name = t
     WHERE base.database = {database:String} AND base.name = {name:String} AND views.engine = 'MaterializedView'`,
    { database, name },
  )
  const targets: { database: string; name: string }[] = []
  for (const view of rows) {
    const target = targetOf(view)
    const key = `${target.database}.${target.name}`
    if (seen.has(key)) continue
    seen.add(key)
    targets.push(target, ...(await viewTargets(adapter, target.database, target.name, seen)))
  }
  return targets
}

/** The table behind `TO`, else the inner one that the view made for itself. */
function targetOf({ database, uuid, definition }: { database: string; uuid: string; definition: string }): { database: string; name: string } {
  const to = /^CREATE MATERIALIZED VIEW \S+ TO ((?:`(?:[^`\\]|\\.)+`|[^\s.(]+)(?:\.(?:`(?:[^`\\]|\\.)+`|[^\s.(]+))?)/.exec(definition)?.[1]
  if (to === undefined) return { database, name: `.inner_id.${uuid}` }
  const [targetDatabase, name] = splitTableName(to, database)
  return { database: targetDatabase, name }
}

const quotePart = (name: string): string => `\`${name.replaceAll('`', '``')}\``

function remedy(quotedTable: string): string {
  return `run ALTER TABLE ${quotedTable} MODIFY SETTING non_replicated_deduplication_window = ${DEFAULT_DEDUPLICATION_WINDOW}`
}

function notReady(table: string, what: string): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(`table "${table}" would store a repeated batch twice: ${what}`, { code: 'ERR_CLICKHOUSE_NO_DEDUPLICATION', context: { table } })
}
