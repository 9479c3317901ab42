import { randomUUID } from 'node:crypto'
import { describe, expect, inject, it } from 'vitest'
import { createEnvironmentTransport, kafkaService, KafkaService } from '../../src/index.ts'

describe('a service from the environment', () => {
  it.for(['kafkajs', 'platformatic'])('reaches the cluster that it names, by %s', async (library, context) => {
    const kafka = inject('kafka')
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const service = new KafkaService(createEnvironmentTransport({ KAFKA_BROKERS: kafka.found.brokers.join(), KAFKA_TRANSPORT: library, KAFKA_COMPRESSION: 'gzip' }))
    const topic = `environment.${randomUUID()}`

    await service.connect()
    await service.createTopic(topic, 1)
    const sent = await service.sendMessage(topic, { whale: true })

    expect(sent).toBe(true)
    expect((await service.getTopicInfo(topic))?.partitions).toBe(1)
    await service.deleteTopic(topic)
    await service.disconnect()
  })

  it('is ready made, and does nothing before it connects', async () => {
    expect(kafkaService).toBeInstanceOf(KafkaService)
    await expect(kafkaService.listTopics()).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })
  })
})
