import { createRequire } from 'node:module'
import type { EachBatchPayload } from 'kafkajs'
import { z } from 'zod'
import { createAdapter } from '@smart-whale/clickhouse'
import type { Row } from '@smart-whale/interfaces'
import { eventSchema, type IngestEvent } from './event-schema.ts'
import { BATCH_EVENTS } from './ingest-events.ts'
import { consumerOf } from './kafkajs-consumer.ts'
import type { Quota } from './quota.ts'
import type { WorkerConfig } from './worker-config.ts'

/** As a careful author writes it: a handler a batch, a compiled validator, typed rows in binary. */
export async function consumeEachBatch({ brokers, topic, url, username, password, table, length }: WorkerConfig, quota: Quota): Promise<{ stop(): Promise<void> }> {
  const adapter = createAdapter({ url, user: username, password })
  const isEvent = compiledValidator()
  let rows: Row[] = []
  const consumer = consumerOf(brokers)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
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
        if (Number(message.offset) === length - 1) return consumer.seek({ topic, partition: batch.partition, offset: '0' })
      }
    },
  })
  return { stop: () => consumer.disconnect() }
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
