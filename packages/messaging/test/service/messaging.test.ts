import { randomUUID } from 'node:crypto'
import { messagingContract } from '@smart-whale/interfaces/testing'
import { describe, inject, it } from 'vitest'
import { deadLetterTopic } from '../../src/dead-letter.ts'
import { KafkaMessaging } from '../../src/kafka-messaging.ts'
import { KafkaService } from '../../src/kafka-service.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { readTopic } from '../contract/subject.ts'
import { quick } from './service-subject.ts'

describe('KafkaMessaging on Apache Kafka', () => {
  for (const { name, run } of messagingContract) {
    it(name, async (context) => {
      const kafka = inject('kafka')
      if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
      const { brokers } = kafka.found
      const services = new Map<KafkaMessaging, KafkaService>()
      const observer = createPlatformaticTransport({ brokers })
      const groupId = `messaging-${randomUUID()}`
      await observer.start()
      try {
        await run({
          create: async () => {
            const service = new KafkaService(createPlatformaticTransport({ brokers, sessionTimeoutMs: 6_000, heartbeatIntervalMs: 200 }), { retry: quick })
            const messaging = new KafkaMessaging(service, { groupId })
            services.set(messaging, service)
            return messaging
          },
          publishKeyed: async (messaging, topic, key, message) => {
            await services.get(messaging as KafkaMessaging)?.createTopic(topic)
            await services.get(messaging as KafkaMessaging)?.sendMessage(topic, message, { key })
          },
          deadLetters: async (topic) => {
            const letters = await readTopic(observer, deadLetterTopic(topic)).catch(() => [])
            return letters.map(({ value }) => JSON.parse(value ?? 'null') as unknown)
          },
        })
      } finally {
        for (const service of services.values()) await service.disconnect()
        await observer.stop()
      }
    })
  }
})
