import { join } from 'node:path'
import { createAdapter, type ClickHouseAdapter } from '@smart-whale/clickhouse'
import { deadLetterTopic, type MessagingTransport } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { type FreshDatabase, freshClickHouseDatabase } from '../fresh-databases.ts'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { buildFranzGo } from '../ingest/franz-go.ts'
import { BATCH_EVENTS, INGEST_COLUMNS, INGEST_FINGERPRINT, ingestEvents } from '../ingest/ingest-events.ts'
import { workerEnvironment } from '../ingest/worker-config.ts'
import { startWorker, type WorkerProcess } from '../ingest/worker-process.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'pipeline'
const OURS_BY_ROW = 'pipeline, a row object an event'
const EACH_MESSAGE = 'kafkajs eachMessage, zod, @clickhouse/client'
const EACH_BATCH = 'kafkajs eachBatch, ajv, adapter.insert'
const FRANZ_GO = 'franz-go, encoding/json, RowBinary'
/** How often a partition has every event: enough that a contender begins anew only now and then. */
const REPEATS = 10
/** Batches of one repeat: a collection of garbage now and then must not fall into one slice and not into the next. */
const BATCHES = 5
const WORKER = join(import.meta.dirname, '../ingest/ingest-worker.ts')

/** From Kafka into a typed table: read, checked, stored. Ours exactly once, the others at least once. */
export const ingestTyped: HotPath = {
  name: 'ingest-typed',
  title: `Ingest from Kafka into ClickHouse: events of 480 bytes, ${BATCH_EVENTS} a batch, each contender a process`,
  operation: 'event',
  measure: 'client CPU',
  baseline: EACH_MESSAGE,
  goals: [
    { contender: OURS, against: EACH_MESSAGE, speedAtLeast: 3 },
    { contender: OURS, against: FRANZ_GO, speedAtLeast: 1.6 },
  ],
  needs: 'kafka',
  open: async (engines) => {
    const bench = await openBench(engines, 1)
    await addWorker(bench, EACH_MESSAGE, 'each_message', 'kafkajs-each-message')
    await addWorker(bench, EACH_BATCH, 'each_batch', 'kafkajs-each-batch')
    const franzGo = await buildFranzGo()
    if (franzGo !== null) await addWorker(bench, FRANZ_GO, 'franz_go', franzGo)
    await addWorker(bench, OURS, 'ours', 'pipeline')
    await addWorker(bench, OURS_BY_ROW, 'by_row', 'pipeline-by-row')
    return openHotPath(bench)
  },
}

/** The same work by one process and by two of one group. Broker, ClickHouse and workers share the machine: two cores are no more than busy. */
export const ingestScaling: HotPath = {
  name: 'ingest-scaling',
  title: `Ingest from Kafka into ClickHouse by one worker and by two, two partitions`,
  operation: 'event',
  measure: 'wall',
  baseline: 'one worker',
  goals: [],
  needs: 'kafka',
  open: async (engines) => {
    const bench = await openBench(engines, 2)
    await addWorker(bench, 'one worker', 'one_worker', 'pipeline')
    await addWorker(bench, 'two workers', 'two_workers', 'pipeline', 2)
    return openHotPath(bench)
  },
}

interface IngestBench {
  readonly engines: BenchEngines
  readonly database: FreshDatabase
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly transport: MessagingTransport
  readonly adapter: ClickHouseAdapter
  readonly contenders: Contender[]
  readonly workers: { readonly name: string; readonly worker: WorkerProcess }[]
}

async function openBench(engines: BenchEngines, partitions: number): Promise<IngestBench> {
  const { url, username, password } = engines.clickhouse
  const brokers = engines.kafka.found?.brokers ?? []
  const database = await freshClickHouseDatabase(engines.clickhouse)
  const adapter = createAdapter({ url, database: database.name, user: username, password })
  const transport = createPlatformaticTransport({ brokers })
  await transport.start()
  await transport.topics.create(database.name, { partitions })
  const events = ingestEvents()
  // One round more than is read: what a consumer fetches ahead at the end is there.
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    for (let partition = 0; partition < partitions; partition++) {
      for (let at = 0; at < events.length; at += 1000) await transport.send(database.name, events.slice(at, at + 1000).map((value) => ({ value, partition })))
    }
  }
  return { engines, database, brokers, topic: database.name, partitions, transport, adapter, contenders: [], workers: [] }
}

/** @param program a kind of worker, or the path of a program */
async function addWorker(bench: IngestBench, name: string, table: string, program: string, processes = 1): Promise<void> {
  const { adapter, database, engines, brokers, topic } = bench
  await adapter.execute(`CREATE TABLE ${table} (${INGEST_COLUMNS}) ENGINE = MergeTree ORDER BY time SETTINGS non_replicated_deduplication_window = 10000`)
  const environment = workerEnvironment({ brokers, topic, length: REPEATS * BATCH_EVENTS, ...engines.clickhouse, table: `${database.name}.${table}` })
  const command = program.includes('/') ? { command: program, args: [] } : { command: process.execPath, args: ['--disable-warning=TimeoutNegativeWarning', '--conditions=@smart-whale/source', WORKER, program] }
  const workers = await Promise.all(Array.from({ length: processes }, () => startWorker({ ...command, environment })))
  for (const worker of workers) bench.workers.push({ name, worker })
  bench.contenders.push({
    name,
    operationsPerRepeat: BATCHES * BATCH_EVENTS * bench.partitions,
    // Of several processes the time on the clock is what is asked.
    ...(processes === 1 && bench.partitions === 1 ? { pid: workers[0]?.pid as number } : {}),
    prepare: async () => void (await adapter.execute(`TRUNCATE TABLE ${table}`)),
    run: async (repeats) => void (await Promise.all(workers.map((worker) => worker.consume((repeats * BATCHES * BATCH_EVENTS * bench.partitions) / processes)))),
    verify: () => verify(bench, name, table),
  })
}

async function openHotPath({ contenders, workers, transport, topic, adapter, database }: IngestBench): Promise<OpenHotPath> {
  return {
    contenders,
    serverPid: null,
    notes: async () => {
      const peaks = await Promise.all(workers.map(async ({ name, worker }) => ({ name, bytes: await worker.peakMemory() })))
      return [`Most memory of a worker: ${peaks.map(({ name, bytes }) => `${name} ${bytes === null ? 'unknown' : `${Math.round(bytes / 1e6)} MB`}`).join('; ')}.`]
    },
    close: async () => {
      await Promise.all(workers.map(({ worker }) => worker.stop()))
      for (const made of [topic, deadLetterTopic(topic)]) await transport.topics.delete(made)
      await transport.stop()
      await adapter.close()
      await database.drop()
    },
  }
}

/** What the table must hold after one repeat: as many rows as were asked for, and of each only what an event says. */
async function verify({ adapter, partitions, topic }: IngestBench, name: string, table: string): Promise<void> {
  await fillExpected(adapter, topic)
  const content = async (stored: string, counted: string): Promise<unknown> =>
    (await adapter.execute(`SELECT ${counted} AS rows, countIf(NOT (id, content) IN (SELECT id, ${INGEST_FINGERPRINT} FROM expected GROUP BY id)) AS strangers FROM (SELECT id, ${INGEST_FINGERPRINT} AS content, count() AS times FROM ${stored} GROUP BY id, source_partition, source_offset)`)).rows[0]
  requireEqual(name, await content(table, `sum(times)`), { rows: BigInt(BATCHES * BATCH_EVENTS * partitions), strangers: 0n })
}

async function fillExpected(adapter: ClickHouseAdapter, topic: string): Promise<void> {
  await adapter.execute(`CREATE TABLE IF NOT EXISTS expected (${INGEST_COLUMNS}) ENGINE = MergeTree ORDER BY time`)
  await adapter.execute('TRUNCATE TABLE expected')
  const rows = ingestEvents().map((value, index) => {
    const { tags, time, user_id, ...event } = JSON.parse(value.toString()) as { id: string; tags: unknown; time: string; user_id: number }
    return { ...event, time: new Date(time), user_id: BigInt(user_id), tags: JSON.stringify(tags), event_id: event.id, source_topic: topic, source_partition: 0, source_offset: BigInt(index) }
  })
  await adapter.insert('expected', rows)
}
