import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Batch,
  type BatchTransaction,
  type Clock,
  OperationError,
  type RecoverableBatchWriter,
  silentLogger,
  silentMetrics,
  type Slice,
  type SliceClaim,
  type SliceLedger,
  type SliceSource,
  staleEpochError,
  type TransactionalBatchWriter,
  ValidationError,
} from '@smart-whale/interfaces'
import type { PartitionReader, RecordBatch } from '../transport.ts'
import { batchDecoder } from './decode-batch.ts'
import type { IngestRow } from './decode-record.ts'
import { FloodGuard } from './flood-guard.ts'
import { runPartition } from './partition-worker.ts'
import { definePipelines } from './define-pipelines.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { PartitionProgress, pipelineMetrics } from './pipeline-status.ts'
import type { SliceRecord } from './slice-records.ts'

/** What an event of the model is: good, not decodable, or refused by one store for its data. */
type EventKind = 'good' | 'undecodable' | 'refused-by-clickhouse' | 'refused-by-timescaledb'

/** What happens at one step: it works, or fails, or the process dies; before or after the step took effect. */
type Fate = 'works' | 'fails-before' | 'fails-after' | 'dies-before' | 'dies-after'

class ProcessDied extends OperationError {}

/** The outside world: what survives the death of the worker's process. */
class World {
  readonly clickhouse: { offset: bigint; part: string }[] = []
  /** Tokens that ClickHouse remembers, oldest first; bounded, as its deduplication window is. */
  readonly tokens: string[] = []
  readonly timescaledb: bigint[] = []
  readonly deadLetters: bigint[] = []
  nextOffset = 0n
  inFlight: Slice | null = null
  epoch = 0n
  readonly kinds: readonly EventKind[]
  readonly #fates: Fate[]
  readonly #window: number

  constructor(kinds: readonly EventKind[], fates: readonly Fate[], window: number) {
    this.kinds = kinds
    this.#fates = [...fates]
    this.#window = window
  }

  nextFate(): Fate {
    return this.#fates.shift() ?? 'works'
  }

  insert(token: string, offsets: readonly bigint[]): void {
    if (this.tokens.includes(token)) return
    this.tokens.push(token)
    if (this.tokens.length > this.#window) this.tokens.shift()
    for (const offset of offsets) this.clickhouse.push({ offset, part: token })
  }

  /** ClickHouse was killed between remembering the token of the insert under way and keeping its rows. */
  loseInsertUnderWay(): void {
    const part = this.inFlight?.token
    for (let index = this.clickhouse.length - 1; index >= 0; index--) if (this.clickhouse[index]?.part === part) this.clickhouse.splice(index, 1)
  }
}

/** One life of the worker's process: once dead, nothing that it does has an effect. */
class ProcessLife {
  readonly #world: World
  readonly revoked = new AbortController()
  #dead = false
  constructor(world: World) {
    this.#world = world
  }

  async step<T>(effect: () => T): Promise<T> {
    await Promise.resolve()
    if (this.#dead) throw new ProcessDied('dead')
    const fate = this.#world.nextFate()
    if (fate.startsWith('dies')) {
      this.#dead = true
      this.revoked.abort()
    }
    if (fate.endsWith('before')) throw this.#failure()
    const result = effect()
    if (fate.endsWith('after')) throw this.#failure()
    return result
  }

  #failure(): Error {
    return this.#dead ? new ProcessDied('died') : new OperationError('away', { retryable: true })
  }
}

function refusals(world: World, kind: EventKind, rows: readonly IngestRow[]): { index: number; reason: string }[] {
  return rows.flatMap((row, index) => (world.kinds[Number(row.source_offset)] === kind ? [{ index, reason: kind }] : []))
}

const offsetsOf = (rows: readonly IngestRow[]): bigint[] => rows.map((row) => row.source_offset as bigint)

function clickhouseOf(world: World, life: ProcessLife): RecoverableBatchWriter<IngestRow> {
  return {
    write: ({ rows, token }: Batch<IngestRow>) =>
      life.step(() => {
        if (refusals(world, 'refused-by-clickhouse', rows).length > 0) throw new ValidationError('refused')
        world.insert(token, offsetsOf(rows))
        return { rows: rows.length }
      }),
    findRefused: (rows) => life.step(() => refusals(world, 'refused-by-clickhouse', rows)),
    storedOffsets: ({ firstOffset, lastOffset }: SliceSource) =>
      life.step(() => world.clickhouse.map(({ offset }) => offset).filter((offset) => offset >= firstOffset && offset <= lastOffset)),
  }
}

function timescaledbOf(world: World, life: ProcessLife): TransactionalBatchWriter<IngestRow> {
  const begin = async (): Promise<BatchTransaction<IngestRow>> => {
    let rows: bigint[] = []
    let done: Slice | null = null
    return {
      write: (given) =>
        life.step(() => {
          if (refusals(world, 'refused-by-timescaledb', given).length > 0) throw new ValidationError('refused')
          rows = offsetsOf(given)
        }),
      complete: (claim, slice) =>
        life.step(() => {
          if (claim.epoch !== world.epoch) throw staleEpochError(claim.scope, claim.epoch)
          done = slice
        }),
      commit: () =>
        life.step(() => {
          world.timescaledb.push(...rows)
          if (done === null) return
          world.nextOffset = done.lastOffset + 1n
          world.inFlight = null
        }),
      rollback: async () => {},
      [Symbol.asyncDispose]: async () => {},
    }
  }
  return { begin, findRefused: (rows) => life.step(() => refusals(world, 'refused-by-timescaledb', rows)) }
}

function ledgerOf(world: World, life: ProcessLife): SliceLedger {
  const state = (): Pick<SliceClaim, 'nextOffset' | 'inFlight' | 'epoch' | 'owner'> => ({ nextOffset: world.nextOffset, inFlight: world.inFlight, epoch: world.epoch, owner: 'model' })
  return {
    claim: (scope) =>
      life.step(() => {
        world.epoch++
        return { scope, ...state() }
      }),
    record: (_claim, slice) =>
      life.step(() => {
        expect(slice.firstOffset).toBe(world.nextOffset)
        if (world.inFlight !== null) expect(slice.lastOffset).toBe(world.inFlight.lastOffset)
        world.inFlight = slice
      }),
    complete: () => Promise.reject(new OperationError('the transaction completes')),
    inspect: () => life.step(state),
  }
}

function batchOf(world: World, from: number, length: number): RecordBatch {
  const value = (offset: number): Uint8Array => Buffer.from(world.kinds[offset] === 'undecodable' ? '{"id":' : `{"id":${offset},"time":"2001-01-01T00:00:00Z"}`)
  return {
    topic: 'model',
    partition: 0,
    length,
    bytes: length * 40,
    nextOffset: BigInt(from + length),
    offsetAt: (index) => BigInt(from + index),
    timestampAt: () => 0,
    keyAt: () => null,
    valueAt: (index) => value(from + index),
    headersAt: () => ({}),
  }
}

/** Reads the model's topic; when all of it is done, or the process has died, the partition is revoked. */
function readerOf(world: World, life: ProcessLife, chunk: number): PartitionReader {
  const { revoked } = life
  let position = 0
  return {
    topic: 'model',
    topicId: 'model-1',
    partition: 0,
    signal: revoked.signal,
    committed: async () => null,
    read: async ({ maxRecords }) => {
      await new Promise((resolve) => setImmediate(resolve))
      if (world.nextOffset === BigInt(world.kinds.length)) revoked.abort()
      if (revoked.signal.aborted) throw new OperationError('revoked')
      const batch = batchOf(world, position, Math.max(0, Math.min(chunk, maxRecords, world.kinds.length - position)))
      position += batch.length
      return batch
    },
    seek: (offset) => {
      position = Number(offset)
    },
    commit: async () => {},
    bounds: async () => ({ earliest: 0n, latest: BigInt(world.kinds.length) }),
    close: async () => {},
  }
}

/** Time that passes at once. */
const hastyClock: Clock = { now: () => 0, monotonic: () => 0, setTimeout: (callback) => setImmediate(callback), clearTimeout: (handle) => clearImmediate(handle as NodeJS.Immediate) }

const definition = definePipelines([{ topic: 'model', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }])[0] as PipelineDefinition

async function live(world: World, life: ProcessLife, chunk: number, maxRows: number): Promise<void> {
  await runPartition({
    pipeline: 'model',
    owner: 'model',
    reader: readerOf(world, life, chunk),
    stores: { clickhouse: clickhouseOf(world, life), timescaledb: timescaledbOf(world, life), ledger: ledgerOf(world, life) },
    deadLetters: (records: readonly SliceRecord[]) => life.step(() => void world.deadLetters.push(...records.map((record) => record.offset))),
    decode: batchDecoder(definition),
    fingerprint: definition.fingerprint,
    limits: { maxRows, maxBytes: 1_000_000, maxAgeMs: 1 },
    flood: new FloodGuard({ window: 1_000_000 }),
    progress: new PartitionProgress('model', 0, pipelineMetrics(silentMetrics), { stored: 0, deadLettered: 0, leftOut: 0 }),
    clock: hastyClock,
    logger: silentLogger,
    graceMs: 1000,
    onStored: () => {},
  })
}

const kinds = fc.array(fc.oneof({ weight: 8, arbitrary: fc.constant<EventKind>('good') }, fc.constantFrom<EventKind>('undecodable', 'refused-by-clickhouse', 'refused-by-timescaledb')), { minLength: 1, maxLength: 24 })
const fates = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant<Fate>('works') }, fc.constantFrom<Fate>('fails-before', 'fails-after', 'dies-before', 'dies-after')), { maxLength: 60 })

describe('a partition worker, killed and failed at any step', () => {
  it('puts every good record into both stores once, and every bad one into the dead letters and nowhere else', async () => {
    await fc.assert(
      fc.asyncProperty(kinds, fates, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), async (events, schedule, chunk, maxRows, window, lossy) => {
        const world = new World(events, schedule, window)
        for (let lives = 0; world.nextOffset < BigInt(events.length); lives++) {
          expect(lives, 'the worker makes no progress').toBeLessThan(200)
          const life = new ProcessLife(world)
          await live(world, life, chunk, maxRows)
          if (lossy && lives === 0) world.loseInsertUnderWay()
        }
        const good = events.flatMap((kind, offset) => (kind === 'good' ? [BigInt(offset)] : []))
        const bad = events.flatMap((kind, offset) => (kind === 'good' ? [] : [BigInt(offset)]))
        const ascending = (left: bigint, right: bigint): number => Number(left - right)
        expect(world.clickhouse.map(({ offset }) => offset).sort(ascending)).toEqual(good)
        expect([...world.timescaledb].sort(ascending)).toEqual(good)
        expect([...new Set(world.deadLetters)].sort(ascending)).toEqual(bad)
      }),
      { numRuns: 1500 },
    )
  })
})
