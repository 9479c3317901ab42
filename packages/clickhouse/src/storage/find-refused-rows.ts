import { randomUUID } from 'node:crypto'
import { type CallOptions, type RefusedRow, type Row, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'

/**
 * Which rows a table refuses for their data, without storing any: the rows go, in halves, into a copy of the table whose
 * engine is `Null`. Such a copy has the columns and constraints of the original, and none of its views.
 */
export async function findRefusedRows(adapter: ClickHouseAdapter, table: string, rows: readonly Row[], call: CallOptions): Promise<readonly RefusedRow[]> {
  const [database, name] = splitTableName(table, adapter.database)
  const probe = `${database}.smart_whale_probe_${randomUUID().replaceAll('-', '')}`
  await adapter.execute(`CREATE TABLE ${quoteTableName(probe)} AS ${quoteTableName(`${database}.${name}`)} ENGINE = Null`, {}, call)
  try {
    return await search(adapter, probe, rows, 0, call)
  } finally {
    await adapter.execute(`DROP TABLE IF EXISTS ${quoteTableName(probe)} SYNC`, {}, { timeoutMs: 10_000 })
  }
}

async function search(adapter: ClickHouseAdapter, probe: string, rows: readonly Row[], firstIndex: number, call: CallOptions): Promise<readonly RefusedRow[]> {
  const reason = await refusalOf(adapter, probe, rows, call)
  if (reason === null) return []
  if (rows.length === 1) return [{ index: firstIndex, reason }]
  const middle = rows.length >> 1
  const left = await search(adapter, probe, rows.slice(0, middle), firstIndex, call)
  return [...left, ...(await search(adapter, probe, rows.slice(middle), firstIndex + middle, call))]
}

async function refusalOf(adapter: ClickHouseAdapter, probe: string, rows: readonly Row[], call: CallOptions): Promise<string | null> {
  if (rows.length === 0) return null
  try {
    await adapter.insert(probe, rows, call)
    return null
  } catch (error) {
    if (!ValidationError.isInstance(error)) throw error
    // Column and constraint, not the table that only stands in: its name means nothing to a reader.
    const message = error.issues[0]?.message ?? error.message
    return message.replace(/ for table \S+ \([0-9a-f-]{36}\)/, '').replaceAll(probe, 'the table').replace(/ is violated at row \d+/, ' is violated')
  }
}
