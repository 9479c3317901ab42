import { describe, expect, it } from 'vitest'
import { EnvironmentTransport } from './environment-transport.ts'
import type { KafkaConfig } from './kafka-config.ts'
import { KafkaService } from './kafka-service.ts'
import { createMemoryTransport } from './memory/index.ts'

describe('a transport from the environment', () => {
  it('reads nothing and makes nothing before it is started, and then what the environment names', async () => {
    const made: KafkaConfig[] = []
    const environment: Record<string, string> = {}
    const transport = new EnvironmentTransport(async (config) => {
      made.push(config)
      return createMemoryTransport({ maxRecordBytes: 77 })
    }, environment)
    const service = new KafkaService(transport)

    await expect(transport.send('t', [])).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })
    expect(() => transport.topics).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_NOT_CONNECTED' }) as Error)
    expect(made).toEqual([])
    environment['KAFKA_BROKERS'] = 'b:1'
    await service.connect()
    await service.createTopic('t', 1)

    expect(made.map(({ connection }) => connection.brokers)).toEqual([['b:1']])
    expect(await service.listTopics()).toEqual(['t'])
    expect(transport.maxRecordBytes).toBe(77)
    await service.disconnect()
  })

  it('can be started once what was wrong is put right', async () => {
    const environment: Record<string, string> = { KAFKA_TRANSPORT: 'wrong' }
    const transport = new EnvironmentTransport(async () => createMemoryTransport(), environment)

    await expect(transport.start()).rejects.toMatchObject({ code: 'ERR_MESSAGING_CONFIGURATION' })
    environment['KAFKA_TRANSPORT'] = 'kafkajs'
    await transport.start()

    await transport.stop()
  })
})
