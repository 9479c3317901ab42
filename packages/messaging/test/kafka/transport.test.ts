import { afterEach, describe, inject, it } from 'vitest'
import { createKafkaJsTransport } from '../../src/kafkajs/index.ts'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { transportContract } from '../contract/transport-contract.ts'

const kafka = inject('kafka')
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

const bindings = [
  ['kafkajs', createKafkaJsTransport, 'none'],
  ['@platformatic/kafka', createPlatformaticTransport, 'gzip'],
] as const

describe.each(bindings)('a transport over connections of %s', (_, create, compression) => {
  for (const { name, run } of transportContract) {
    it(name, async (context) => {
      if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
      const { brokers } = kafka.found
      const connect = async ({ isToCrash = false } = {}): Promise<KafkaTransport> => {
        const transport = create({ brokers, compression, sessionTimeoutMs: isToCrash ? 2000 : 30_000, heartbeatIntervalMs: 200 })
        open.push(transport)
        await transport.start()
        return transport
      }
      await run({ connect, crash: (transport) => void (transport as KafkaTransport).crash() })
    })
  }
})
