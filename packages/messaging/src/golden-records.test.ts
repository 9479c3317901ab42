import { readFileSync } from 'node:fs'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type RetriedRecord, readRetried, retryRecord } from './consume/retry-topic.ts'
import { deadLetterRecord, type FailedRecord } from './dead-letter.ts'
import { KafkaService } from './kafka-service.ts'
import { createMemoryTransport } from './memory/index.ts'
import { createDataRequest, createDataResponse } from './schemas/create-data-message.ts'
import { defineMessage } from './schemas/define-message.ts'
import type { OutgoingRecord } from './transport.ts'

const fixture = (name: string): string => readFileSync(new URL(`../test/fixtures/${name}`, import.meta.url), 'utf8').trimEnd()
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const clock = new FakeClock()

/** A record as a text that can be compared: values that are UTF-8 as they are. */
const written = ({ key, value, headers }: OutgoingRecord): string =>
  JSON.stringify(
    {
      key: key === null || key === undefined ? null : Buffer.from(key as Uint8Array).toString(),
      value: value === null ? null : Buffer.from(value as Uint8Array).toString(),
      headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, content]) => [name, Buffer.from(content as Uint8Array).toString()]).toSorted()),
    },
    null,
    2,
  )

const failed: FailedRecord & { headers: Record<string, Uint8Array> } = {
  topic: 'orders',
  partition: 3,
  offset: 4_294_967_296n,
  key: bytes('customer-7'),
  value: bytes(' {"id" : 1} '),
  headers: { 'content-type': bytes('application/json'), mine: bytes('ä') },
  timestamp: 1_700_000_000_123,
}
const reason = { code: 'ERR_VALIDATION', message: 'total: must be a number', groupId: 'billing' }

describe('what goes over the wire', () => {
  const orderPlaced = defineMessage('order_placed', z.object({ orderId: z.string(), totalCents: z.int(), lines: z.array(z.object({ skuCode: z.string() })).default([]) }), 2, {
    upgrades: { 1: ({ total, ...order }) => ({ ...order, total_cents: Math.round(Number(total) * 100) }) },
  })

  it('is, for a message of the user, as the fixture has it, also from an older version', () => {
    const order = orderPlaced.create({ orderId: 'o1', totalCents: 1250, lines: [{ skuCode: 's1' }] })

    expect(orderPlaced.toJson(order)).toBe(fixture('order-placed.json'))
    expect(orderPlaced.fromJson(fixture('order-placed.json'))).toEqual(order)
    expect(orderPlaced.fromJson(fixture('order-placed-v1.json'))).toEqual({ orderId: 'o1', totalCents: 1250, lines: [] })
    expect(JSON.stringify(orderPlaced.jsonSchema(), null, 2)).toBe(fixture('order-placed.schema.json'))
  })

  it('is, for a message in a retry topic, as the fixture has it, and can be read back', () => {
    const retried: RetriedRecord = { origin: failed, attempt: 1, groupId: undefined, dueAtMs: undefined }

    const record = retryRecord(retried, { groupId: 'billing', delayMs: 10_000, clock, reason })

    expect(written(record)).toBe(fixture('retry-record.json'))
    const headers = Object.fromEntries(Object.entries(record.headers ?? {}).map(([name, content]) => [name, bytes(String(Buffer.from(content as Uint8Array)))]))
    const read = readRetried({ ...failed, topic: 'orders.retry.2', partition: 0, offset: 5n, timestamp: 9, headers }, 'orders', 2)
    expect(read).toEqual({ origin: failed, attempt: 2, groupId: 'billing', dueAtMs: clock.now() + 10_000 })
  })

  it('is, for a dead letter, as the fixture has it', () => {
    expect(written(deadLetterRecord(failed, { ...reason, retries: 3 }))).toBe(fixture('dead-letter-record.json'))
  })

  it.each([
    ['request-record.json', (service: KafkaService) => service.sendDataRequest(createDataRequest({ operation: 'fetch_data', modelId: 'm', dataType: 'text', requestId: ID, ttl: 30, clock }), 't')],
    ['response-record.json', (service: KafkaService) => service.sendDataResponse(createDataResponse({ requestId: ID, modelId: 'm', data: null, clock }), 't')],
    ['text-record.json', (service: KafkaService) => service.sendMessage('t', 'ein Wal', { key: 'k', ttlMs: 1_000, headers: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' } })],
  ])('is, as a record, as %s has it', async (name, send) => {
    const transport = createMemoryTransport()
    const service = new KafkaService(transport, { clock })
    await service.connect()
    await service.createTopic('t', 1)

    await send(service)

    const reader = await transport.openPartition('t', 0)
    const batch = await reader.read({ maxBytes: 1e6, maxRecords: 1, maxWaitMs: 5_000 })
    expect(written({ key: batch.keyAt(0), value: batch.valueAt(0), headers: batch.headersAt(0) })).toBe(fixture(name))
    await service.disconnect()
  })
})

const ID = '0b9b8f3e-6c1d-4f0a-9b5e-2f4d3c2b1a00'
