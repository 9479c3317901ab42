import { createClient } from '@clickhouse/client'
import { createAdapter, type ClickHouseAdapter } from '@smart-whale/clickhouse'
import type { MessagingTransport } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { freshClickHouseDatabase } from '../fresh-databases.ts'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { buildFranzGo, startFranzGo } from '../ingest/franz-go.ts'
import { BATCH_EVENTS, INGEST_COLUMNS, INGEST_FINGERPRINT, ingestEvents } from '../ingest/ingest-events.ts'
import { consumeEachBatch, consumeEachMessage, type KafkaSource, type RunningConsumer } from '../ingest/kafkajs-consumers.ts'
import { ourDefinition, startOurs } from '../ingest/our-pipeline.ts'
import { Quota } from '../ingest/quota.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'pipeline'
const OURS_BY_ROW = 'pipeline, a row object an event'
const EACH_MESSAGE = 'kafkajs eachMessage, zod, @clickhouse/client'
const EACH_BATCH = 'kafkajs eachBatch, ajv, adapter.insert'
const FRANZ_GO = 'franz-go, encoding/json, RowBinary'
/** How often the topic has every event: enough that a contender begins anew only now and then. */
const REPEATS = 10

/** From Kafka into a typed table: read, checked, stored. Ours exactly once, the others at least once. */
export const ingestTyped: HotPath = {
  name: 'ingest-typed',
  title: `Ingest from Kafka into ClickHouse: events of 480 bytes, ${BATCH_EVENTS} a batch`,
  operation: 'event',
  measure: 'client CPU',
  baseline: EACH_MESSAGE,
  goals: [
    { contender: OURS, against: EACH_MESSAGE, speedAtLeast: 3 },
    { contender: OURS, against: FRANZ_GO, speedAtLeast: 1.6 },
  ],
  needs: 'kafka',
  open,
}

interface Bench {
  readonly source: KafkaSource
  readonly transport: MessagingTransport
  readonly adapter: ClickHouseAdapter
  readonly contenders: Contender[]
  readonly closing: (() => Promise<unknown>)[]
}

async function open(engines: BenchEngines): Promise<OpenHotPath> {
  const { url, username, password } = engines.clickhouse
  const brokers = engines.kafka.found?.brokers ?? []
  const database = await freshClickHouseDatabase(engines.clickhouse)
  const adapter = createAdapter({ url, database: database.name, user: username, password })
  const client = createClient({ url, database: database.name, username, password })
  const transport = createPlatformaticTransport({ brokers })
  await transport.start()
  const source = { brokers, topic: database.name }
  await fillTopic(transport, source.topic)
  const bench: Bench = { source, transport, adapter, contenders: [], closing: [] }
  await addConsumer(bench, EACH_MESSAGE, 'each_message', (quota, table) => consumeEachMessage(source, quota, client, table))
  await addConsumer(bench, EACH_BATCH, 'each_batch', (quota, table) => consumeEachBatch(source, quota, adapter, table))
  await addFranzGo(bench, `${database.name}.franz_go`, engines)
  await addConsumer(bench, OURS, 'ours', (quota, table) => startOurs(transport, ourDefinition(source.topic, table), quota, adapter))
  await addConsumer(bench, OURS_BY_ROW, 'by_row', (quota, table) => startOurs(transport, ourDefinition(source.topic, table, { route: () => ['clickhouse'] }), quota, adapter))
  return {
    contenders: bench.contenders,
    serverPid: null,
    close: async () => {
      for (const close of bench.closing) await close()
      await transport.topics.delete(source.topic)
      await transport.stop()
      await Promise.all([adapter.close(), client.close()])
      await database.drop()
    },
  }
}

async function fillTopic(transport: MessagingTransport, topic: string): Promise<void> {
  await transport.topics.create(topic, { partitions: 1 })
  const events = ingestEvents()
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (let at = 0; at < events.length; at += 1000) await transport.send(topic, events.slice(at, at + 1000).map((value) => ({ value, partition: 0 })))
  }
}

async function addConsumer(bench: Bench, name: string, table: string, start: (quota: Quota, table: string) => Promise<RunningConsumer>): Promise<void> {
  await makeTable(bench.adapter, table)
  const quota = new Quota()
  const running = await start(quota, table)
  bench.closing.push(() => {
    quota.end()
    return running.stop()
  })
  bench.contenders.push(contenderOf(bench, name, table, (events) => quota.consume(events)))
}

async function addFranzGo(bench: Bench, table: string, engines: BenchEngines): Promise<void> {
  const program = await buildFranzGo()
  if (program === null) return
  await makeTable(bench.adapter, table)
  const franzGo = await startFranzGo(program, bench.source, REPEATS * BATCH_EVENTS, engines.clickhouse, table)
  bench.closing.push(() => franzGo.stop())
  bench.contenders.push({ ...contenderOf(bench, FRANZ_GO, table, (events) => franzGo.consume(events)), pid: franzGo.pid })
}

async function makeTable(adapter: ClickHouseAdapter, table: string): Promise<void> {
  await adapter.execute(`CREATE TABLE ${table} (${INGEST_COLUMNS}) ENGINE = MergeTree ORDER BY time SETTINGS non_replicated_deduplication_window = 10000`)
}

function contenderOf({ adapter, source }: Bench, name: string, table: string, consume: (events: number) => Promise<void>): Contender {
  return {
    name,
    operationsPerRepeat: BATCH_EVENTS,
    prepare: async () => void (await adapter.execute(`TRUNCATE TABLE ${table}`)),
    run: (repeats) => consume(repeats * BATCH_EVENTS),
    verify: async () => {
      const { rows } = await adapter.execute(`SELECT count() AS rows, uniq(source_offset) AS offsets, ${INGEST_FINGERPRINT} AS content FROM ${table}`)
      requireEqual(name, rows[0], await expectedContent(adapter, source))
    },
  }
}

/** What the table must hold after one batch, as the server itself reads the events. */
async function expectedContent(adapter: ClickHouseAdapter, { topic }: KafkaSource): Promise<unknown> {
  await adapter.execute(`CREATE TABLE IF NOT EXISTS expected (${INGEST_COLUMNS}) ENGINE = MergeTree ORDER BY time`)
  await adapter.execute('TRUNCATE TABLE expected')
  const rows = ingestEvents().map((value, index) => {
    const { tags, time, user_id, ...event } = JSON.parse(value.toString()) as { id: string; tags: unknown; time: string; user_id: number }
    return { ...event, time: new Date(time), user_id: BigInt(user_id), tags: JSON.stringify(tags), event_id: event.id, source_topic: topic, source_partition: 0, source_offset: BigInt(index) }
  })
  await adapter.insert('expected', rows)
  return (await adapter.execute(`SELECT count() AS rows, uniq(source_offset) AS offsets, ${INGEST_FINGERPRINT} AS content FROM expected`)).rows[0]
}
