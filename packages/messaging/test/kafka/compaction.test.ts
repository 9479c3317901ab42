import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type KafkaCluster, startKafka } from '../../../../tools/services/src/index.ts'
import { createKafkaJsConnections } from '../../src/kafkajs/index.ts'
import { withConnections } from './connection-subject.ts'
import { makeRawPartition } from './raw-partition.ts'
import type { SampleRecord } from './sample-records.ts'

const kafka = inject('kafka')
const COMPACTED = { 'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0.01', 'max.compaction.lag.ms': '1' }
const DEADLINE_MS = 120_000
const POLL_MS = 100

const record = (key: string, value: string): SampleRecord => ({ key: Buffer.from(key), value: Buffer.from(value), headers: {}, timestamp: Date.now() })

describe('a compacted topic', () => {
  let cluster: KafkaCluster | undefined
  beforeAll(async () => {
    if (kafka.found !== null) cluster = await startKafka({ isShortLived: true, listeners: [], heapMegabytes: 256, settings: { 'log.cleaner.backoff.ms': 100 } })
  })
  afterAll(() => cluster?.stop())

  it.for(['none', 'gzip', 'zstd'] as const)('is read with its gaps, its batches compressed by %s', async (compression, context) => {
    if (cluster === undefined) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : 'it did not start'}`)
    const [host = '', port] = cluster.brokers[0]?.split(':') ?? []
    const target = { host, port: Number(port) }

    await withConnections({ create: createKafkaJsConnections }, target, {}, async (api) => {
      const raw = await makeRawPartition(api, target, COMPACTED)
      const values = async (): Promise<string[]> => (await raw.readAll()).map(({ offset, value }) => `${offset} ${value?.toString()}`)
      await raw.append(['a', 'b', 'a', 'c', 'a', 'b'].map((key, index) => record(key, `${key}${index}`)), { compression })
      let read = await values()
      for (const deadline = performance.now() + DEADLINE_MS; read.includes('0 a0') && performance.now() < deadline; read = await values()) {
        // What is in the newest segment is never compacted, and a new one begins with a record.
        await raw.append([record('newest', 'x')])
        await sleep(POLL_MS)
      }

      expect(read.slice(0, 3)).toEqual(['3 c3', '4 a4', '5 b5'])
    })
  })
})
