import { type CallOptions, type Row, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { EpochsTable } from './epochs-table.ts'
import { TableClaims } from './table-claims.ts'

/** Whose partitions of a topic go to whom. */
export interface TurnTakeover {
  /** The pipeline that stores them now. */
  readonly from: string
  /** The one that is to. */
  readonly to: string
  readonly topicId: string
  /** The topic's name, for people. */
  readonly topic: string
  /** The `generation` of {@link tableGiven} when progress was not yet moved: nothing is given where the table went from hand to hand since. @default not looked at */
  readonly since?: bigint | undefined
}

/** How turns are handed over. */
export interface TakeOverTurnsOptions extends CallOptions {
  /** Table that turns and claims are kept in. @default 'smart_whale_ingest_epochs' */
  epochsTable?: string | undefined
}

/** Which pipeline has a table for a topic, null when none has, and how often it was given to one: grows with each time that it is handed over. */
export async function tableGiven(adapter: ClickHouseAdapter, table: string, topicId: string, { epochsTable, ...call }: TakeOverTurnsOptions = {}): Promise<{ readonly holder: string | null; readonly generation: bigint }> {
  const claims = claimsOf(adapter, table, new EpochsTable({ adapter, epochsTable, timeoutMs: call.timeoutMs ?? 30_000 }), call)
  // In this order: where it is given to another one in between, the generation is too small, and nothing is given.
  const generation = await claims.generation(topicId, call)
  return { generation, holder: await claims.holder(topicId, call) }
}

const claimsOf = (adapter: ClickHouseAdapter, table: string, epochs: EpochsTable, { timeoutMs = 30_000 }: CallOptions): TableClaims => new TableClaims({ adapter, target: table, epochs, timeoutMs, settleTimeoutMs: 60_000, clock: systemClock })

/**
 * Hands a table over for a topic: from here on another pipeline's name has it. Then takes a turn in that name for each partition that was stored so far, and answers
 * these partitions: what still comes from the former pipeline is refused by then. None where there is nothing to do: done before, perhaps.
 *
 * @throws OperationError `ERR_TABLE_TAKEN` when neither of the two has the table, or it went from hand to hand since
 */
export async function takeOverTurns(adapter: ClickHouseAdapter, table: string, { from, to, topicId, topic, since }: TurnTakeover, { epochsTable, ...call }: TakeOverTurnsOptions = {}): Promise<readonly number[]> {
  const { timeoutMs = 30_000 } = call
  const epochs = new EpochsTable({ adapter, epochsTable, timeoutMs })
  if (!(await epochs.isThere())) return []
  const claims = claimsOf(adapter, table, epochs, call)
  if ((await claims.holder(topicId, call)) === null) return []
  // The order is the point: a turn that is taken from here on is refused to all but the new one, and those that were taken before are seen below.
  await claims.handOver(from, { pipeline: to, topicId, topic }, { ...call, since })

  const [database, name] = splitTableName(table, adapter.database)
  const params = { target: `${database}.${name}`, topicId, to }
  const held = `FROM ${epochs.quoted} AS turns WHERE turns.target = {target:String} AND turns.topic_id = {topicId:String} AND turns.\`partition\` >= 0 GROUP BY turns.\`partition\` HAVING argMax(turns.pipeline, (turns.taken_at, turns.epoch, turns.attempt, turns.holder)) != {to:String}`
  const { rows } = await adapter.execute<Row & { partition: number }>(`SELECT turns.\`partition\` AS partition ${held} ORDER BY partition`, params, call)
  if (rows.length === 0) return []
  await adapter.execute(
    `INSERT INTO ${epochs.quoted} (target, pipeline, topic_id, \`partition\`, epoch, attempt, owner, holder) SELECT {target:String}, {to:String}, {topicId:String}, turns.\`partition\`, max(turns.epoch) + 1, 0, 'taken over', toString(generateUUIDv4()) ${held}`,
    params,
    call,
  )
  return rows.map(({ partition }) => partition)
}
