import { randomUUID } from 'node:crypto'
import { beforeAll, describe, inject, it } from 'vitest'
import type { KafkaTarget } from '../../src/kafka/kafka-api.ts'
import { createKafkaJsConnections } from '../../src/kafkajs/index.ts'
import { createPlatformaticConnections } from '../../src/platformatic/index.ts'
import { connectionContract } from './connection-contract.ts'
import { makeEmptyTopic, withConnections } from './connection-subject.ts'

const libraries = { kafkajs: createKafkaJsConnections, '@platformatic/kafka': createPlatformaticConnections }
const kafka = inject('kafka')

describe.each(Object.entries(libraries))('connections of %s', (_name, create) => {
  const [host = '', port] = kafka.found?.brokers[0]?.split(':') ?? []
  const broker: KafkaTarget = { host, port: Number(port) }
  let topicId = ''

  beforeAll(async () => {
    if (kafka.found !== null) topicId = await withConnections({ create }, broker, {}, (api) => makeEmptyTopic(api, broker, `connections.${randomUUID()}`))
  })

  it.for(connectionContract)('$name', async ({ run }, context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)

    await run({ create, broker, topicId })
  })
})
