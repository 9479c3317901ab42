import { describe, expect, it } from 'vitest'
import { type SliceScope, silentLogger } from '@smart-whale/interfaces'
import { takePartition, type PartitionHold } from './partition-hold.ts'
import { modelClickHouse, modelPostgres } from './model/model-stores.ts'
import { modelReader, modelTransport } from './model/model-topic.ts'
import { World } from './model/model-world.ts'
import { ProcessLife } from './model/process-life.ts'
import { createSentLetters } from './sent-letters.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'
import type { SliceRecord } from './slice-records.ts'

const SIGNAL = new AbortController().signal
const ROWS = [0n, 1n, 2n, 4n]

/** Six records are done; five of them are rows, the bad one is a letter. */
function worldOf(postgres: Partial<NonNullable<World['postgres']>> | null, clickhouse: readonly bigint[] = []): World {
  const world = new World(['good', 'good', 'good', 'undecodable', 'good', 'undecodable', 'good', 'good'], [], { window: 100, mayLoseCommits: true })
  world.clickhouse.push(...clickhouse)
  if (postgres !== null) world.postgres = { rows: ROWS, nextOffset: 6n, inFlight: null, epoch: 3n, owner: 'before', ...postgres }
  return world
}

interface Taking {
  readonly sinks?: 'both' | 'timescaledb'
  readonly hasLostCommits?: boolean
  readonly beside?: readonly SliceScope[]
  /** What PostgreSQL has, where the ledger is not in `world.postgres`. */
  readonly rows?: readonly bigint[]
  /** Where the topic ends, each time that it is asked; after that, behind all records. */
  readonly ends?: readonly bigint[]
}

function take(world: World, { sinks = 'timescaledb', hasLostCommits = false, beside = [], rows, ends = [] }: Taking = {}): Promise<PartitionHold> {
  const life = new ProcessLife(world)
  const { ledger, timescaledb } = modelPostgres(world, life)
  const held = rows === undefined ? timescaledb : { ...timescaledb, lastStored: async () => rows.at(-1) ?? null }
  const known = { ...ledger, knownBeside: async () => beside }
  const stores = { clickhouse: sinks === 'both' ? modelClickHouse(world, life, false) : null, timescaledb: held, ledger: known }
  const source = { topic: 'model', partition: 0, groupId: 'smart-whale-model' }
  const transport = modelTransport(world, life)
  const letters = createSentLetters(transport, source)
  const deadLetters = new DeadLetterOutbox({ transport, ...source, logger: silentLogger })
  const latest = [...ends]
  const reader = { ...modelReader(world, life, 8, () => false), bounds: async () => ({ earliest: 0n, latest: latest.shift() ?? 8n }) }
  return takePartition({ pipeline: 'model', owner: 'me', reader, stores, tables: { clickhouse: 'model', timescaledb: 'model' }, deadLetters, letters, formerLetters: () => ({ deadLetters, letters }), ledger: known, hasLostCommits }, SIGNAL)
}

/** Sends the letter of the record at an offset. */
async function sendLetter(world: World, offset: bigint): Promise<void> {
  const transport = modelTransport(world, new ProcessLife(world))
  const outbox = new DeadLetterOutbox({ transport, topic: 'model', partition: 0, groupId: 'smart-whale-model', logger: silentLogger })
  const batch = { topic: 'model', partition: 0, keyAt: () => null, valueAt: () => null, headersAt: () => ({}), timestampAt: () => 0 }
  const letters = await outbox.open({ signal: SIGNAL })
  await letters.begin([{ batch, index: 0, offset, row: null, refusal: { code: 'invalid', reason: 'bad' } } as unknown as SliceRecord], await outbox.position({ signal: SIGNAL }), { signal: SIGNAL }).commit({ signal: SIGNAL })
}

describe('a partition of a pipeline with PostgreSQL alone', () => {
  it('is taken over where the ledger left it', async () => {
    expect(await take(worldOf({}))).toMatchObject({ doneUpTo: 6n, storedUpTo: null })
  })

  it('is taken over although it had fewer records when this worker fell asleep in the middle of it', async () => {
    expect(await take(worldOf({}), { ends: [3n] })).toMatchObject({ doneUpTo: 6n })
  })

  it('is refused when the topic ends before what is done', async () => {
    await expect(take(worldOf({}), { ends: [5n, 5n] })).rejects.toMatchObject({ code: 'ERR_MESSAGING_LEDGER_AHEAD' })
  })

  it('is refused when the ledger was lost, saying where to go on', async () => {
    await expect(take(worldOf(null), { rows: ROWS })).rejects.toMatchObject({ code: 'ERR_MESSAGING_LEDGER_LOST', message: expect.stringMatching(/PostgreSQL has its rows up to offset 4.*go on at offset 5/) as string })
  })

  it.each([
    ['nothing is in flight', null],
    ['a slice is', { firstOffset: 1n, lastOffset: 2n, token: 't', excluded: [] }],
  ])('is refused when the ledger is older than the table, and %s', async (_what, inFlight) => {
    await expect(take(worldOf({ nextOffset: 1n, inFlight }))).rejects.toMatchObject({ code: 'ERR_MESSAGING_LEDGER_LOST', message: expect.stringMatching(/done up to offset 1 .*its rows up to 4.*go on at offset 5/) as string })
  })

  it('is refused when the pipeline was renamed, naming the one before', async () => {
    const beside = [{ pipeline: 'trips', topicId: 'model-1', partition: 0 }]
    await expect(take(worldOf(null), { rows: ROWS, beside })).rejects.toMatchObject({ code: 'ERR_MESSAGING_PIPELINE_RENAMED', context: { pipeline: 'model', before: 'trips' } })
  })

  it('is refused when the topic was made again under its name', async () => {
    const beside = [{ pipeline: 'model', topicId: 'model-0', partition: 0 }]
    await expect(take(worldOf(null), { rows: ROWS, beside })).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_BEGAN_AGAIN' })
  })

  it('is looked up letter by letter where letters are beyond what the ledger knows: rows and ledger went back together', async () => {
    const world = worldOf({ nextOffset: 3n, rows: [0n, 1n, 2n] })
    await sendLetter(world, 5n)

    expect(await take(world)).toMatchObject({ doneUpTo: 3n, storedUpTo: 5n })
  })

  it('takes no letter of what is done already, or of the slice in flight, for that', async () => {
    const world = worldOf({ inFlight: { firstOffset: 6n, lastOffset: 7n, token: 't', excluded: [7n], deadLettersFrom: { partition: 0, offset: 0n } } })
    await sendLetter(world, 5n)
    await sendLetter(world, 7n)

    expect(await take(world)).toMatchObject({ doneUpTo: 6n, storedUpTo: null })
  })
})

describe('a partition of a pipeline with both stores', () => {
  it('is looked up to the last row or letter that there is', async () => {
    const world = worldOf({ nextOffset: 2n, rows: [0n, 1n] }, ROWS)
    await sendLetter(world, 5n)

    expect(await take(world, { sinks: 'both' })).toMatchObject({ storedUpTo: 5n })
  })

  it('is refused when the ledger was lost, whichever store has the rows', async () => {
    await expect(take(worldOf(null, ROWS), { sinks: 'both', rows: [] })).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_BEGAN_AGAIN' })
    await expect(take(worldOf(null, ROWS), { sinks: 'both', rows: ROWS })).rejects.toMatchObject({ code: 'ERR_MESSAGING_LEDGER_LOST' })
  })

  it('says to enter the partition in the ledger where ClickHouse alone has rows: the group’s offset is not asked', async () => {
    const world = worldOf(null, ROWS)
    world.turn = { scope: { pipeline: 'model', topicId: 'model-1', partition: 0 }, epoch: 3n, attempt: 0, holder: 'before' }

    await expect(take(world, { sinks: 'both', rows: [] })).rejects.toMatchObject({ code: 'ERR_MESSAGING_LEDGER_LOST', message: expect.stringMatching(/ClickHouse has its rows up to offset 4.*enter the partition there with 0/) as string })
  })
})
