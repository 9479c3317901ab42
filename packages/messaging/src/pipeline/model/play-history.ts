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
import { SliceBudget } from '../slice-budget.ts'
import { modelClickHouse, modelPostgres } from './model-stores.ts'
import { modelReader, modelTransport } from './model-topic.ts'
import { ProcessDied, ProcessLife, type World } from './model-world.ts'

/** How one history is set up. */
export interface Setup {
  readonly sinks: 'both' | 'clickhouse' | 'timescaledb'
  readonly chunk: number
  readonly maxRows: number
  readonly hasViews: boolean
  /** Whether every other process has another definition. */
  readonly isRedefined: boolean
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
  const begin = (): ProcessLife => {
    assert.ok(lives.length < MOST_LIVES, 'the workers make no progress')
    const life = new ProcessLife(world)
    lives.push(live(world, life, setup).catch((error: unknown) => error))
    return life
  }
  const ends = async (): Promise<void> => {
    for (const failure of await Promise.all(lives)) if (failure !== undefined) throw failure
  }
  while (!isDone(world, setup)) await begin().vacant
  world.releaseAll()
  await ends()
  world.calmDown()
  // Whoever looks last finds nothing left to do, or does it.
  do await begin().vacant
  while (!isDone(world, setup))
  await ends()
}

/** Whether whatever decides it says that all of the topic is done. */
function isDone(world: World, { sinks }: Setup): boolean {
  const end = BigInt(world.kinds.length)
  if (sinks === 'clickhouse') return world.group?.offset === end
  return world.postgres?.nextOffset === end
}

async function live(world: World, life: ProcessLife, setup: Setup): Promise<void> {
  const { ledger, timescaledb } = modelPostgres(world, life)
  const own = setup.isRedefined && life.generation % 2 === 0 ? changed : definition
  const transport = modelTransport(world, life)
  const source = { topic: 'model', partition: 0, groupId: 'smart-whale-model' }
  const work = runPartition({
    pipeline: 'model',
    owner: `worker-${life.generation}`,
    reader: modelReader(world, life, setup.chunk, () => isDone(world, setup)),
    stores: {
      clickhouse: setup.sinks === 'timescaledb' ? null : modelClickHouse(world, life, setup.hasViews),
      timescaledb: setup.sinks === 'clickhouse' ? null : timescaledb,
      ledger: setup.sinks === 'clickhouse' ? null : ledger,
    },
    tables: own.tables,
    deadLetters: new DeadLetterOutbox({ transport, ...source, logger: silentLogger }),
    letters: createSentLetters(transport, source),
    formerLetters: () => assert.fail('nothing was taken over'),
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
      if (!isExpectedEnd(error, setup)) throw error
    })
    .finally(() => life.leave())
}

/** What may end a life besides its death: it was revoked, or somebody else has the partition. */
const EXPECTED_ENDS = new Set(['ERR_STALE_EPOCH', 'ERR_MESSAGING_LEDGER_WENT_BACK'])

function isExpectedEnd(error: unknown, { isRedefined }: Setup): boolean {
  if (!InfrastructureError.isInstance(error)) return error instanceof ProcessDied
  // The next process has the definition that this slice was begun under.
  return EXPECTED_ENDS.has(error.code) || error instanceof ProcessDied || (isRedefined && error.code === 'ERR_MESSAGING_DEFINITION_CHANGED')
}
