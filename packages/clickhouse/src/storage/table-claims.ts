import { createHash, randomUUID } from 'node:crypto'
import { type Clock, OperationError, type Row, type TableClaim, tableTakenError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { ClickHouseBaseError, type ClickHouseErrorCode } from '../errors.ts'
import { agreedHolder, agreeOnHolder, type Proposal, type ProposalRegister } from './agree-on-holder.ts'
import type { EpochsTable } from './epochs-table.ts'
import { deniedProcesses } from './denied-processes.ts'

/** What {@link TableClaims} works with. */
export interface TableClaimsOptions {
  /** Speaks to the server. @default none, required */
  readonly adapter: ClickHouseAdapter
  /** Table that is claimed. @default none, required */
  readonly target: string
  /** Where claims are kept, beside the turns. @default none, required */
  readonly epochs: EpochsTable
  /** How long one statement may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** How long to wait for the claims of others to be written, in milliseconds. @default none, required */
  readonly settleTimeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
}

interface Call {
  readonly signal?: AbortSignal | undefined
}

/** Claims stand beside the turns, as those of a partition that no topic has. Earlier versions overlook them. */
export const CLAIMS_PARTITION = -1
/** How the server says that a proposal came too late. */
const TAKEN = 'smart_whale_table_taken'
const SCOPE = `turns.target = {target:String} AND turns.topic_id = {topic_id:String}`
const CLAIMS = `${SCOPE} AND turns.\`partition\` = ${CLAIMS_PARTITION}`
/** Of the proposals of one generation, this one counts. */
const FIRST = '(turns.taken_at, turns.holder)'

/**
 * Which pipeline stores a topic into a table, as ClickHouse itself has it: one for all partitions, chosen before any of them is written to. It is agreed on by
 * what {@link agreedHolder} rests on: an insert whose condition the server works out when it begins, and the list of what the server is at work on.
 */
export class TableClaims {
  readonly #options: TableClaimsOptions
  /** What was agreed on, by topic. */
  readonly #agreed = new Map<string, Proposal>()

  constructor(options: TableClaimsOptions) {
    this.#options = options
  }

  /** The pipeline that has the table for a topic. Where no claim says, because those who wrote came before there were any, it is the one that wrote last. */
  async holder(topicId: string, call: Call = {}): Promise<string | null> {
    return this.#holding(topicId, async () => (await this.#agreedOn(topicId, call))?.pipeline ?? (await this.#lastToWrite(topicId, call)))
  }

  /** Whether a claim says that another pipeline has the table. @throws `ERR_TABLE_TAKEN` */
  async refuseOthers(claim: Omit<TableClaim, 'table'>, call: Call = {}): Promise<void> {
    const agreed = await this.#agreedOn(claim.topicId, call)
    if (agreed !== null && agreed.pipeline !== claim.pipeline) throw this.#taken(claim, agreed.pipeline)
  }

  /** Gives the table to a pipeline where none has it. @throws `ERR_TABLE_TAKEN` */
  async claim(claim: Omit<TableClaim, 'table'>, call: Call = {}): Promise<void> {
    const { pipeline, topicId } = claim
    await this.#holding(topicId, async () => {
      const agreed = await this.#agreedOn(topicId, call)
      const holder = agreed?.pipeline ?? (await this.#lastToWrite(topicId, call)) ?? pipeline
      if (holder !== pipeline) throw this.#taken(claim, holder)
      if (agreed !== null) return
      const chosen = this.#remember(topicId, await agreeOnHolder(this.#register(topicId, call), pipeline, null))
      if (chosen.pipeline !== pipeline) throw this.#taken(claim, chosen.pipeline)
    })
  }

  /** How often the table was given to a pipeline so far. */
  async generation(topicId: string, call: Call = {}): Promise<bigint> {
    return this.#holding(topicId, async () => (await this.#agreedOn(topicId, call))?.generation ?? 0n)
  }

  /**
   * Gives the table to another pipeline than the one that has it; repeatable. Nothing is given where it went from hand to hand since a generation: it may have come back, and progress
   * with it that was moved before is another's. @throws `ERR_TABLE_TAKEN` when that is so, or neither of the two has it
   */
  async handOver(from: string, claim: Omit<TableClaim, 'table'>, { since, ...call }: Call & { readonly since?: bigint | undefined } = {}): Promise<void> {
    const { pipeline: to, topicId } = claim
    const agreed = await this.#agreedOn(topicId, call)
    const holder = agreed?.pipeline ?? (await this.#lastToWrite(topicId, call))
    if (holder === to && agreed !== null) return
    const isOvertaken = since !== undefined && (agreed?.generation ?? 0n) !== since
    if (isOvertaken || (holder !== from && holder !== to)) throw this.#taken(claim, holder ?? 'nobody')
    const chosen = this.#remember(topicId, await agreeOnHolder(this.#register(topicId, call), to, agreed))
    if (chosen.pipeline !== to) throw this.#taken(claim, chosen.pipeline)
  }

  async #holding<T>(topicId: string, work: () => Promise<T>): Promise<T> {
    const { epochs } = this.#options
    await epochs.make()
    try {
      return await work()
    } catch (error) {
      epochs.lookAgainAfter(error)
      if (ClickHouseBaseError.isInstance(error)) this.#agreed.delete(topicId)
      throw error
    }
  }

  async #agreedOn(topicId: string, call: Call): Promise<Proposal | null> {
    const agreed = await agreedHolder(this.#register(topicId, call), this.#agreed.get(topicId) ?? null)
    return agreed === null ? null : this.#remember(topicId, agreed)
  }

  #remember(topicId: string, agreed: Proposal): Proposal {
    this.#agreed.set(topicId, agreed)
    return agreed
  }

  #taken(claim: Omit<TableClaim, 'table'>, holder: string): OperationError {
    return tableTakenError({ ...claim, store: 'ClickHouse', table: this.#options.target, holder })
  }

  #register(topicId: string, { signal }: Call): ProposalRegister {
    const { adapter, epochs, timeoutMs } = this.#options
    const params = this.#paramsOf(topicId)
    const call = { signal, timeoutMs }
    const prefix = `smart-whale-claim-${createHash('sha256').update(JSON.stringify([params.target, topicId])).digest('hex').slice(0, 24)}-`
    return {
      first: async () => {
        const { rows } = await adapter.execute<Row & Proposal>(
          `SELECT turns.epoch AS generation, argMin(turns.pipeline, ${FIRST}) AS pipeline, argMin(turns.holder, ${FIRST}) AS id FROM ${epochs.quoted} AS turns WHERE ${CLAIMS} GROUP BY generation ORDER BY generation DESC LIMIT 1`,
          params,
          call,
        )
        return rows[0] ?? null
      },
      propose: async (generation, pipeline) => {
        const query = `SELECT throwIf(count() > 0, '${TAKEN}') FROM ${epochs.quoted} AS turns WHERE ${CLAIMS} AND turns.epoch >= {generation:UInt64}`
        const row = { target: params.target, pipeline, topic_id: topicId, partition: CLAIMS_PARTITION, epoch: generation, attempt: 0, owner: '', holder: randomUUID() }
        await adapter.insert(epochs.quoted, [row], { guard: { query, params: { ...params, generation } }, queryId: `${prefix}${randomUUID()}`, ...call }).catch((error: unknown) => {
          if (!ClickHouseBaseError.isInstance(error) || error.serverCode !== 395 || !error.message.includes(TAKEN)) throw error
        })
      },
      settled: () => this.#settled(prefix, signal),
    }
  }

  async #settled(prefix: string, signal: AbortSignal | undefined): Promise<void> {
    const { adapter, clock, timeoutMs, settleTimeoutMs } = this.#options
    const deadline = clock.monotonic() + settleTimeoutMs
    const running = async (): Promise<string[]> => {
      const { rows } = await adapter.execute<Row & { query_id: string }>('SELECT query_id FROM system.processes WHERE startsWith(query_id, {prefix:String})', { prefix }, { signal, timeoutMs })
      return rows.map(({ query_id }) => query_id)
    }
    // Later ones find a proposal and write nothing: only those of the first look are waited for.
    const begun = new Set(await running().catch(deniedProcesses))
    for (let round = 0, left = begun.size; left > 0; round++) {
      if (clock.monotonic() >= deadline) throw stillClaiming(this.#options.target, settleTimeoutMs)
      await sleep(Math.min(250, 10 * (round + 1)), { signal, clock })
      left = (await running()).filter((id) => begun.has(id)).length
    }
  }

  async #lastToWrite(topicId: string, { signal }: Call): Promise<string | null> {
    const { adapter, epochs, timeoutMs } = this.#options
    const { rows } = await adapter.execute<Row & { pipeline: string }>(
      `SELECT argMax(turns.pipeline, (turns.taken_at, turns.epoch, turns.attempt, turns.holder)) AS pipeline FROM ${epochs.quoted} AS turns WHERE ${SCOPE} AND turns.\`partition\` >= 0 HAVING count() > 0`,
      this.#paramsOf(topicId),
      { signal, timeoutMs },
    )
    return rows[0]?.pipeline ?? null
  }

  #paramsOf(topicId: string): { readonly target: string; readonly topic_id: string } {
    const [database, name] = splitTableName(this.#options.target, this.#options.adapter.database)
    return { target: `${database}.${name}`, topic_id: topicId }
  }
}

function stillClaiming(table: string, waitedMs: number): OperationError<ClickHouseErrorCode> {
  return new OperationError(`a claim for the table "${table}" has been on its way for more than ${waitedMs} ms; which pipeline has the table is known when it has ended`, { code: 'ERR_CLICKHOUSE_INSERT_RUNNING', retryable: true })
}
