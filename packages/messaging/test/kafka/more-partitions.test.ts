import { randomUUID } from 'node:crypto'
import { afterEach, expect, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { collector, until } from '../contract/subject.ts'
import { kafkaJsOf } from './library-clients.ts'

const kafka = inject('kafka')
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

it('gives a group the partitions that its topic gets later, though nobody tells of them', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const { brokers } = kafka.found
  const connect = async (): Promise<KafkaTransport> => {
    const transport = createPlatformaticTransport({ brokers, metadataMaxAgeMs: 500, sessionTimeoutMs: 30_000, heartbeatIntervalMs: 200 })
    open.push(transport)
    await transport.start()
    return transport
  }
  const [reading, writing] = [await connect(), await connect()]
  const topic = `more-partitions.${randomUUID()}`
  await writing.topics.create(topic, { partitions: 1 })
  const reader = collector()
  await reading.join({ groupId: randomUUID(), topics: [topic], onPartition: reader.onPartition })
  await until('the first partition is read', () => reader.active.size === 1)

  const admin = kafkaJsOf(brokers).admin()
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  await admin.disconnect()
  await until('all three are read', () => reader.active.size === 3)
  await until('they can be written', async () => ((await writing.topics.describe(topic))?.partitions ?? 0) === 3)
  await writing.send(topic, [0, 1, 2].map((partition) => ({ value: `of ${partition}`, partition })))
  await until('they are read', () => reader.records.length === 3)

  expect(reader.values().toSorted()).toEqual(['of 0', 'of 1', 'of 2'])
})
