import { randomUUID } from 'node:crypto'
import { createRetry } from '@smart-whale/core-resilience'
import { afterEach, describe, expect, inject, it, type TestContext } from 'vitest'
import { createKafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import { KafkaService } from '../../src/kafka-service.ts'
import { createPlatformaticConnections, createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { readTopic } from '../contract/subject.ts'
import { createSwallowingProxy, type SwallowingProxy } from './swallowing-proxy.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A service whose whole traffic goes through a proxy, whatever addresses the cluster tells, and that tries again whatever fails. */
async function serviceThrough(context: TestContext, timeoutMs: number): Promise<{ service: KafkaService; proxy: SwallowingProxy; topic: string; contents: () => Promise<unknown[]>; attempts: () => number }> {
  const kafka = inject('kafka')
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const { brokers } = kafka.found
  const proxy = await createSwallowingProxy(Number(brokers[0]?.split(':')[1]))
  cleanups.push(() => proxy.close())
  const direct = createPlatformaticConnections({ brokers: [`127.0.0.1:${proxy.port}`] })
  const connections = { ...direct, seeds: direct.seeds, request: (_node: unknown, request: Parameters<typeof direct.request>[1]) => direct.request({ host: '127.0.0.1', port: proxy.port }, request), close: () => direct.close() }
  const observer = createPlatformaticTransport({ brokers })
  await observer.start()
  cleanups.push(() => observer.stop())
  const topic = `lost-answers-${randomUUID().slice(0, 8)}`
  await observer.topics.create(topic, { partitions: 1 })
  cleanups.push(() => observer.topics.delete(topic))
  let attempts = 0
  const policy = createRetry({ name: 'eager', maxAttempts: 5, baseDelayMs: 500, maxDelayMs: 500, budget: false, isRetryable: () => true, onRetry: () => attempts++ })
  const service = new KafkaService(createKafkaTransport(connections, { requestTimeoutMs: 1_000 }), { policy, timeoutMs })
  await service.connect()
  cleanups.push(() => service.disconnect())
  // The producer has its number, and the leader is known.
  await service.sendMessage(topic, 'before')
  const contents = async (): Promise<unknown[]> => (await readTopic(observer, topic)).map(({ value }) => value)
  return { service, proxy, topic, contents, attempts: () => attempts }
}

describe('a service whose broker’s answers are lost on the way', () => {
  it('never sends anew what may be stored, however eager its policy is: the message is there once, and said to be unknown', async (context) => {
    const { service, proxy, topic, contents } = await serviceThrough(context, 3_000)
    proxy.swallow()
    const mended = setTimeout(() => proxy.passOn(), 3_500)
    cleanups.push(async () => clearTimeout(mended))

    const failed = await service.sendMessage(topic, 'once').catch((error: unknown) => error)
    proxy.passOn()

    expect(failed).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', unknown: [0], retryable: false })
    await service.sendMessage(topic, 'after')
    expect(await contents()).toEqual(['before', 'once', 'after'])
  })

  it('repeats a batch under its number while there is time: the broker knows it again', async (context) => {
    const { service, proxy, topic, contents, attempts } = await serviceThrough(context, 60_000)
    proxy.swallow()
    const mended = setTimeout(() => proxy.passOn(), 1_500)
    cleanups.push(async () => clearTimeout(mended))

    expect(await service.sendMessage(topic, 'once')).toBe(true)

    expect(attempts()).toBe(0)
    expect(await contents()).toEqual(['before', 'once'])
  })
})
