import { type Logger, silentLogger } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { KafkaService } from './kafka-service.ts'
import { createMemoryTransport } from './memory/index.ts'
import { TopicManager } from './topic-manager.ts'

interface Bench {
  readonly manager: TopicManager
  readonly service: KafkaService
  readonly warnings: object[]
}

async function withManager(run: (bench: Bench) => Promise<void>): Promise<void> {
  const service = new KafkaService(createMemoryTransport())
  const warnings: object[] = []
  const logger: Logger = { ...silentLogger, warn: (fields: object | string) => void warnings.push(fields as object) }
  await service.connect()
  try {
    await run({ manager: new TopicManager(service, { logger }), service, warnings })
  } finally {
    await service.disconnect()
  }
}

describe('TopicManager', () => {
  it('knows the base topics by key, and passes other names on', () =>
    withManager(async ({ manager }) => {
      expect(manager.getTopicName('data_requests')).toBe('smartwhale.data.requests')
      expect(manager.getTopicName('data_responses_prefix')).toBe('smartwhale.data.responses')
      expect(manager.getTopicName('models_requests')).toBe('smartwhale.models.requests')
      expect(manager.getTopicName('balance_metrics')).toBe('smartwhale.balance.metrics')
      expect(manager.getTopicName('balance_events')).toBe('smartwhale.balance.events')
      expect(manager.getTopicName('system_logs')).toBe('smartwhale.core.logs')
      expect(manager.getTopicName('toString')).toBe('toString')
    }))

  it('makes the base topics, with as many copies as there are brokers', () =>
    withManager(async ({ manager, service, warnings }) => {
      expect(await manager.initializeAllTopics()).toBe(true)

      expect(await manager.listAllTopics()).toEqual([
        'smartwhale.balance.events',
        'smartwhale.balance.metrics',
        'smartwhale.core.logs',
        'smartwhale.data.requests',
        'smartwhale.models.requests',
      ])
      expect(await service.getTopicInfo('smartwhale.data.requests')).toMatchObject({ partitions: 5, replication: 1 })
      expect(warnings).toContainEqual({ topic: 'smartwhale.data.requests', wanted: 3, brokers: 1 })
      expect(manager.createdTopics.size).toBe(5)
    }))

  it('makes, lists and deletes the topics of models', () =>
    withManager(async ({ manager, service, warnings }) => {
      await service.createTopic('smartwhale.data.responses.older', 3)

      expect(await manager.ensureModelTopic('model 1')).toBe('smartwhale.data.responses.esc-model_201')
      expect(await service.getTopicInfo('smartwhale.data.responses.esc-model_201')).toMatchObject({ partitions: 3 })
      expect(await manager.listModelTopics()).toEqual([
        ['model 1', 'smartwhale.data.responses.esc-model_201'],
        ['older', 'smartwhale.data.responses.older'],
      ])
      expect(await manager.deleteModelTopic('model 1')).toBe(true)
      expect([manager.modelTopics.size, manager.createdTopics.size]).toEqual([0, 0])
      warnings.length = 0
      expect(await manager.deleteModelTopic('model 1')).toBe(false)
      expect(warnings).toEqual([{ modelId: 'model 1' }])
      expect(await manager.deleteModelTopic('older')).toBe(true)
    }))

  it('makes a topic again that it deleted', () =>
    withManager(async ({ manager, service, warnings }) => {
      await manager.ensureTopicExists('system_logs', 1, 1)

      expect(await manager.deleteTopic('system_logs')).toBe(true)
      expect(await manager.deleteTopic('system_logs')).toBe(false)
      expect(warnings).toEqual([{ topic: 'smartwhale.core.logs' }])
      expect(await manager.ensureTopicExists('system_logs', 1, 1)).toBe(true)
      expect(await service.topicExists('smartwhale.core.logs')).toBe(true)
    }))

  it('reports a topic that is otherwise than wanted, and leaves it as it is', () =>
    withManager(async ({ manager, service, warnings }) => {
      await service.createTopic('orders', 2)
      const drift = { topic: 'orders', property: 'partitions', wanted: 6, actual: 2 }

      expect(await manager.ensureTopicExists('orders', 6, 1)).toBe(true)

      expect(warnings).toEqual([drift])
      expect(await manager.checkDrift('orders', 6)).toEqual([drift])
      expect(await manager.checkDrift('orders', 2)).toEqual([])
      expect(await service.getTopicInfo('orders')).toMatchObject({ partitions: 2 })
    }))

  it('describes how all topics differ from how they are wanted: missing ones, partitions and configurations', () =>
    withManager(async ({ manager, service }) => {
      await manager.initializeAllTopics()
      expect(await manager.describeDrift()).toEqual([])
      await manager.ensureTopicExists('kept', 2, 1, { 'retention.ms': '1000' })
      await service.deleteTopic('kept')
      await service.createTopic('kept', 3, 1, { 'retention.ms': '2000' })
      await service.deleteTopic('smartwhale.core.logs')

      expect(await manager.describeDrift()).toEqual([
        { topic: 'smartwhale.core.logs', property: 'existence', wanted: 'present', actual: 'absent' },
        { topic: 'kept', property: 'partitions', wanted: 2, actual: 3 },
        { topic: 'kept', property: 'configs.retention.ms', wanted: '1000', actual: '2000' },
      ])
      await manager.deleteTopic('kept')
      expect(await manager.describeDrift()).toHaveLength(1)
    }))

  it('describes dead letters that would be removed before anybody takes them away', () =>
    withManager(async ({ manager, service, warnings }) => {
      await manager.initializeAllTopics()
      await service.createTopic('smartwhale.core.logs.dlq', 1, 1, { 'retention.ms': '604800000' })
      await service.createTopic('smartwhale.balance.events.dlq', 1)
      warnings.length = 0
      const drift = { topic: 'smartwhale.core.logs.dlq', property: 'configs.retention.ms', wanted: '-1', actual: '604800000' }

      expect(await manager.describeDrift()).toEqual([drift])
      expect(warnings).toEqual([drift])
    }))
})
