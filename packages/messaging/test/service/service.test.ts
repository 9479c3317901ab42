import { describe, inject, it } from 'vitest'
import { createKafkaJsTransport } from '../../src/kafkajs/index.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import type { MessagingTransport } from '../../src/transport.ts'
import { SERVICE_CASES } from './service-cases.ts'
import { ServiceBench } from './service-subject.ts'

const LIBRARIES: Readonly<Record<string, (brokers: readonly string[]) => MessagingTransport>> = {
  kafkajs: (brokers) => createKafkaJsTransport({ brokers, clientId: 'service-suite' }),
  '@platformatic/kafka': (brokers) => createPlatformaticTransport({ brokers, clientId: 'service-suite' }),
}

describe.each(Object.entries(LIBRARIES))('a service on Apache Kafka by %s', (_, create) => {
  for (const [name, cases] of Object.entries(SERVICE_CASES)) {
    describe(name, () => {
      for (const { name: title, run } of cases) {
        it(title, async (context) => {
          const kafka = inject('kafka')
          if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
          const { brokers } = kafka.found
          const bench = new ServiceBench({ transport: () => create(brokers) })
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
