import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { KafkaTarget } from '../../src/kafka/kafka-api.ts'
import { createKafkaJsConnections } from '../../src/kafkajs/index.ts'
import { createPlatformaticConnections } from '../../src/platformatic/index.ts'
import { connectionContract } from './connection-contract.ts'
import { makeEmptyTopic, withConnections } from './connection-subject.ts'

const libraries = { kafkajs: createKafkaJsConnections, '@platformatic/kafka': createPlatformaticConnections }
const kafka = inject('kafka')

/** Node says some of them once in a process: they are kept from the beginning. */
const warnings: string[] = []
const keepWarning = (warning: Error): void => void warnings.push(warning.name)
process.on('warning', keepWarning)
afterAll(() => void process.off('warning', keepWarning))

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

it('connections of neither have made Node warn of anything', () => {
  expect(warnings).toEqual([])
})
