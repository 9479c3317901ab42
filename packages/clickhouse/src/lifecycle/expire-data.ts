import { type CallOptions, type Row, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { isRefusal } from '../server-refusal.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { DataManagementError } from '../operational-errors.ts'
import type { KeptTable } from './kept-table.ts'
import type { ExpiryReport } from './lifecycle-options.ts'

/** What is to expire. */
export interface Expiry {
  readonly adapter: ClickHouseAdapter
  readonly table: KeptTable
  readonly dateColumn: string
  readonly olderThan: Date
  readonly dryRun: boolean
  readonly call: CallOptions
}

interface PartRow extends Row {
  readonly partition: string
  readonly part: string
  readonly rows: bigint
  readonly expired: bigint
}

/** How often merges may change the parts between a look and a drop. */
const ATTEMPTS = 10
const NO_SUCH_DATA_PART = 232

/**
 * Drops what has wholly expired and deletes the rest row by row. Parts are dropped by name and not by partition: a part never changes, whereas a row that
 * is stored in the meantime may be younger than all the others of its partition.
 */
export async function expireData(expiry: Expiry): Promise<ExpiryReport> {
  checkDateColumn(expiry)
  let rows = 0n
  const dropped = new Set<string>()
  const statements: string[] = []
  for (let attempt = 1; ; attempt++) {
    const parts = await findExpiredParts(expiry)
    const plan = planDrops(expiry.table, parts)
    const rest = parts.filter(({ rows: all, expired }) => expired < all)
    const done = await dropParts(expiry, plan, (drop) => {
      statements.push(drop.statement)
      rows += drop.rows
      for (const partition of drop.wholePartitions) dropped.add(partition)
    })
    if (!done && attempt < ATTEMPTS) continue
    if (!done) throw new DataManagementError(`the parts of table "${expiry.table.name}" are merged faster than they can be dropped; try again later`, { retryable: true, context: { table: expiry.table.name } })
    const deletedRows = rest.reduce((sum, { expired }) => sum + expired, 0n)
    if (deletedRows > 0n) statements.push(await deleteRows(expiry))
    return { rows: rows + deletedRows, dryRun: expiry.dryRun, droppedPartitions: [...dropped], deletedRows, statements }
  }
}

interface Drop {
  readonly statement: string
  readonly rows: bigint
  readonly wholePartitions: readonly string[]
}

/** One statement a partition: it has a few parts, the table may have thousands. */
function planDrops(table: KeptTable, parts: readonly PartRow[]): Drop[] {
  return [...Map.groupBy(parts, ({ partition }) => partition)].flatMap(([partition, all]) => {
    const whole = all.filter(({ rows, expired }) => rows === expired)
    if (whole.length === 0) return []
    const statement = `ALTER TABLE ${table.quoted} ${whole.map(({ part }) => `DROP PART '${part}'`).join(', ')}`
    return [{ statement, rows: whole.reduce((sum, { rows }) => sum + rows, 0n), wholePartitions: whole.length === all.length ? [partition] : [] }]
  })
}

/** False when a merge was faster: a part has gone into another one. */
async function dropParts({ adapter, dryRun, call }: Expiry, drops: readonly Drop[], onDrop: (drop: Drop) => void): Promise<boolean> {
  for (const drop of drops) {
    try {
      if (!dryRun) await adapter.execute(drop.statement, {}, { ...call, settings: { max_partition_size_to_drop: 0 } })
    } catch (error) {
      if (ClickHouseBaseError.isInstance(error) && error.serverCode === NO_SUCH_DATA_PART) return false
      throw error
    }
    onDrop(drop)
  }
  return true
}

/** Parts of every partition that has expired rows: a partition goes whole only if all of its parts do. */
async function findExpiredParts({ adapter, table, dateColumn, olderThan, call }: Expiry): Promise<PartRow[]> {
  const { rows } = await adapter.execute<PartRow>(
    `SELECT _partition_id AS partition, _part AS part, count() AS rows, countIf(${quoteName(dateColumn)} < {olderThan:DateTime64(6, 'UTC')}) AS expired
     FROM ${table.quoted} GROUP BY partition, part ORDER BY partition, part`,
    { olderThan },
    call,
  )
  const touched = new Set(rows.filter(({ expired }) => expired > 0n).map(({ partition }) => partition))
  return rows.filter(({ partition }) => touched.has(partition))
}

/** By marks on the rows; a table with projections can't have those and is rewritten. */
async function deleteRows({ adapter, table, dateColumn, olderThan, dryRun, call }: Expiry): Promise<string> {
  const moment = olderThan.toISOString().replace('T', ' ').replace('Z', '')
  const condition = `${quoteName(dateColumn)} < toDateTime64('${moment}', 6, 'UTC')`
  const marking = `DELETE FROM ${table.quoted} WHERE ${condition}`
  if (dryRun) return marking
  try {
    await adapter.execute(marking, {}, call)
    return marking
  } catch (error) {
    if (!isRefusal(error)) throw error
    const rewriting = `ALTER TABLE ${table.quoted} DELETE WHERE ${condition}`
    await adapter.execute(rewriting, {}, { ...call, settings: { mutations_sync: 2 } })
    return rewriting
  }
}

function checkDateColumn({ table, dateColumn }: Expiry): void {
  const column = table.columns.find(({ name }) => name === dateColumn)
  if (column !== undefined && isDate(column.type)) return
  const message = column === undefined ? `must be a column of "${table.name}", which has no "${dateColumn}"` : `must be a Date or DateTime column, "${dateColumn}" is ${column.type}`
  throw new ValidationError(`dateColumn ${message}`, { issues: [{ path: ['dateColumn'], message }] })
}

/** Whether a type is one of the dates and times, nullable or not. */
export function isDate(type: string): boolean {
  return /^(?:LowCardinality\()?(?:Nullable\()?Date(?:32|Time|Time64)?\b/.test(type)
}
