import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@smart-whale/interfaces'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { deadLetterSettings, retryTopicSettings } from '../../src/beside-topic.ts'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { collector, makeTopic, readTopic, rejectsWith, until } from '../contract/subject.ts'

const HOUR_MS = 3_600_000
const kafka = inject('kafka')
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

/** The machine's clock, with another time of day. */
const clockOff = (offMs: () => number): Clock => ({ ...systemClock, now: () => systemClock.now() + offMs() })

async function connect(brokers: readonly string[], offMs: () => number): Promise<KafkaTransport> {
  const transport = createPlatformaticTransport({ brokers, clock: clockOff(offMs), sessionTimeoutMs: 30_000, heartbeatIntervalMs: 200 })
  open.push(transport)
  await transport.start()
  return transport
}

describe('on Apache Kafka, a machine whose clock', () => {
  it('is hours ahead of the broker puts messages aside all the same, and is told what helps where a topic refuses its time', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const ahead = await connect(kafka.found.brokers, () => 3 * HOUR_MS)
    const topic = await makeTopic(ahead)
    const description = await ahead.topics.describe(topic)
    const letters = await makeTopic(ahead, deadLetterSettings(description))
    const retries = await makeTopic(ahead, retryTopicSettings(description, 1000))

    await rejectsWith('ERR_MESSAGING_BROKER_REFUSED', ahead.send(topic, [{ value: 'a' }]))
    await expect(ahead.send(topic, [{ value: 'a' }])).rejects.toThrow(/INVALID_TIMESTAMP.*set this machine's clock right/)
    for (const beside of [letters, retries]) await ahead.send(beside, [{ value: 'kept' }])

    expect((await readTopic(ahead, letters)).map(({ value }) => value)).toEqual(['kept'])
    expect((await readTopic(ahead, retries)).map(({ value }) => value)).toEqual(['kept'])
  })

  it('jumps back and forth by an hour, again and again, reads each message once and keeps its partitions', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    let offMs = 0
    const [writing, jumping, behind] = [await connect(brokers, () => 0), await connect(brokers, () => offMs), await connect(brokers, () => -2 * HOUR_MS)]
    const topic = await makeTopic(writing, { partitions: 4 })
    const [first, second] = [collector(), collector()]
    const groupId = randomUUID()
    await jumping.join({ groupId, topics: [topic], onPartition: first.onPartition })
    await behind.join({ groupId, topics: [topic], onPartition: second.onPartition })
    await until('they share the partitions', () => first.active.size === 2 && second.active.size === 2)

    for (let round = 0; round < 40; round++) {
      offMs = [HOUR_MS, -HOUR_MS, 0][round % 3] as number
      await writing.send(topic, Array.from({ length: 8 }, (_, index) => ({ value: `${round}-${index}`, partition: index % 4 })))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const all = (): (string | null)[] => [...first.values(), ...second.values()]
    await until('all of it is read', () => new Set(all()).size === 320)

    expect(all()).toHaveLength(320)
    expect([first.active.size, second.active.size]).toEqual([2, 2])
  })
})
