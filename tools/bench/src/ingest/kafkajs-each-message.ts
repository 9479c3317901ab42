import { createClient } from '@clickhouse/client'
import type { EachMessagePayload } from 'kafkajs'
import { eventSchema } from './event-schema.ts'
import { BATCH_EVENTS } from './ingest-events.ts'
import { consumerOf } from './kafkajs-consumer.ts'
import type { Quota } from './quota.ts'
import type { WorkerConfig } from './worker-config.ts'

/** As most consumers are written: a handler a message, a schema, the official client. */
export async function consumeEachMessage({ brokers, topic, url, username, password, table, length }: WorkerConfig, quota: Quota): Promise<{ stop(): Promise<void> }> {
  const client = createClient({ url, username, password })
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
  await consumer.run({
    eachMessage: async ({ partition, message }: EachMessagePayload) => {
      if (quota.left === 0 && !(await quota.open())) return
      quota.take(1)
      const event = eventSchema.parse(JSON.parse((message.value as Buffer).toString()))
      rows.push({ ...event, tags: JSON.stringify(event.tags), event_id: event.id, source_topic: topic, source_partition: partition, source_offset: message.offset })
      if (rows.length === BATCH_EVENTS) await flush()
      if (Number(message.offset) === length - 1) consumer.seek({ topic, partition, offset: '0' })
    },
  })
  return { stop: () => consumer.disconnect() }
}
