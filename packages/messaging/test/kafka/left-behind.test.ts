import { randomUUID } from 'node:crypto'
import { afterEach, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { until } from '../contract/subject.ts'

const kafka = inject('kafka')
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length

it('keeps no connection of a member that has left its group', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const transport = createPlatformaticTransport({ brokers: kafka.found.brokers })
  open.push(transport)
  await transport.start()
  const topic = `left.${randomUUID()}`
  await transport.topics.create(topic, { partitions: 1 })
  const joinAndLeave = async (): Promise<void> => {
    const begun = Promise.withResolvers<void>()
    const membership = await transport.join({ groupId: randomUUID(), topics: [topic], onPartition: (reader) => reader.commit(0n).then(begun.resolve) })
    await begun.promise
    await membership.leave()
  }

  await joinAndLeave()
  const before = sockets()
  for (let index = 0; index < 3; index++) await joinAndLeave()

  await until('they are gone', () => sockets() <= before)
})
