import { join } from 'node:path'
import { createAdapter, type ClickHouseAdapter } from '@smart-whale/clickhouse'
import type { Row } from '@smart-whale/interfaces'
import { deadLetterTopic, type MessagingTransport } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { CONTAINER_ARGUMENTS, CONTAINER_ENVIRONMENT } from '../../../engines/container-flags.ts'
import { type FreshDatabase, freshClickHouseDatabase } from '../fresh-databases.ts'
import type { BenchEngines, BenchSize, Contender, OpenHotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'
import { BATCH_EVENTS, ingestEvents } from './ingest-events.ts'
import { workerEnvironment } from './worker-config.ts'
import { startWorker, type WorkerProcess } from './worker-process.ts'

interface Sizes {
  /** How often a partition has every event: enough that a contender begins anew only now and then. */
  readonly rounds: number
  /** Batches of one repeat: a collection of garbage now and then must not fall into one slice and not into the next. */
  readonly batches: number
}

const SIZES: Readonly<Record<BenchSize, Sizes>> = { full: { rounds: 10, batches: 5 }, trial: { rounds: 3, batches: 1 } }
const WORKER = join(import.meta.dirname, 'ingest-worker.ts')

/** What becomes of an event in the table. */
export interface IngestShape {
  /** Columns of the table that every contender fills. */
  readonly columns: string
  /** Shows of a group of rows that they are one event, whole; where it was read is left out. */
  readonly fingerprint: string
  /** The rows of one repeat, as they must be. */
  rows(topic: string): Row[]
}

/** Topic, engines and workers of one hot path from Kafka into ClickHouse. */
export interface IngestBench {
  readonly shape: IngestShape
  readonly sizes: Sizes
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

/** What is brought in, by how many. */
export interface IngestOptions {
  readonly shape: IngestShape
  readonly size: BenchSize
  /** @default 1 */
  readonly partitions?: number
}

/** Makes the topic and fills it. */
export async function openBench(engines: BenchEngines, { shape, size, partitions = 1 }: IngestOptions): Promise<IngestBench> {
  const { url, username, password } = engines.clickhouse
  const brokers = engines.kafka.found?.brokers ?? []
  const database = await freshClickHouseDatabase(engines.clickhouse)
  const adapter = createAdapter({ url, database: database.name, user: username, password })
  const transport = createPlatformaticTransport({ brokers })
  await transport.start()
  await transport.topics.create(database.name, { partitions })
  const events = ingestEvents()
  const sizes = SIZES[size]
  // One round more than is read: what a consumer fetches ahead at the end is there.
  for (let round = 0; round <= sizes.rounds; round++) {
    for (let partition = 0; partition < partitions; partition++) {
      for (let at = 0; at < events.length; at += 1000) await transport.send(database.name, events.slice(at, at + 1000).map((value) => ({ value, partition })))
    }
  }
  return { shape, sizes, engines, database, brokers, topic: database.name, partitions, transport, adapter, contenders: [], workers: [] }
}

/** How a contender runs. */
export interface WorkerOptions {
  /** Members of one group. @default 1 */
  readonly processes?: number
  /** Variables besides those that every worker has. @default {} */
  readonly environment?: Readonly<Record<string, string>>
}

/** @param program a kind of worker, or the path of a program */
export async function addWorker(bench: IngestBench, name: string, table: string, program: string, { processes = 1, environment: more = {} }: WorkerOptions = {}): Promise<void> {
  const { adapter, database, engines, brokers, topic, sizes, partitions } = bench
  const eventsOfRepeat = sizes.batches * BATCH_EVENTS * partitions
  await adapter.execute(`CREATE TABLE ${table} (${bench.shape.columns}) ENGINE = MergeTree ORDER BY source_offset SETTINGS non_replicated_deduplication_window = 10000`)
  // As the container of a worker has it, for every contender.
  const environment = { ...CONTAINER_ENVIRONMENT, ...workerEnvironment({ brokers, topic, length: sizes.rounds * BATCH_EVENTS, ...engines.clickhouse, table: `${database.name}.${table}` }), ...more }
  const command = program.includes('/') ? { command: program, args: [] } : { command: process.execPath, args: ['--disable-warning=TimeoutNegativeWarning', '--conditions=@smart-whale/source', ...CONTAINER_ARGUMENTS, WORKER, program] }
  const workers = await Promise.all(Array.from({ length: processes }, () => startWorker({ ...command, environment })))
  for (const worker of workers) bench.workers.push({ name, worker })
  bench.contenders.push({
    name,
    operationsPerRepeat: eventsOfRepeat,
    // Of several processes the time on the clock is what is asked.
    ...(processes === 1 && partitions === 1 ? { pid: workers[0]?.pid as number } : {}),
    prepare: async () => void (await adapter.execute(`TRUNCATE TABLE ${table}`)),
    run: async (repeats) => void (await Promise.all(workers.map((worker) => worker.consume((repeats * eventsOfRepeat) / processes)))),
    verify: () => verify(bench, name, table),
  })
}

/** The hot path over the workers that were added. */
export async function openHotPath({ contenders, workers, transport, topic, adapter, database }: IngestBench): Promise<OpenHotPath> {
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
async function verify({ adapter, partitions, topic, shape, sizes }: IngestBench, name: string, table: string): Promise<void> {
  await adapter.execute(`CREATE TABLE IF NOT EXISTS expected (${shape.columns}) ENGINE = MergeTree ORDER BY source_offset`)
  await adapter.execute('TRUNCATE TABLE expected')
  await adapter.insert('expected', shape.rows(topic))
  const content = async (stored: string, counted: string): Promise<unknown> =>
    (await adapter.execute(`SELECT ${counted} AS rows, countIf(NOT content IN (SELECT ${shape.fingerprint} FROM expected GROUP BY source_offset)) AS strangers FROM (SELECT ${shape.fingerprint} AS content, count() AS times FROM ${stored} GROUP BY source_partition, source_offset)`)).rows[0]
  requireEqual(name, await content(table, `sum(times)`), { rows: BigInt(sizes.batches * BATCH_EVENTS * partitions), strangers: 0n })
}
