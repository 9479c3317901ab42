import { createRetry } from '@smart-whale/core-resilience'
import { InfrastructureError } from '@smart-whale/interfaces'
import { messagingContract } from '@smart-whale/interfaces/testing'
import { describe, it } from 'vitest'
import { readTopic } from '../test/contract/subject.ts'
import { deadLetterTopic } from './dead-letter.ts'
import { KafkaMessaging } from './kafka-messaging.ts'
import { KafkaService } from './kafka-service.ts'
import { createMemoryBroker, createMemoryTransport } from './memory/index.ts'

const retry = createRetry({
  maxAttempts: 3,
  baseDelayMs: 10,
  budget: false,
  isRetryable: (error) => !InfrastructureError.isInstance(error) || error.retryable,
})

describe('KafkaMessaging on the memory transport', () => {
  for (const { name, run } of messagingContract) {
    it(name, async () => {
      const broker = createMemoryBroker()
      const services = new Map<KafkaMessaging, KafkaService>()
      const observer = createMemoryTransport({ broker })
      await observer.start()
      try {
        await run({
          create: async () => {
            const service = new KafkaService(createMemoryTransport({ broker }), { retry })
            const messaging = new KafkaMessaging(service)
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
        await observer.stop()
        await broker.stop()
      }
    })
  }
})
