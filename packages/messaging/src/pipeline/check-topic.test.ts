import { afterEach, describe, expect, it } from 'vitest'
import { type Logger, silentLogger } from '@smart-whale/interfaces'
import { createMemoryTransport } from '../memory/index.ts'
import type { MessagingTransport, TopicDescription } from '../transport.ts'
import { checkTopic, deadLetterRisksOf, risksOf } from './check-topic.ts'
import { definePipelines } from './define-pipelines.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'

const definition = definePipelines([{ topic: 'rides', fields: { id: 'int64', time: 'timestamp' }, time: 'time' }])[0] as PipelineDefinition
const described = (configs: Record<string, string>, replication = 3): TopicDescription => ({ name: 'rides', id: 'r', partitions: 1, replication, configs })

describe('risksOf', () => {
  it('finds nothing in the settings that Kafka gives a topic on three brokers with two in sync', () => {
    const configs = { 'min.insync.replicas': '2', 'cleanup.policy': 'delete', 'retention.ms': '604800000', 'retention.bytes': '-1', 'unclean.leader.election.enable': 'false' }
    expect(risksOf(described(configs))).toEqual([])
    expect(risksOf(described({ ...configs, 'retention.ms': '-1' }))).toEqual([])
  })

  it.each([
    [{ 'min.insync.replicas': '1' }, 3, 'min.insync.replicas'],
    [{ 'cleanup.policy': 'compact,delete' }, 1, 'cleanup.policy'],
    [{ 'retention.ms': '3600000' }, 1, 'retention.ms'],
    [{ 'retention.bytes': '1073741824' }, 1, 'retention.bytes'],
  ])('names what to set instead of %j', (configs, replication, setting) => {
    expect(risksOf(described({ 'min.insync.replicas': '2', ...configs }, replication))).toEqual([expect.stringContaining(setting)])
  })

  it('asks for no second replica in sync where there is one broker', () => {
    expect(risksOf(described({ 'min.insync.replicas': '1' }, 1))).toEqual([])
  })
})

describe('deadLetterRisksOf', () => {
  it('warns of any retention, which a topic of events may well have', () => {
    const week = described({ 'min.insync.replicas': '2', 'retention.ms': '604800000' })

    expect(risksOf(week)).toEqual([])
    expect(deadLetterRisksOf(week)).toEqual([expect.stringContaining('removed after 7 days')])
    expect(deadLetterRisksOf(described({ 'min.insync.replicas': '1', 'retention.ms': '-1' }))).toEqual([expect.stringContaining('min.insync.replicas')])
  })
})

describe('checkTopic', () => {
  let transport: MessagingTransport | null = null
  afterEach(() => transport?.stop())

  async function topics(configs: Record<string, string>): Promise<MessagingTransport> {
    const memory = createMemoryTransport()
    transport = memory
    await memory.start()
    await memory.topics.create('rides', { partitions: 1, configs: { 'retention.ms': '1000' } })
    return { ...memory, topics: { ...memory.topics, describe: async (name: string) => ({ ...described(configs, 1), name }) } } as unknown as MessagingTransport
  }

  it('logs each risk of the topic and of its dead letters', async () => {
    const warnings: unknown[] = []
    const logger: Logger = { ...silentLogger, warn: (context: unknown) => void warnings.push(context) }
    await checkTopic(await topics({ 'retention.ms': '1000' }), definition, logger, {})

    expect(warnings).toMatchObject([{ topic: 'rides' }, { topic: 'rides.dlq' }])
  })

  it('refuses a topic whose offsets may be given to other messages', async () => {
    const checking = checkTopic(await topics({ 'unclean.leader.election.enable': 'true' }), definition, silentLogger, {})
    await expect(checking).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_UNSAFE', message: expect.stringContaining('unclean.leader.election.enable') as string })
  })
})
