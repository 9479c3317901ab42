import { type CallOptions, ConfigurationError, type Row } from '@smart-whale/interfaces'
import { isReplicated, splitTableName } from '../adapter/table-columns.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'

/**
 * Refuses an adapter over several servers for what is remembered at one: each call might meet another server, which knows nothing of it.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
 */
export function requireOneServer(adapter: ClickHouseAdapter, what: string): void {
  const servers = adapter.servers ?? []
  if (servers.length <= 1) return
  throw refusal(`${what} need one server, and the adapter is over ${servers.length} (${servers.join(', ')}): each statement might go to another one. Make the adapter of one of them, for example createAdapter(config.eachServer()[0])`)
}

/**
 * Makes sure that what is written through an adapter over several servers ends up in one place: each of the tables has to be replicated.
 * Rows would be scattered otherwise, and what is known of one server's not be known at the others. An adapter of one server passes.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` naming the table
 */
export async function requireOnePlace(adapter: ClickHouseAdapter, tables: readonly string[], options: CallOptions = {}): Promise<void> {
  const servers = adapter.servers ?? []
  if (servers.length <= 1) return
  for (const table of tables) {
    const [database, name] = splitTableName(table, adapter.database)
    const { rows } = await adapter.execute<Row & { engine: string }>('SELECT engine FROM system.tables WHERE database = {database:String} AND name = {name:String}', { database, name }, options)
    const engine = rows[0]?.engine
    if (engine !== undefined && isReplicated(engine)) continue
    const found = engine === undefined ? 'there is none at the server that was asked' : `its engine is ${engine}`
    throw refusal(`table "${table}" is written through ${servers.length} servers (${servers.join(', ')}), which takes a replicated table, and ${found}: its rows would be scattered. Replicate it, or make the adapter of one server`)
  }
}

function refusal(message: string): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError(message, { code: 'ERR_CLICKHOUSE_CONFIGURATION' })
}
