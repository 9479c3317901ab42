import { randomUUID } from 'node:crypto'
import type { MessagingTransport } from '@smart-whale/messaging'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import type { BenchEngines } from '../hot-path.ts'

/** Partitions of a topic of these benchmarks: as many requests may be under way. */
export const PARTITIONS = 4

/** A topic that a benchmark writes or reads, and a client to look at it with. */
export interface PlainTopic {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly transport: MessagingTransport
  /** How many records it has. */
  length(): Promise<number>
  close(): Promise<void>
}

/** Makes one, with so many records in each partition. */
export async function openPlainTopic(engines: BenchEngines, valueBytes: number, recordsOfEach = 0): Promise<PlainTopic> {
  const brokers = engines.kafka.found?.brokers ?? []
  const topic = `bench-${randomUUID()}`
  const transport = createPlatformaticTransport({ brokers })
  await transport.start()
  await transport.topics.create(topic, { partitions: PARTITIONS })
  const value = valueOf(valueBytes)
  for (let sent = 0; sent < recordsOfEach; sent += 1_000) {
    const records = Array.from({ length: Math.min(1_000, recordsOfEach - sent) }, () => ({ value }))
    await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => transport.send(topic, records.map((record) => ({ ...record, partition })))))
  }
  const lengthOf = async (partition: number): Promise<number> => {
    const reader = await transport.openPartition(topic, partition)
    const { latest } = await reader.bounds()
    await reader.close()
    return Number(latest)
  }
  return {
    brokers,
    topic,
    transport,
    length: async () => (await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => lengthOf(partition)))).reduce((sum, length) => sum + length, 0),
    close: async () => {
      await transport.topics.delete(topic)
      await transport.stop()
    },
  }
}

/** A value of so many bytes, of letters. */
export const valueOf = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, index) => 97 + (index % 26)))
