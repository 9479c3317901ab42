import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Clock, InfrastructureError, silentLogger, silentMetrics } from '@smart-whale/interfaces'
import { Comebacks } from './comebacks.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'
import { sliceDecoder } from './decode-batch.ts'
import { definePipelines } from './define-pipelines.ts'
import { FloodGuard } from './flood-guard.ts'
import { modelClickHouse, modelPostgres } from './model/model-stores.ts'
import { modelReader, modelTransport } from './model/model-topic.ts'
import { type EventKind, type Fate, type PlannedFate, ProcessDied, ProcessLife, World } from './model/model-world.ts'
import { runPartition } from './partition-worker.ts'
import { SliceBudget } from './slice-budget.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { PartitionProgress, pipelineMetrics } from './pipeline-status.ts'
import { createSentLetters } from './sent-letters.ts'

/** Time that passes at once; half a minute with each reading that finds nothing. */
const hastyClock = (world: World): Clock => ({ now: () => 0, monotonic: () => world.idleReads * 30_000, setTimeout: (callback) => setImmediate(callback), clearTimeout: (handle) => clearImmediate(handle as NodeJS.Immediate) })

const FIELDS = { id: 'int64', time: 'timestamp' }
const [definition, changed] = [FIELDS, { ...FIELDS, note: 'string?' }].map((fields) => definePipelines([{ topic: 'model', fields, time: 'time' }])[0]) as [PipelineDefinition, PipelineDefinition]

/** How one history is set up. */
interface Setup {
  readonly sinks: 'both' | 'clickhouse' | 'timescaledb'
  readonly chunk: number
  readonly maxRows: number
  readonly hasViews: boolean
  /** Whether every other process has another definition. */
  readonly isRedefined: boolean
}

/** Whether whatever decides it says that all of the topic is done. */
function isDone(world: World, { sinks }: Setup): boolean {
  const end = BigInt(world.kinds.length)
  if (sinks === 'clickhouse') return world.group?.offset === end
  return world.postgres?.nextOffset === end
}

/** What may end a life besides its death: it was revoked, or somebody else has the partition. */
const EXPECTED_ENDS = new Set(['ERR_STALE_EPOCH', 'ERR_MESSAGING_LEDGER_WENT_BACK'])

function isExpectedEnd(error: unknown, { isRedefined }: Setup): boolean {
  if (!InfrastructureError.isInstance(error)) return error instanceof ProcessDied
  // The next process has the definition that this slice was begun under.
  return EXPECTED_ENDS.has(error.code) || error instanceof ProcessDied || (isRedefined && error.code === 'ERR_MESSAGING_DEFINITION_CHANGED')
}

async function live(world: World, life: ProcessLife, setup: Setup): Promise<void> {
  const { ledger, timescaledb } = modelPostgres(world, life)
  const own = setup.isRedefined && life.generation % 2 === 0 ? changed : definition
  const reader = modelReader(world, life, setup.chunk, () => isDone(world, setup))
  const work = runPartition({
    pipeline: 'model',
    owner: `worker-${life.generation}`,
    reader,
    stores: {
      clickhouse: setup.sinks === 'timescaledb' ? null : modelClickHouse(world, life, setup.hasViews),
      timescaledb: setup.sinks === 'clickhouse' ? null : timescaledb,
      ledger: setup.sinks === 'clickhouse' ? null : ledger,
    },
    deadLetters: new DeadLetterOutbox({ transport: modelTransport(world, life), topic: 'model', partition: 0, groupId: 'smart-whale-model', logger: silentLogger }),
    letters: createSentLetters(modelTransport(world, life), { topic: 'model', partition: 0, groupId: 'smart-whale-model' }),
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

/** One process after the other, and beside the ones that were suspended, until all is done and everybody has come to an end. */
async function play(world: World, setup: Setup): Promise<void> {
  const lives: Promise<unknown>[] = []
  const begin = (): ProcessLife => {
    expect(lives.length, 'the workers make no progress').toBeLessThan(300)
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

const ascending = (left: bigint, right: bigint): number => Number(left - right)

function expectOnce(world: World, { sinks, hasViews }: Setup, mayDoubleLetters = false): void {
  const refusing = new Set<EventKind>(['undecodable', ...(sinks === 'timescaledb' ? [] : (['refused-by-clickhouse'] as const)), ...(sinks === 'clickhouse' ? [] : (['refused-by-timescaledb'] as const))])
  const good = world.kinds.flatMap((kind, offset) => (refusing.has(kind) ? [] : [BigInt(offset)]))
  const bad = world.kinds.flatMap((kind, offset) => (refusing.has(kind) ? [BigInt(offset)] : []))
  const isKept = (offset: bigint): boolean => world.kinds[Number(offset)] !== 'old'
  if (sinks !== 'timescaledb') expect(world.clickhouse.filter(isKept).sort(ascending), 'rows in ClickHouse').toEqual(good.filter(isKept))
  // Of a slice that no ledger knows of any more, an old row that isn't there counts as one that the store has removed already.
  if (sinks !== 'timescaledb' && !world.hasLostCommits) expect([...new Set(world.clickhouse)].sort(ascending), 'rows that came to ClickHouse').toEqual(good)
  if (sinks !== 'clickhouse') expect([...(world.postgres?.rows ?? [])].sort(ascending), 'rows in PostgreSQL').toEqual(good)
  if (sinks !== 'timescaledb' && hasViews && !world.hasLostCommits) expect(world.view.sort(ascending), 'rows in the view').toEqual(good)
  // What was cut in one process and is not done is finished under its definition, or is made anew as a whole.
  if (sinks === 'both' && !world.hasLostCommits) expect(world.madeBy.timescaledb, 'definitions of rows').toEqual(world.madeBy.clickhouse)

  const letters = world.deadLetters.map(({ offset }) => offset).sort(ascending)
  expect([...new Set(letters)], 'dead letters').toEqual(bad)
  const doubled = letters.filter((offset, index) => letters[index - 1] === offset)
  // One whose place was lost with the ledger's commit may be sent by its suspended owner behind its successor's look: docs/guides/delivery-guarantees.md.
  expect(mayDoubleLetters ? [] : doubled, 'dead letters twice').toEqual([])
}

const kinds = fc.array(fc.oneof({ weight: 8, arbitrary: fc.constant<EventKind>('good') }, fc.constantFrom<EventKind>('old', 'undecodable', 'refused-by-clickhouse', 'refused-by-timescaledb')), { minLength: 1, maxLength: 24, size: 'max' })
const fates = fc.constantFrom<Fate>('fails-before', 'fails-after', 'arrives-late', 'pauses-before', 'pauses-after', 'dies-before', 'dies-after', 'server-fails', 'replica-takes-over')
const plan = fc.array(fc.record<PlannedFate>({ fate: fc.oneof({ weight: 5, arbitrary: fc.constant<Fate>('works') }, { weight: 4, arbitrary: fates }), delay: fc.nat(40) }), { maxLength: 120, size: 'max' })
const setup = (sinks: Setup['sinks']): fc.Arbitrary<Setup> => fc.record({ sinks: fc.constant(sinks), chunk: fc.integer({ min: 1, max: 6 }), maxRows: fc.integer({ min: 1, max: 6 }), hasViews: fc.boolean(), isRedefined: fc.boolean() })

/** Histories that went wrong once: what is odd in them by step, all the others work. */
const HISTORIES: readonly { what: string; events: readonly EventKind[]; odd: readonly (readonly [number, Fate, number?])[]; mayLoseCommits: boolean; how: Setup }[] = [
  {
    what: 'send no letter twice when the ledger lost the commit that knew of the first one',
    events: ['refused-by-timescaledb', 'good'],
    odd: [[8, 'fails-after'], [10, 'replica-takes-over'], [17, 'pauses-before'], [19, 'fails-after'], [20, 'replica-takes-over', 15]],
    mayLoseCommits: true,
    how: { sinks: 'timescaledb', chunk: 1, maxRows: 1, hasViews: false, isRedefined: false },
  },
  {
    what: 'make nothing anew of which a view may have been fed, though the row has expired and its neighbour was excluded',
    events: ['old', 'refused-by-timescaledb', 'good'],
    odd: [[0, 'replica-takes-over'], [2, 'replica-takes-over'], [5, 'fails-before'], [6, 'pauses-before', 9], [10, 'pauses-after', 39], [11, 'fails-before']],
    mayLoseCommits: false,
    how: { sinks: 'both', chunk: 1, maxRows: 1, hasViews: true, isRedefined: true },
  },
  {
    what: 'don’t take rows for ones of a lost ledger that another worker stored, and a replica lost before the ledger was asked',
    events: ['good'],
    odd: [[0, 'pauses-before'], [3, 'fails-before'], [4, 'pauses-after', 10], [5, 'pauses-before', 9], [15, 'fails-after'], [16, 'replica-takes-over'], [17, 'replica-takes-over', 21], [18, 'replica-takes-over', 35]],
    mayLoseCommits: true,
    how: { sinks: 'timescaledb', chunk: 1, maxRows: 1, hasViews: false, isRedefined: false },
  },
]

describe('partition workers, killed, suspended, failed and held up at any step', () => {
  it.each(['both', 'clickhouse', 'timescaledb'] as const)('put every good record into each store once, and every bad one into the dead letters and nowhere else (%s)', async (sinks) => {
    await fc.assert(
      fc.asyncProperty(kinds, plan, setup(sinks), fc.integer({ min: 1, max: 4 }), async (events, planned, how, window) => {
        // Views are mended by what the table remembers, so that has to reach far enough.
        const world = new World(events, planned, { window: how.hasViews ? 1000 : window, mayLoseCommits: !how.hasViews })
        await play(world, how)
        expectOnce(world, how, world.hasLostSuspendedOnes)
      }),
      { numRuns: 300, endOnFailure: true },
    )
  })

  it.each(HISTORIES)('$what', async ({ events, odd, mayLoseCommits, how }) => {
    const steps = Math.max(...odd.map(([step]) => step)) + 1
    const planned = Array.from({ length: steps }, (_, step): PlannedFate => {
      const [, fate, delay = 0] = odd.find(([at]) => at === step) ?? [step, 'works' as const]
      return { fate, delay }
    })
    const world = new World(events, planned, { window: mayLoseCommits ? 1 : 1000, mayLoseCommits })

    await play(world, how)

    expectOnce(world, how)
  })

  it('send a letter twice when its place went with a failover while its owner was suspended, as the guide says: the one limit of the above', async () => {
    const fates = Array.from({ length: 14 }, (_, step): PlannedFate => (step === 12 ? { fate: 'pauses-before', delay: 5 } : step === 13 ? { fate: 'replica-takes-over', delay: 1 } : { fate: 'works', delay: 0 }))
    const how: Setup = { sinks: 'timescaledb', chunk: 1, maxRows: 1, hasViews: false, isRedefined: false }
    const world = new World(['undecodable', 'good'], fates, { window: 1, mayLoseCommits: true })

    await play(world, how)

    expect(world.hasLostSuspendedOnes).toBe(true)
    expect(world.deadLetters.map(({ offset }) => offset)).toEqual([0n, 0n])
    expectOnce(world, how, true)
  })
})
