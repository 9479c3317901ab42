import { randomUUID } from 'node:crypto'
import { Admin, type ClientQuotaKeyValue } from '@platformatic/kafka'
import { type Logger, silentLogger } from '@smart-whale/interfaces'
import { afterEach, describe, expect, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createKafkaJsTransport } from '../../src/kafkajs/index.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { readTopic } from '../contract/subject.ts'

const kafka = inject('kafka')
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

async function limit(brokers: readonly string[], clientId: string, key: ClientQuotaKeyValue, value: number): Promise<void> {
  const admin = new Admin({ clientId: 'throttled', bootstrapBrokers: [...brokers] })
  await admin.alterClientQuotas({ entries: [{ entities: [{ entityType: 'client-id', entityName: clientId }], ops: [{ key, value, remove: false }] }] })
  await admin.close()
}

/** A logger that keeps which connections were made. */
function connectionLog() {
  const connected: string[] = []
  const debug = (details: unknown, message?: string): void => void (message === 'connected to a Kafka broker' && connected.push((details as { connection: string }).connection))
  return { connected, logger: { ...silentLogger, debug } satisfies Logger }
}

describe.each([
  ['kafkajs', createKafkaJsTransport],
  ['@platformatic/kafka', createPlatformaticTransport],
] as const)('a client that the broker slows down, over connections of %s', (_, create) => {
  it('waits as it is told, and neither gives a request up nor a connection', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    const clientId = `throttled-${randomUUID()}`
    const { connected, logger } = connectionLog()
    await limit(brokers, clientId, 'producer_byte_rate', 40_000)
    const transport = create({ brokers, clientId, logger, requestTimeoutMs: 2_000 })
    open.push(transport)
    await transport.start()
    const topic = `throttled.${randomUUID()}`
    await transport.topics.create(topic, { partitions: 1 })

    const began = performance.now()
    for (let index = 0; index < 7; index++) await transport.send(topic, [{ value: `${index} `.padEnd(100_000, 'x') }])
    const tookMs = performance.now() - began

    // 700 kB, of which the broker lets 40 kB through in a second, and those of ten seconds at once.
    expect(tookMs).toBeGreaterThan(3_000)
    expect((await readTopic(transport, topic)).map(({ value }) => Number(value?.split(' ')[0]))).toEqual(Array.from({ length: 7 }, (__, index) => index))
    // None of them a second time.
    expect(connected).toEqual([...new Set(connected)])
  })

  it('makes topics no faster than it is told, and sends to them meanwhile', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    const clientId = `throttled-${randomUUID()}`
    const { connected, logger } = connectionLog()
    await limit(brokers, clientId, 'controller_mutation_rate', 1)
    const transport = create({ brokers, clientId, logger, requestTimeoutMs: 2_000 })
    open.push(transport)
    await transport.start()
    const [first, second] = [`throttled.${randomUUID()}`, `throttled.${randomUUID()}`]

    // One a second, and those of ten seconds at once: three seconds too many.
    await transport.topics.create(first, { partitions: 13 })
    const began = performance.now()
    const making = transport.topics.create(second, { partitions: 1 }).then((isNew) => ({ isNew, tookMs: performance.now() - began }))
    await transport.send(first, [{ value: 'meanwhile' }])
    const sentMs = performance.now() - began
    const { isNew, tookMs } = await making

    expect(isNew).toBe(true)
    expect(tookMs).toBeGreaterThan(1_500)
    expect(sentMs).toBeLessThan(tookMs)
    expect(connected).toEqual([...new Set(connected)])
  })
})
