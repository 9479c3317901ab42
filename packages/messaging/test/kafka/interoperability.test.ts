import { afterAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { createKafkaApi, KAFKA_CALLS } from '../../src/kafka/protocol/create-kafka-api.ts'
import { WireReader } from '../../src/kafka/protocol/wire-reader.ts'
import { createPlatformaticConnections } from '../../src/platformatic/index.ts'
import { SOON } from './connection-subject.ts'
import { kafkaJsClient, kafkaJsOf, platformaticClient } from './library-clients.ts'
import { makeRawPartition, type RawPartition } from './raw-partition.ts'
import { SAMPLE, type SampleRecord } from './sample-records.ts'

const kafka = inject('kafka')
const brokers = kafka.found?.brokers ?? []
const connections = createPlatformaticConnections({ brokers: kafka.found?.brokers ?? ['127.0.0.1:1'] })
const api = createKafkaApi(connections)
afterAll(() => connections.close())

/** A topic of its own on the first broker; skips the test where there is none. */
async function partition(context: TestContext, configs?: Readonly<Record<string, string>>): Promise<RawPartition> {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const [target] = connections.seeds
  if (target === undefined) return context.skip('needs Apache Kafka: it has no address')
  return makeRawPartition(api, target, configs)
}

const withoutOffsets = (records: readonly (SampleRecord & { offset: bigint })[]): SampleRecord[] => records.map(({ offset: _, ...record }) => record)
const writers = [kafkaJsClient, platformaticClient].flatMap((client) => client.compressions.map((compression) => ({ client, name: client.name, compression })))

describe('requests', () => {
  it('are in versions that the broker speaks', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const target = connections.seeds[0] ?? { host: '', port: 0 }
    const apiVersions = { apiKey: 18, apiVersion: 0, flexible: false, lane: 'control', body: [] } as const

    const reader = new WireReader(await connections.request(target, { ...SOON, ...apiVersions }), 'ApiVersions')

    expect(reader.int16()).toBe(0)
    const offered = new Map(reader.array(() => [reader.int16(), { least: reader.int16(), most: reader.int16() }] as const))
    const refused = KAFKA_CALLS.filter(({ apiKey, apiVersion }) => !(apiVersion >= (offered.get(apiKey)?.least ?? 1) && apiVersion <= (offered.get(apiKey)?.most ?? 0)))
    expect(refused.map(({ name }) => name)).toEqual([])
  })
})

describe('records', () => {
  it.for(writers)('that $name wrote, compressed by $compression, are read as they were', async ({ client, compression }, context) => {
    const raw = await partition(context)

    await client.write(brokers, raw.topic, SAMPLE, compression)

    expect(withoutOffsets(await raw.readAll())).toEqual(SAMPLE)
  })

  it.for(['none', 'gzip'] as const)('that we wrote, compressed by %s, are read by kafkajs', async (compression, context) => {
    const raw = await partition(context)

    await raw.append(SAMPLE, { compression })

    expect(await kafkaJsClient.read(brokers, raw.topic, SAMPLE.length)).toEqual(SAMPLE)
  })

  it.for(['none', 'gzip', 'zstd'] as const)('that we wrote, compressed by %s, are read by @platformatic/kafka', async (compression, context) => {
    const raw = await partition(context)

    await raw.append(SAMPLE, { compression })

    expect(await platformaticClient.read(brokers, raw.topic, SAMPLE.length)).toEqual(SAMPLE)
  })

  it.for(['gzip', 'snappy', 'lz4', 'zstd'])('that we wrote and the broker compressed anew by %s are read as they were', async (compression, context) => {
    const raw = await partition(context, { 'compression.type': compression })

    await raw.append(SAMPLE, { compression: 'zstd' })

    expect(withoutOffsets(await raw.readAll())).toEqual(SAMPLE)
  })

  it('of aborted transactions are not read, nor their markers', async (context) => {
    const raw = await partition(context)
    const producer = kafkaJsOf(brokers).producer({ transactionalId: `transactions-${raw.topic}`, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    for (const outcome of ['commit', 'abort', 'commit', 'abort'] as const) {
      const transaction = await producer.transaction()
      for (const part of [1, 2]) await transaction.send({ topic: raw.topic, messages: [{ value: `${outcome} ${part}` }] })
      await transaction[outcome]()
      await raw.append([{ key: null, value: Buffer.from('outside'), headers: {}, timestamp: 1_700_000_000_000 }])
    }
    await producer.disconnect()

    const read = await raw.readAll()

    const committed = ['commit 1', 'commit 2', 'outside']
    expect(read.map(({ value }) => value?.toString())).toEqual([...committed, 'outside', ...committed, 'outside'])
    const offsets = read.map(({ offset }) => offset)
    expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a - b)))
    // Two records of each transaction that was aborted and the markers of all four lie between and behind them.
    expect(new Set(offsets).size).toBe(8)
  })

  it('that come twice from one producer are stored once', async (context) => {
    const raw = await partition(context)
    const { errorCode, producerId, producerEpoch } = await api.initProducerId(connections.seeds[0] ?? { host: '', port: 0 }, { transactionalId: null, transactionTimeoutMs: -1, producerId: -1n, producerEpoch: -1 }, SOON)
    const producer = { id: producerId, epoch: producerEpoch, sequence: 0 }

    const first = await raw.append(SAMPLE.slice(0, 3), { producer })
    const again = await raw.append(SAMPLE.slice(0, 3), { producer })
    await raw.append(SAMPLE.slice(3, 5), { producer: { ...producer, sequence: 3 } })

    expect([errorCode, first, again]).toEqual([0, 0n, 0n])
    expect(withoutOffsets(await raw.readAll())).toEqual(SAMPLE.slice(0, 5))
  })
})
