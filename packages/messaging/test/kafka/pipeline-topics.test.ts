import { randomUUID } from 'node:crypto'
import { type Logger, silentLogger } from '@smart-whale/interfaces'
import { afterEach, expect, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { createKafkaJsTransport } from '../../src/kafkajs/index.ts'
import { checkTopic } from '../../src/pipeline/check-topic.ts'
import { definePipelines } from '../../src/pipeline/define-pipelines.ts'
import { makeTopics } from '../../src/pipeline/make-topics.ts'
import type { PipelineDefinition } from '../../src/pipeline/pipeline-definition.ts'

const kafka = inject('kafka')
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

async function connect(brokers: readonly string[]): Promise<KafkaTransport> {
  const transport = createKafkaJsTransport({ brokers })
  open.push(transport)
  await transport.start()
  return transport
}

const definitionOf = (topic: string): PipelineDefinition =>
  definePipelines([{ topic, table: 'rides', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }])[0] as PipelineDefinition

/** What is logged of the pipeline's topics at its start. */
async function warningsOf(transport: KafkaTransport, definition: PipelineDefinition): Promise<unknown[]> {
  const warnings: unknown[] = []
  const logger: Logger = { ...silentLogger, warn: (context: unknown) => void warnings.push(context) }
  await checkTopic(transport, definition, logger, {})
  return warnings
}

it('makes dead letters that the broker keeps for good, and finds nothing to say of them', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const transport = await connect(kafka.found.brokers)
  const definition = definitionOf(`pipeline-topics.${randomUUID()}`)

  await makeTopics(transport, definition, 1, {})

  const letters = await transport.topics.describe(`${definition.topic}.dlq`)
  expect(letters?.configs).toMatchObject({ 'retention.ms': '-1', 'retention.bytes': '-1', 'cleanup.policy': 'delete', 'max.message.bytes': String(1_048_588 + 256 * 1024) })
  expect(await warningsOf(transport, definition)).toEqual([])
})

it('leaves dead letters that are there as they are, and says when the broker will remove them', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const transport = await connect(kafka.found.brokers)
  const definition = definitionOf(`pipeline-topics.${randomUUID()}`)
  const letters = `${definition.topic}.dlq`
  await transport.topics.create(letters, { partitions: 1, configs: { 'max.message.bytes': '2000000' } })

  await makeTopics(transport, definition, 1, {})

  expect((await transport.topics.describe(letters))?.configs['retention.ms']).toBe('604800000')
  expect(await warningsOf(transport, definition)).toEqual([{ topic: letters, risk: expect.stringMatching(/removed after 7 days.*set -1/) as string }])
})
