import { createClient } from '@clickhouse/client'
import type { EachMessagePayload } from 'kafkajs'
import { BATCH_EVENTS } from './ingest-events.ts'
import { consumerOf } from './kafkajs-consumer.ts'
import type { Quota } from './quota.ts'
import type { WorkerConfig } from './worker-config.ts'

/** As most consumers are written: a handler a message, and the official client. */
export async function passThroughEachMessage({ brokers, topic, url, username, password, table, length }: WorkerConfig, quota: Quota): Promise<{ stop(): Promise<void> }> {
  const client = createClient({ url, username, password })
  let rows: unknown[] = []
  const consumer = consumerOf(brokers)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }: EachMessagePayload) => {
      if (quota.left === 0 && !(await quota.open())) return
      quota.take(1)
      rows.push({ value: (message.value as Buffer).toString(), source_topic: topic, source_partition: partition, source_offset: message.offset })
      if (rows.length === BATCH_EVENTS) {
        await client.insert({ table, values: rows, format: 'JSONEachRow', clickhouse_settings: { async_insert: 0 } })
        quota.done(rows.length)
        rows = []
      }
      if (Number(message.offset) === length - 1) consumer.seek({ topic, partition, offset: '0' })
    },
  })
  return { stop: () => consumer.disconnect() }
}
