import { describe, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createKafkaJsTransport, type KafkaConnectionOptions, type KafkaTransportOptions } from '../../src/kafkajs/index.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { SERVICE_CASES } from './service-cases.ts'
import { ServiceBench } from './service-subject.ts'

const LIBRARIES: Readonly<Record<string, (options: KafkaConnectionOptions & KafkaTransportOptions) => KafkaTransport>> = {
  kafkajs: createKafkaJsTransport,
  '@platformatic/kafka': createPlatformaticTransport,
}

/** The least that a broker grants unless it is told otherwise. */
const USUAL_MIN_SESSION_MS = 6_000

describe.each(Object.entries(LIBRARIES))('a service on Apache Kafka by %s', (_, create) => {
  for (const [name, cases] of Object.entries(SERVICE_CASES)) {
    describe(name, () => {
      for (const { name: title, run } of cases) {
        it(title, async (context) => {
          const kafka = inject('kafka')
          if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
          const { brokers, minSessionTimeoutMs = USUAL_MIN_SESSION_MS } = kafka.found
          const sessionMs = (isToCrash: boolean): number => (isToCrash ? Math.max(2_000, minSessionTimeoutMs) : 30_000)
          const bench = new ServiceBench({ transport: ({ isToCrash = false } = {}) => create({ brokers, sessionTimeoutMs: sessionMs(isToCrash), heartbeatIntervalMs: 200 }) })
          try {
            await run(bench)
          } finally {
            await bench.end()
          }
        })
      }
    })
  }
})
