import assert from 'node:assert/strict'
import { type Clock, InfrastructureError, silentLogger, silentMetrics } from '@smart-whale/interfaces'
import { Comebacks } from '../comebacks.ts'
import { DeadLetterOutbox } from '../dead-letter-outbox.ts'
import { sliceDecoder } from '../decode-batch.ts'
import { definePipelines } from '../define-pipelines.ts'
import { FloodGuard } from '../flood-guard.ts'
import { runPartition } from '../partition-worker.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import { PartitionProgress, pipelineMetrics } from '../pipeline-status.ts'
import { createSentLetters } from '../sent-letters.ts'
import type { LetterWork } from '../letter-right.ts'
import { pipelineGroup } from '../pipeline-group.ts'
import { SliceBudget } from '../slice-budget.ts'
import { modelClickHouse, modelPostgres } from './model-stores.ts'
import { modelReader, modelTransport } from './model-topic.ts'
import type { World } from './model-world.ts'
import { ProcessDied, ProcessLife } from './process-life.ts'
import { takeOverInModel } from './take-over-in-model.ts'

/** How one history is set up. */
export interface Setup {
  readonly sinks: 'both' | 'clickhouse' | 'timescaledb'
  readonly chunk: number
  readonly maxRows: number
  readonly hasViews: boolean
  /** Whether every other process has another definition. */
  readonly isRedefined: boolean
  /** Whether a pipeline with ClickHouse alone has its ledger in PostgreSQL. @default false */
  readonly isLedgerApart?: boolean | undefined
  /** How many processes there were when the pipeline got another name. @default it keeps its name */
  readonly renamedAfter?: readonly number[] | undefined
  /** Whether each second new name is the former one again. @default false */
  readonly isRenamedBack?: boolean | undefined
  /** Whether a worker of the former name is started once more then. @default false */
  readonly hasStrays?: boolean | undefined
  /** Whether one of the new name is started before that has taken over. @default false */
  readonly isHasty?: boolean | undefined
}

/** More lives than this, and the workers make no progress. */
const MOST_LIVES = 300

const FIELDS = { id: 'int64', time: 'timestamp' }
const [definition, changed] = [FIELDS, { ...FIELDS, note: 'string?' }].map((fields) => definePipelines([{ topic: 'model', fields, time: 'time' }])[0]) as [PipelineDefinition, PipelineDefinition]

/** Time that passes at once; half a minute with each reading that finds nothing. */
const hastyClock = (world: World): Clock => ({ now: () => 0, monotonic: () => world.idleReads * 30_000, setTimeout: (callback) => setImmediate(callback), clearTimeout: (handle) => clearImmediate(handle as NodeJS.Immediate) })

/** One process after the other, and beside the ones that were suspended, until all is done and everybody has come to an end. */
export async function playHistory(world: World, setup: Setup): Promise<void> {
  const lives: Promise<unknown>[] = []
  const operator = new Operator(world, setup)
  const begin = (pipeline = world.pipeline): ProcessLife => {
    assert.ok(lives.length < MOST_LIVES, 'the workers make no progress')
    const life = new ProcessLife(world, pipeline)
    lives.push(live(world, life, setup, operator).catch((error: unknown) => error))
    return life
  }
  const ends = async (): Promise<void> => {
    for (const failure of await Promise.all(lives)) if (failure !== undefined) throw failure
  }
  while (!isDone(world, setup)) {
    const former = operator.rename(lives.length)
    if (former !== null && setup.isHasty === true) await begin().vacant
    await operator.lookAfter(lives)
    if (former !== null && setup.hasStrays === true) await begin(former).vacant
    await begin().vacant
  }
  world.releaseAll()
  await ends()
  world.calmDown()
  // Whoever looks last finds nothing left to do, or does it.
  do {
    operator.rename(lives.length)
    await operator.lookAfter(lives)
    await begin().vacant
  } while (!isDone(world, setup))
  await ends()
}

/** Whether whatever decides it says that all of the topic is done. */
function isDone(world: World, setup: Setup, pipeline = world.pipeline): boolean {
  const end = BigInt(world.kinds.length)
  if (isLedgerInGroup(setup)) return world.groups.get(pipeline)?.offset === end
  return world.postgres?.nextOffset === end
}

const isLedgerInGroup = ({ sinks, isLedgerApart }: Setup): boolean => sinks === 'clickhouse' && isLedgerApart !== true

async function live(world: World, life: ProcessLife, setup: Setup, operator: Operator): Promise<void> {
  const { ledger, timescaledb } = modelPostgres(world, life, { hasTable: setup.sinks !== 'clickhouse' })
  const own = setup.isRedefined && life.generation % 2 === 0 ? changed : definition
  const transport = modelTransport(world, life)
  const lettersOf = (pipeline: string): LetterWork => {
    const source = { topic: 'model', partition: 0, groupId: pipelineGroup(pipeline) }
    return { deadLetters: new DeadLetterOutbox({ transport, ...source, logger: silentLogger }), letters: createSentLetters(transport, source) }
  }
  const work = runPartition({
    pipeline: life.pipeline,
    owner: `worker-${life.generation}`,
    reader: modelReader(world, life, setup.chunk, () => isDone(world, setup) || isDone(world, setup, life.pipeline)),
    stores: {
      clickhouse: setup.sinks === 'timescaledb' ? null : modelClickHouse(world, life, setup.hasViews),
      timescaledb: setup.sinks === 'clickhouse' ? null : timescaledb,
      ledger: isLedgerInGroup(setup) ? null : ledger,
    },
    tables: own.tables,
    ...lettersOf(life.pipeline),
    formerLetters: lettersOf,
    decode: sliceDecoder(own),
    fingerprint: own.fingerprint,
    // Each process has limits of its own: slices are cut elsewhere after a restart.
    limits: { maxRows: 1 + ((setup.maxRows + life.generation) % 6), maxBytes: 1_000_000, maxAgeMs: 1 },
    budget: new SliceBudget(),
    flood: new FloodGuard({ window: 1_000_000 }),
    comebacks: new Comebacks(),
    progress: new PartitionProgress({ name: 'model', table: 'model' }, 0, pipelineMetrics(silentMetrics), { stored: 0, deadLettered: 0, leftOut: 0, lost: [] }),
    clock: hastyClock(world),
    logger: silentLogger,
    graceMs: 1000,
    onStored: () => {},
  })
  await work
    .catch((error: unknown) => {
      if (operator.isTold(error, life) || isExpectedEnd(error, setup)) return
      throw error
    })
    .finally(() => life.leave())
}

/** Gives the pipeline another name now and then, and has the new one take over, as often as it takes. */
class Operator {
  readonly #world: World
  readonly #setup: Setup
  readonly #renamedAfter: number[]
  /** That the pipeline has had, in order. */
  readonly #names: string[]
  #isTakenOver = true

  constructor(world: World, setup: Setup) {
    this.#world = world
    this.#setup = setup
    this.#names = [world.pipeline]
    this.#renamedAfter = [...(setup.renamedAfter ?? [])].sort((one, other) => one - other)
  }

  /** Gives the pipeline its next name when so many processes have begun; answers the former one then. */
  rename(begun: number): string | null {
    if (begun < (this.#renamedAfter[0] ?? Number.POSITIVE_INFINITY)) return null
    const former = this.#world.pipeline
    this.#renamedAfter.shift()
    this.#world.pipeline = this.#setup.isRenamedBack === true && former.endsWith("'") ? former.slice(0, -1) : `${former}'`
    this.#names.push(this.#world.pipeline)
    this.#isTakenOver = false
    return former
  }

  /** Does what is to be done before the next worker begins. */
  async lookAfter(lives: Promise<unknown>[]): Promise<void> {
    while (!this.#isTakenOver) {
      this.#isTakenOver = true
      // From each name to each later one: after a failover, or a command that came too early, either store may have it under any of them.
      const moves = this.#names.flatMap((to, index) => this.#names.slice(0, index).map((from) => ({ from, to })))
      for (const move of moves.filter(({ from, to }) => from !== to)) await this.#takeOver(lives, move)
    }
  }

  /** Whether the end of a worker is one that an operator has to look after: it was told that the table is another pipeline's. */
  isTold(error: unknown, { pipeline }: ProcessLife): boolean {
    if (this.#names.length === 1 || !InfrastructureError.isInstance(error) || !ASKS_FOR_TAKE_OVER.has(error.code)) return false
    if (pipeline === this.#world.pipeline) this.#isTakenOver = false
    return true
  }

  /** Calls the command until it comes through; one that is suspended goes on later, beside whoever works by then. */
  async #takeOver(lives: Promise<unknown>[], names: { readonly from: string; readonly to: string }): Promise<void> {
    for (let isDone = false; !isDone; ) {
      assert.ok(lives.length < MOST_LIVES, 'the take-over makes no progress')
      const life = new ProcessLife(this.#world, names.from)
      const command = takeOverInModel(this.#world, life, { sinks: this.#setup.sinks, isLedgerInGroup: isLedgerInGroup(this.#setup), ...names })
      const answer = command.catch((error: unknown) => {
        // Neither of the two has it (any more), or not yet: another call sees to that.
        if (!hasCode(error, 'ERR_TABLE_TAKEN')) throw error
      })
      lives.push(answer.then(() => (isDone = true)).then(() => undefined, failureOf).finally(() => life.leave()))
      await life.vacant
    }
  }
}

/** Codes by which a worker says that the table, or the progress, is another pipeline's. */
const ASKS_FOR_TAKE_OVER = new Set(['ERR_TABLE_TAKEN', 'ERR_MESSAGING_PIPELINE_RENAMED'])

const hasCode = (error: unknown, code: string): boolean => InfrastructureError.isInstance(error) && error.code === code

/** Whatever else the command meets, it is called again. */
const failureOf = (error: unknown): unknown => (InfrastructureError.isInstance(error) ? undefined : error)

/** What may end a life besides its death: it was revoked, or somebody else has the partition. */
const EXPECTED_ENDS = new Set(['ERR_STALE_EPOCH', 'ERR_MESSAGING_LEDGER_WENT_BACK'])

function isExpectedEnd(error: unknown, { isRedefined }: Setup): boolean {
  if (!InfrastructureError.isInstance(error)) return error instanceof ProcessDied
  // The next process has the definition that this slice was begun under.
  return EXPECTED_ENDS.has(error.code) || error instanceof ProcessDied || (isRedefined && error.code === 'ERR_MESSAGING_DEFINITION_CHANGED')
}
