import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'

/** Rows that expire so soon count as expired: clocks differ, and a row may go while it is looked for. */
const SLACK_MS = 60_000
const DAY_MS = 86_400_000

/**
 * Tells which rows a table may have removed for their age, by the server's own clock. A rule of another form than "so many days after this
 * column" may have removed any.
 */
export async function expiryOf(adapter: ClickHouseAdapter, table: string, call: CallOptions): Promise<(row: Row) => boolean> {
  const [database, name] = splitTableName(table, adapter.database)
  const { rows } = await adapter.execute<Row & { definition: string; now: Date }>(
    'SELECT create_table_query AS definition, now64(3) AS now FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database, name },
    call,
  )
  const { definition = '', now } = rows[0] ?? {}
  const rule = /\sTTL\s(.*?)(?:\sSETTINGS\s.*)?$/s.exec(definition)?.[1]
  if (rule === undefined || now === undefined) return () => false
  const simple = /^(?:`((?:[^`\\]|\\.)+)`|(\w+)) \+ toIntervalDay\((\d+)\)$/.exec(rule)
  if (simple === null) return () => true
  const column = simple[1] ?? simple[2] ?? ''
  const cutoff = now.getTime() - Number(simple[3]) * DAY_MS + SLACK_MS
  return (row) => {
    const time = row[column]
    return time instanceof Date ? time.getTime() <= cutoff : true
  }
}
