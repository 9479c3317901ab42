import { createRequire } from 'node:module'
import type { ClickHouseClient } from '@clickhouse/client'
import { type EachBatchPayload, type EachMessagePayload, Kafka, logLevel } from 'kafkajs'
import { z } from 'zod'
import type { ClickHouseAdapter } from '@smart-whale/clickhouse'
import type { Row } from '@smart-whale/interfaces'
import { BATCH_EVENTS } from './ingest-events.ts'
import type { Quota } from './quota.ts'

/** A consumer that runs until it is stopped, as far as its quota goes. */
export interface RunningConsumer {
  stop(): Promise<void>
}

/** Where a consumer reads. */
export interface KafkaSource {
  readonly brokers: readonly string[]
  readonly topic: string
}

const eventSchema = z.object({
  id: z.uuid(),
  time: z.iso.datetime(),
  tenant: z.string(),
  user_id: z.int(),
  session_id: z.uuid(),
  path: z.string(),
  agent: z.string(),
  referrer: z.string().nullable(),
  status: z.int32(),
  duration_ms: z.number(),
  amount: z.string().regex(/^-?\d{1,10}(\.\d{1,2})?$/),
  bot: z.boolean(),
  tags: z.array(z.string()),
})
type IngestEvent = z.infer<typeof eventSchema>

/** As most consumers are written: a handler a message, a schema, the official client. */
export async function consumeEachMessage({ brokers, topic }: KafkaSource, quota: Quota, client: ClickHouseClient, table: string): Promise<RunningConsumer> {
  let rows: unknown[] = []
  const flush = async (): Promise<void> => {
    const values = rows
    rows = []
    await client.insert({ table, values, format: 'JSONEachRow', clickhouse_settings: { date_time_input_format: 'best_effort', async_insert: 0 } })
    quota.done(values.length)
  }
  const consumer = consumerOf(brokers)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const { high } = await endOf(brokers, topic)
  await consumer.run({
    eachMessage: async ({ partition, message }: EachMessagePayload) => {
      if (quota.left === 0 && !(await quota.open())) return
      quota.take(1)
      const event = eventSchema.parse(JSON.parse((message.value as Buffer).toString()))
      rows.push({ ...event, tags: JSON.stringify(event.tags), event_id: event.id, source_topic: topic, source_partition: partition, source_offset: message.offset })
      if (rows.length === BATCH_EVENTS) await flush()
      if (Number(message.offset) === high - 1) consumer.seek({ topic, partition, offset: '0' })
    },
  })
  return { stop: () => consumer.disconnect() }
}

/** As a careful author writes it: a handler a batch, a compiled validator, typed rows in binary. */
export async function consumeEachBatch({ brokers, topic }: KafkaSource, quota: Quota, adapter: ClickHouseAdapter, table: string): Promise<RunningConsumer> {
  const isEvent = compiledValidator()
  let rows: Row[] = []
  const consumer = consumerOf(brokers)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const { high } = await endOf(brokers, topic)
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat }: EachBatchPayload) => {
      for (const message of batch.messages) {
        if (quota.left === 0 && !(await quota.open())) return
        quota.take(1)
        const event: unknown = JSON.parse((message.value as Buffer).toString())
        if (!isEvent(event)) throw new TypeError('an event is wrong')
        rows.push({ ...event, time: new Date(event.time), tags: JSON.stringify(event.tags), event_id: event.id, source_topic: topic, source_partition: batch.partition, source_offset: BigInt(message.offset) })
        resolveOffset(message.offset)
        if (rows.length < BATCH_EVENTS) continue
        await adapter.insert(table, rows)
        quota.done(rows.length)
        rows = []
        await heartbeat()
      }
      if (Number(batch.lastOffset()) === high - 1) consumer.seek({ topic, partition: batch.partition, offset: '0' })
    },
  })
  return { stop: () => consumer.disconnect() }
}

function consumerOf(brokers: readonly string[]): ReturnType<Kafka['consumer']> {
  const kafka = new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING })
  // A session survives the pauses between two slices of a benchmark. Fetches as large as the other contenders' are.
  return kafka.consumer({ groupId: `bench-${crypto.randomUUID()}`, sessionTimeout: 120_000, rebalanceTimeout: 120_000, maxBytesPerPartition: 4 * 1024 * 1024, maxWaitTimeInMs: 100 })
}

async function endOf(brokers: readonly string[], topic: string): Promise<{ high: number }> {
  const admin = new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const [offsets] = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect())
  return { high: Number(offsets?.high) }
}

interface Ajv {
  compile(schema: object): (value: unknown) => value is IngestEvent
}

/** ajv comes with the messaging package, which validates messages with it. */
function compiledValidator(): (value: unknown) => value is IngestEvent {
  const require = createRequire(createRequire(import.meta.url).resolve('@smart-whale/messaging/package.json'))
  const { Ajv2020 } = require('ajv/dist/2020.js') as { Ajv2020: new (options: object) => Ajv }
  const { $schema: _, ...schema } = z.toJSONSchema(eventSchema)
  return new Ajv2020({ validateFormats: false, strict: false }).compile(schema)
}
