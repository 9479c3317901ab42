import { afterEach, describe, expect, it } from 'vitest'
import { createBatchWriter, takeOverTurns } from '@smart-whale/clickhouse'
import { type Clock, OperationError, systemClock } from '@smart-whale/interfaces'
import { createPipeline, definePipelines, type IngestRow, type Pipeline, type PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { createTransactionalBatchWriter, IngestLedger, type LedgerExecutor, takeOverPipeline } from '@smart-whale/timescaledb'
import { prepareTables } from '../src/prepare-tables.ts'
import { type IngestorBench, startIngestorBench } from './ingestor-bench.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type Sink = 'clickhouse' | 'timescaledb'

/** A topic with one partition, and a pipeline of it under either name. */
async function rides(sink: Sink): Promise<{ bench: IngestorBench; named: (name: string) => PipelineDefinition; topicId: string }> {
  const bench = await startIngestorBench([])
  cleanups.push(() => bench.close())
  const named = (name: string): PipelineDefinition => definePipelines([{ topic: 'rides', name, fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', partitions: 1, sinks: [sink], limits: { maxAgeMs: 20 } }])[0] as PipelineDefinition
  await prepareTables(named('rides'), bench, undefined)
  await bench.transport.topics.create('rides', { partitions: 1 })
  const topicId = (await bench.transport.topics.describe('rides'))?.id as string
  return { bench, named, topicId }
}

/** Who was refused by a store waits long to hear the same of the group, which knows nothing of another pipeline. */
const impatient: Clock = { ...systemClock, setTimeout: (callback, delayMs) => systemClock.setTimeout(callback, Math.min(delayMs, 300)) }

/** A worker whose ledger is in PostgreSQL, and what it is told of. */
async function start({ transport, clickhouse, timescaledb }: IngestorBench, definition: PipelineDefinition, database: LedgerExecutor = timescaledb): Promise<Pipeline> {
  const { sinks, tables } = definition
  const ledger = new IngestLedger(database)
  const stores = {
    ledger,
    clickhouse: sinks.includes('clickhouse') ? createBatchWriter<IngestRow>(clickhouse, tables.clickhouse) : null,
    timescaledb: sinks.includes('timescaledb') ? createTransactionalBatchWriter<IngestRow>(timescaledb, tables.timescaledb, { ledger }) : null,
  }
  const pipeline = createPipeline({ definition, transport, stores, clock: impatient, graceMs: 50, flood: { window: 1_000_000 } })
  await pipeline.start()
  cleanups.push(() => pipeline.stop())
  return pipeline
}

/** The database, before which something happens when a statement with these words is to run for the first time. */
function before(database: LedgerExecutor, words: string, happens: () => Promise<unknown>): LedgerExecutor {
  let isOver = false
  return {
    execute: async (query, params, options) => {
      if (!isOver && query.includes(words)) {
        isOver = true
        await happens()
      }
      return database.execute(query, params, options)
    },
  }
}

/** The database of a process that is gone when a statement with these words is to run. */
function goneBefore(database: LedgerExecutor, words: string): LedgerExecutor {
  let isGone = false
  return {
    execute: async (query, params, options) => {
      isGone ||= query.includes(words)
      if (isGone) throw new OperationError('away', { retryable: true })
      return database.execute(query, params, options)
    },
  }
}

/** The database of a process that is suspended when a statement with these words is to run for the first time, and hears of nothing until it has run. */
function asleepBefore(database: LedgerExecutor, words: string, wakes: Promise<void>): { readonly database: LedgerExecutor; readonly isAsleep: Promise<void>; readonly outcome: Promise<unknown> } {
  const [isAsleep, outcome] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()]
  let isOver = false
  const execute: LedgerExecutor['execute'] = async (query, params, options) => {
    if (isOver || !query.includes(words)) return database.execute(query, params, options)
    isOver = true
    isAsleep.resolve()
    await wakes
    const answer = database.execute<never>(query, params)
    outcome.resolve(answer.catch((error: unknown) => error))
    return answer
  }
  return { database: { execute }, isAsleep: isAsleep.promise, outcome: outcome.promise }
}

const TABLE = { table: 'rides', topic: 'rides', store: 'ClickHouse' } as const
const COMPLETE = 'set next_offset = last_offset + 1'
const CLAIM = 'insert into "smart_whale_ingest_ledger" as ledger'
const BESIDE = '(pipeline = $1 or topic_id = $2)'

const eventOf = (id: number, isBad: boolean): { partition: number; value: string } => ({ partition: 0, value: isBad ? `{"id":${id}` : JSON.stringify({ id, time: '2026-01-01T00:00:00Z' }) })

const until = (pipeline: Pipeline, state: string): Promise<void> => expect.poll(() => pipeline.status().state, { timeout: 20_000, interval: 20 }).toBe(state)
const settled = (pipeline: Pipeline): Promise<void> =>
  expect.poll(async () => (pipeline.status().state === 'halted' ? pipeline.status().reason : await pipeline.lag()), { timeout: 20_000, interval: 20 }).toBe(0)

describe('a pipeline with PostgreSQL alone', () => {
  it('that takes its partition while it is given the progress of its former name goes on where that stood', async () => {
    const { bench, named, topicId } = await rides('timescaledb')
    await bench.transport.send('rides', Array.from({ length: 20 }, (_, id) => eventOf(id, false)))
    const former = await start(bench, named('rides'))
    await settled(former)
    await former.stop()
    await bench.transport.send('rides', [eventOf(20, false)])
    const into = { table: 'rides', topic: 'rides' }

    const successor = await start(bench, named('trips'), before(bench.timescaledb, BESIDE, async () => void (await takeOverPipeline(bench.timescaledb, { from: 'rides', to: 'trips', topicId, into }))))
    await settled(successor)

    const rows = await bench.timescaledb.execute('select id from rides order by id')
    expect(rows.map(({ id }) => Number(id))).toEqual(Array.from({ length: 21 }, (_, id) => id))
  })

  it('that is given the progress, and has it given on to a third, while it looks is told who has it, and takes no ledger for lost', async () => {
    const { bench, named, topicId } = await rides('timescaledb')
    const { transport, timescaledb } = bench
    await transport.send('rides', Array.from({ length: 20 }, (_, id) => eventOf(id, false)))
    const former = await start(bench, named('rides'))
    await settled(former)
    await former.stop()
    const handOver = (from: string, to: string): Promise<unknown> => takeOverPipeline(timescaledb, { from, to, topicId, into: { table: 'rides', topic: 'rides' } })
    const between = before(timescaledb, BESIDE, () => handOver('rides', 'trips'))
    const execute: LedgerExecutor['execute'] = async (query, params, options) => {
      const answer = await between.execute<never>(query, params, options)
      if (query.includes(BESIDE)) await handOver('trips', 'tours')
      return answer
    }

    const successor = await start(bench, named('trips'), { execute })
    await until(successor, 'halted')
    expect(successor.status().reason).toContain('where the pipeline "tours" stores it already')
  })
})

describe.each([['rows and letters', (id: number) => id % 5 === 0], ['letters alone', () => true]] as const)('a pipeline with ClickHouse alone and its ledger in PostgreSQL, that was killed in a slice of %s', (_what, isBad) => {
  it('and is taken over by a command that was killed in the middle: neither name goes on before the command is given again, and each letter is there once', async () => {
    const { bench, named, topicId } = await rides('clickhouse')
    const { transport, timescaledb, clickhouse } = bench
    await transport.send('rides', Array.from({ length: 20 }, (_, id) => eventOf(id, isBad(id))))
    const killed = await start(bench, named('rides'), goneBefore(timescaledb, COMPLETE))
    await until(killed, 'paused')
    await killed.stop()

    const handOver = async (): Promise<void> => void (await takeOverPipeline(timescaledb, { from: 'rides', to: 'trips', topicId, into: TABLE }))
    // One worker has looked where the partition stands, and is about to claim it.
    const overtaken = await start(bench, named('rides'), before(timescaledb, CLAIM, handOver))
    await until(overtaken, 'halted')
    await overtaken.stop()
    const early = await start(bench, named('trips'))
    const late = await start(bench, named('rides'))
    await until(early, 'halted')
    await until(late, 'halted')
    await Promise.all([early.stop(), late.stop()])
    expect(late.status().reason).toContain('take-over --from rides --pipeline trips')
    await handOver()
    await takeOverTurns(clickhouse, 'rides', { from: 'rides', to: 'trips', topicId, topic: 'rides' })
    await transport.send('rides', Array.from({ length: 20 }, (_, id) => eventOf(20 + id, isBad(20 + id))))
    await settled(await start(bench, named('trips')))

    const ids = Array.from({ length: 40 }, (_, id) => id)
    const { rows } = await clickhouse.execute('SELECT id FROM rides ORDER BY id')
    expect(rows.map(({ id }) => Number(id))).toEqual(ids.filter((id) => !isBad(id)))
    const letters = (await bench.deadLetters('rides')).map(({ value }) => value?.toString())
    expect(letters.sort()).toEqual(ids.filter(isBad).map((id) => `{"id":${id}`).sort())
  })
})

describe('a pipeline with ClickHouse alone and its ledger in PostgreSQL, of which a worker was suspended before its first claim', () => {
  it('begins nothing anew when that wakes behind a take-over that was killed in the middle: the command can be given again, and taken back', async () => {
    const { bench, named, topicId } = await rides('clickhouse')
    const { transport, timescaledb, clickhouse } = bench
    await transport.send('rides', Array.from({ length: 20 }, (_, id) => eventOf(id, id % 5 === 0)))
    const wakes = Promise.withResolvers<void>()
    const { database, isAsleep, outcome } = asleepBefore(timescaledb, CLAIM, wakes.promise)
    // The group takes it for gone.
    const join: typeof transport.join = (options) => transport.join({ ...options, groupId: `${options.groupId}-asleep` })
    const asleep = await start({ ...bench, transport: Object.assign(Object.create(transport) as typeof transport, { join }) }, named('rides'), database)
    await isAsleep
    const killed = await start(bench, named('rides'), goneBefore(timescaledb, COMPLETE))
    await until(killed, 'paused')
    await killed.stop()
    const handOver = (from: string, to: string): Promise<unknown> => takeOverPipeline(timescaledb, { from, to, topicId, into: TABLE })
    await handOver('rides', 'trips')

    wakes.resolve()
    expect(await outcome).toEqual([])
    await asleep.stop()
    expect(await timescaledb.execute('select pipeline from smart_whale_ingest_ledger where topic_id = $1', [topicId])).toEqual([{ pipeline: 'trips' }])
    await handOver('rides', 'trips')
    await takeOverTurns(clickhouse, 'rides', { from: 'rides', to: 'trips', topicId, topic: 'rides' })
    const successor = await start(bench, named('trips'))
    await settled(successor)
    await successor.stop()
    await handOver('trips', 'rides')
    await takeOverTurns(clickhouse, 'rides', { from: 'trips', to: 'rides', topicId, topic: 'rides' })
    await transport.send('rides', [eventOf(21, false)])
    await settled(await start(bench, named('rides')))

    const { rows } = await clickhouse.execute('SELECT id FROM rides ORDER BY id')
    expect(rows.map(({ id }) => Number(id))).toEqual([...Array.from({ length: 20 }, (_, id) => id).filter((id) => id % 5 !== 0), 21])
    expect(await bench.deadLetters('rides')).toHaveLength(4)
  })
})
