import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ProxyLine, startToxiproxy, type Toxiproxy } from '../../../../tools/services/src/index.ts'
import { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import type { KafkaTransportOptions } from '../../src/kafka/options.ts'
import { createKafkaJsConnections } from '../../src/kafkajs/index.ts'
import { createPlatformaticConnections, createPlatformaticTransport } from '../../src/platformatic/index.ts'
import type { PartitionReader } from '../../src/transport.ts'
import { collector, holder, READ, readTopic, until } from '../contract/subject.ts'
import { overLines } from '../support/lined-connections.ts'

const kafka = inject('kafka')
const libraries = [
  ['kafkajs', createKafkaJsConnections],
  ['@platformatic/kafka', createPlatformaticConnections],
] as const
/** What a busy machine may be late by; the lines stay as bad for as long as anybody waits. */
const SLACK_MS = 10_000

const kilobytes = (count: number): string => 'x'.repeat(count * 1024)
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'it did not fail', (error: unknown) => error)

async function timed<T>(work: Promise<T>): Promise<{ result: T; tookMs: number }> {
  const began = performance.now()
  return { result: await work, tookMs: performance.now() - began }
}

describe.each(libraries)('a bad line to the broker, over connections of %s', (_, create) => {
  let toxiproxy: Toxiproxy | undefined
  let whyNot = ''
  const open: KafkaTransport[] = []

  beforeAll(async () => {
    if (kafka.found === null) whyNot = `needs Apache Kafka: ${kafka.remedy}`
    else toxiproxy = await startToxiproxy().catch((error: unknown) => void (whyNot = `needs Toxiproxy: ${String(error)}`))
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((transport) => transport.stop()))
  })
  afterAll(() => toxiproxy?.stop())

  /** A client over a line, another one past it, and a topic. */
  async function connect(options: KafkaTransportOptions = {}): Promise<{ over: KafkaTransport; past: KafkaTransport; line: ProxyLine; topic: string } | string> {
    if (kafka.found === null || toxiproxy === undefined) return whyNot
    const { brokers } = kafka.found
    const { connections, lines } = await overLines((addresses) => create({ brokers: addresses }), toxiproxy, brokers)
    const over = new KafkaTransport(connections, { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 300, requestTimeoutMs: 1_000, handoverTimeoutMs: 500, ...options })
    const past = createPlatformaticTransport({ brokers })
    open.push(over, past)
    await Promise.all([over.start(), past.start()])
    const topic = `bad-lines.${randomUUID()}`
    await past.topics.create(topic, { partitions: 1 })
    return { over, past, line: lines[0] as ProxyLine, topic }
  }

  it('works on over a line that is slow, and gives up what is too slow for its deadline in time', async (context) => {
    const world = await connect()
    if (typeof world === 'string') return context.skip(world)
    const { over, past, line, topic } = world
    await over.send(topic, [{ value: 'before' }])

    await line.add({ type: 'latency', attributes: { latency: 300, jitter: 100 } })
    const patient = await over.send(topic, [{ value: 'slow' }])
    const { result: error, tookMs } = await timed(failureOf(over.send(topic, [{ value: 'too slow' }], { timeoutMs: 100 })))
    const reader = collector()
    await over.join({ groupId: randomUUID(), topics: [topic], onPartition: reader.onPartition })
    await until('all of it is read', () => reader.values().includes('slow'))

    expect(patient).toEqual([{ partition: 0, offset: 1n }])
    // It had left, so that nobody knows.
    expect(error).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', unknown: [0] })
    expect(tookMs).toBeLessThan(100 + SLACK_MS)
    expect((await readTopic(past, topic)).filter(({ value }) => value === 'slow')).toHaveLength(1)
  })

  it('holds every deadline while the line swallows everything, and goes on when it is mended', async (context) => {
    const world = await connect()
    if (typeof world === 'string') return context.skip(world)
    const { over, past, line, topic } = world
    const groupId = randomUUID()
    const held = holder()
    const membership = await over.join({ groupId, topics: [topic], onPartition: held.onPartition })
    await until('it has its partition', () => held.readers.length === 1)
    const reader = held.readers[0] as PartitionReader
    await past.send(topic, [{ value: 'a' }])
    expect((await reader.read({ ...READ, maxWaitMs: 5_000 })).length).toBe(1)

    await line.blackHole()
    const [send, read, commit, bounds, lag, describe] = await Promise.all([
      timed(failureOf(over.send(topic, [{ value: 'b' }], { timeoutMs: 700 }))),
      timed(reader.read({ ...READ, maxWaitMs: 600 })),
      timed(failureOf(reader.commit(1n, { timeoutMs: 500 }))),
      timed(failureOf(reader.bounds({ timeoutMs: 400 }))),
      timed(failureOf(over.groupLag(groupId, topic, { timeoutMs: 400 }))),
      timed(failureOf(over.topics.describe(topic, { timeoutMs: 400 }))),
    ])
    await line.mend()
    await until('it can be sent again', () => over.send(topic, [{ value: 'c' }], { timeoutMs: 2_000 }).then(() => true, () => false))
    await until('it reads again', async () => {
      const newest = held.readers.at(-1) as PartitionReader
      return newest.read({ ...READ, maxWaitMs: 500 }).then(({ length }) => length > 0, () => false)
    })

    expect(send.result).toMatchObject({ retryable: true })
    expect(read.result).toMatchObject({ length: 0 })
    for (const { result } of [commit, bounds, lag, describe]) expect(result).toMatchObject({ retryable: true })
    const late = [send, read, commit, bounds, lag, describe].map(({ tookMs }, index) => tookMs - ([700, 600, 500, 400, 400, 400][index] ?? 0))
    expect(Math.max(...late)).toBeLessThan(SLACK_MS)
    expect(membership.failed.aborted).toBe(false)
  })

  it('stops in time while the line swallows everything', async (context) => {
    const world = await connect()
    if (typeof world === 'string') return context.skip(world)
    const { over, line, topic } = world
    const held = holder()
    await over.join({ groupId: randomUUID(), topics: [topic], onPartition: held.onPartition })
    await until('it has its partition', () => held.readers.length === 1)

    await line.blackHole()
    const { tookMs } = await timed(over.stop())
    await line.mend()

    // Its handler returns at once; the word to the group that it goes has the time of a request.
    expect(tookMs).toBeLessThan(1_000 + SLACK_MS)
  })

  it('stores a batch once whose answers are cut off in their midst, wherever that is', async (context) => {
    const world = await connect()
    if (typeof world === 'string') return context.skip(world)
    const { over, past, line, topic } = world
    await over.send(topic, [{ value: '0' }])

    const values: string[] = []
    for (let bytes = 1; bytes <= 64; bytes += 7) {
      // Each connection gets so many bytes through, and is hung up on.
      await line.add({ type: 'limit_data', attributes: { bytes } })
      const sending = over.send(topic, [{ value: String(bytes) }], { timeoutMs: 30_000 })
      await new Promise((resolve) => setTimeout(resolve, 150))
      await line.mend()
      await sending
      values.push(String(bytes))
    }

    expect((await readTopic(past, topic)).map(({ value }) => value)).toEqual(['0', ...values])
  })

  it('reads records that come over a thin line, each once and in order', async (context) => {
    const world = await connect({ maxPartitionFetchBytes: 64 * 1024, requestTimeoutMs: 3_000 })
    if (typeof world === 'string') return context.skip(world)
    const { over, past, line, topic } = world
    for (let index = 0; index < 20; index++) await past.send(topic, [{ value: `${index} ${kilobytes(20)}` }])

    await line.add({ type: 'bandwidth', attributes: { rate: 200 } })
    const reader = collector()
    await over.join({ groupId: randomUUID(), topics: [topic], onPartition: reader.onPartition })
    await until('all of it is read', () => reader.records.length >= 20)

    expect(reader.values().map((value) => Number(value?.split(' ')[0]))).toEqual(Array.from({ length: 20 }, (__, index) => index))
  })
})
