import { randomUUID } from 'node:crypto'
import type { CallOptions, Clock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../../adapter-options.ts'
import { quoteTableName, remembersTokens, splitTableName } from '../../adapter/table-columns.ts'
import { OperationalError } from '../../operational-errors.ts'
import { BACKFILL_QUERY, markColumnOf, readMark, type RollupMark, type RollupState, type RollupStatements } from './rollup-statements.ts'
import { waitForInserts } from './wait-for-inserts.ts'

/** What building works with. */
export interface Building {
  readonly adapter: ClickHouseAdapter
  readonly waitForInsertsMs: number
  readonly clock: Clock
  readonly call: CallOptions
  /** Told before each statement. */
  readonly step: (what: string) => Promise<void>
}

/** Engines in which a row stays as it was inserted. */
const KEEPS_ROWS = /^(?:Replicated|Shared)?MergeTree$/

/**
 * Makes a rollup that stands for every row of its source once, while inserts go on.
 *
 * A view takes what is inserted from its creation on, but an insert that runs at that moment may have begun without it, and its rows
 * come to light later. Which rows the view has taken is therefore written beside each row, in a column of the source: first it says
 * no, and the view takes nothing; then the view is there, and the column says yes for inserts that begin from then on, all of which
 * know the view. When those that began before have ended, the rows that say no are a fixed set, and are filled in by themselves, into
 * a partition of their own that can be dropped and filled again.
 *
 * Each statement can be repeated. What has been done is told by the table's comment.
 * @returns how many rows of the source the rollup stands for
 */
export async function buildRollup(statements: RollupStatements, building: Building): Promise<number> {
  const { adapter, step } = building
  const { database } = adapter
  const window = await checkSource(statements, building)
  await run(building, 'create the table', statements.createTable(database, window))
  await run(building, 'add the mark to the source', statements.addMark())
  await run(building, 'create the view', statements.createView(database))
  await run(building, 'turn the mark', statements.turnMark())
  await step('wait for inserts that began before')
  await waitForInserts(adapter, building.waitForInsertsMs, building.clock, building.call)
  await run(building, 'empty what was filled before', statements.emptyBackfill(database))
  await run(building, 'fill in what was there before', statements.backfill(database))
  const rows = await compare(statements, building)
  await markAs(statements, building, 'filled')
  await finishRollup(statements, building)
  return rows
}

/** Takes back what a rollup needed only while it was made. Questions go to it already. */
export async function finishRollup(statements: RollupStatements, building: Building): Promise<void> {
  await run(building, 'release the view', statements.releaseView(building.adapter.database))
  // Inserts that still ask for the mark must be through before it goes.
  await building.step('wait for inserts that use the mark')
  await waitForInserts(building.adapter, building.waitForInsertsMs, building.clock, building.call)
  await dropMark(statements.source.table, statements.table, building)
  await markAs(statements, building, 'ready')
}

/**
 * Takes from the source the column that marked its rows while the rollup with this table was made.
 *
 * Twice, since an insert that began before brings the column back in a part that the server counts as younger than the change. A
 * part with a column that its table doesn't know makes every later mutation of the table fail (ClickHouse 26.7, compact parts).
 * Adding and dropping in one statement reaches those parts without showing the column to any insert.
 */
export async function dropMark(source: string, table: string, building: Building): Promise<void> {
  const mark = markColumnOf(table)
  const drop = `ALTER TABLE ${quoteTableName(source)} ADD COLUMN IF NOT EXISTS ${mark} UInt8, DROP COLUMN ${mark}`
  await run(building, 'take the mark from the source', drop)
  await building.step('wait for inserts that bring the mark back')
  await waitForInserts(building.adapter, building.waitForInsertsMs, building.clock, building.call)
  await run(building, 'take the mark from what they brought', drop)
}

/** How far a rollup is; undefined when it isn't there. */
export async function rollupState(statements: RollupStatements, adapter: ClickHouseAdapter, call: CallOptions): Promise<RollupState | undefined> {
  const [database] = splitTableName(statements.source.table, adapter.database)
  const { rows } = await adapter.execute<{ comment: string }>(
    'SELECT comment FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database, name: statements.table },
    call,
  )
  const mark: RollupMark | undefined = rows[0] === undefined ? undefined : readMark(rows[0].comment)
  return mark?.hash === statements.hash ? mark.state : undefined
}

/** @returns how many inserts the source remembers, so that the rollup drops the same repeats */
async function checkSource({ source }: RollupStatements, { adapter, call }: Building): Promise<number> {
  const [database, name] = splitTableName(source.table, adapter.database)
  const { rows } = await adapter.execute<{ engine: string; definition: string }>(
    'SELECT engine, create_table_query AS definition FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database, name },
    call,
  )
  const [found] = rows
  if (found === undefined) throw rollupError(`there is no table "${source.table}", or this user may not see it`, 404)
  if (!KEEPS_ROWS.test(found.engine)) {
    throw rollupError(
      `"${source.table}" is a ${found.engine}, whose rows change or lie elsewhere: a view would count what the table no longer has. Rollups need a MergeTree; metrics of this source are asked of it directly`,
      422,
    )
  }
  if (!remembersTokens(found.engine, found.definition)) return 0
  return Number(/non_replicated_deduplication_window\s*=\s*(\d+)/.exec(found.definition)?.[1] ?? 10_000)
}

/** Counts once more: what is wrong with the server's or with our idea of it must not be answered from. */
async function compare(statements: RollupStatements, building: Building): Promise<number> {
  const { adapter, call } = building
  await building.step('compare with the source')
  const count = async (query: string): Promise<number> => Number((await adapter.execute<{ rows: bigint | number | null }>(query, {}, call)).rows[0]?.rows ?? 0)
  const before = await count(statements.countSource())
  // A row is in its table a moment before it is in the rollup.
  await waitForInserts(adapter, building.waitForInsertsMs, building.clock, call)
  const rolledUp = await count(statements.countRollup(adapter.database))
  await waitForInserts(adapter, building.waitForInsertsMs, building.clock, call)
  const after = await count(statements.countSource())
  if (rolledUp >= Math.min(before, after) && rolledUp <= Math.max(before, after)) return rolledUp
  throw rollupError(
    `the rollup in ${statements.table} stands for ${rolledUp} rows, "${statements.source.table}" has ${before} to ${after}; it is not used. Were rows deleted meanwhile? Run it again`,
    500,
  )
}

async function markAs(statements: RollupStatements, building: Building, state: RollupState): Promise<void> {
  await run(building, `say that it is ${state}`, statements.mark(building.adapter.database, state))
}

async function run({ adapter, call, step }: Building, what: string, statement: string): Promise<void> {
  await step(what)
  // With an id of its own: rows of before are told by it. Never sent twice by a retry, which could fill in twice.
  await adapter.execute(statement, {}, { ...call, retry: false, queryId: `${BACKFILL_QUERY}${randomUUID()}` })
}

/** What keeps a rollup from being made. */
export function rollupError(message: string, status: number): OperationalError {
  return new OperationalError(message, { code: 'ERR_CLICKHOUSE_ROLLUP', retryable: false, status })
}
