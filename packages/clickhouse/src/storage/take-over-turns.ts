import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'
import { INGEST_EPOCHS_TABLE } from './ingest-epochs.ts'

/** Whose partitions of a topic go to whom. */
export interface TurnTakeover {
  /** The pipeline that stores them now. */
  readonly from: string
  /** The one that is to. */
  readonly to: string
  readonly topicId: string
}

/** How turns are handed over. */
export interface TakeOverTurnsOptions extends CallOptions {
  /** Table that turns are kept in. @default 'smart_whale_ingest_epochs' */
  epochsTable?: string | undefined
}

/**
 * Takes a turn in a pipeline's name for each partition of a topic that another pipeline stores into a table, and answers the partitions. What still comes from that
 * one is refused from then on, and it is told when it looks. None where it has none: done before, perhaps.
 */
export async function takeOverTurns(adapter: ClickHouseAdapter, table: string, { from, to, topicId }: TurnTakeover, { epochsTable = INGEST_EPOCHS_TABLE, ...call }: TakeOverTurnsOptions = {}): Promise<readonly number[]> {
  const [database, name] = splitTableName(table, adapter.database)
  const [ofTurns, turnsName] = splitTableName(epochsTable, adapter.database)
  const { rows: made } = await adapter.execute('SELECT 1 AS one FROM system.tables WHERE database = {ofTurns:String} AND name = {turnsName:String}', { ofTurns, turnsName }, call)
  if (made.length === 0) return []
  const turns = quoteTableName(epochsTable)
  const params = { target: `${database}.${name}`, topicId, from, to }
  const held = `FROM ${turns} AS turns WHERE turns.target = {target:String} AND turns.topic_id = {topicId:String} GROUP BY turns.\`partition\` HAVING argMax(turns.pipeline, (turns.taken_at, turns.epoch, turns.attempt, turns.holder)) = {from:String}`
  const { rows } = await adapter.execute<Row & { partition: number }>(`SELECT turns.\`partition\` AS partition ${held} ORDER BY partition`, params, call)
  if (rows.length === 0) return []
  await adapter.execute(
    `INSERT INTO ${turns} (target, pipeline, topic_id, \`partition\`, epoch, attempt, owner, holder) SELECT {target:String}, {to:String}, {topicId:String}, turns.\`partition\`, max(turns.epoch) + 1, 0, 'taken over', toString(generateUUIDv4()) ${held}`,
    params,
    call,
  )
  return rows.map(({ partition }) => partition)
}
