import { randomUUID } from 'node:crypto'
import { Consumer, MessagesStreamModes } from '@platformatic/kafka'
import type { MessagingTransport, PartitionReader } from '@smart-whale/messaging'
import { createKafkaJsTransport } from '@smart-whale/messaging/kafkajs'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { Quota } from '../ingest/quota.ts'
import { kafkaJsClient } from '../plain-client/kafkajs-client.ts'
import { openPlainTopic, PARTITIONS, type PlainTopic } from '../plain-client/plain-topic.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'our transport, over @platformatic/kafka'
const OURS_OVER_KAFKAJS = 'our transport, over kafkajs'
const KAFKAJS = 'kafkajs eachBatch'
const PLATFORMATIC = '@platformatic/kafka stream'
/** Bytes of one repeat: much more than anybody has fetched ahead, which another slice has paid for. */
const REPEAT_BYTES = 8_000_000
/** Bytes of each partition; whoever has read all of them begins anew. */
const PARTITION_BYTES = 8_000_000
/** Bytes that everybody asks for of a partition at a time. */
const FETCH_BYTES = 512 * 1024

/** Records of 100 bytes from a topic. */
export const consumeSmall: HotPath = consumePath('consume-100b', 100)

/** Records of a kilobyte from a topic. */
export const consumeLarge: HotPath = consumePath('consume-1kb', 1_024)

function consumePath(name: string, valueBytes: number): HotPath {
  return {
    name,
    title: `Read records of ${valueBytes} bytes as the only member of a group, ${PARTITIONS} partitions, the length of each value being looked at`,
    operation: 'record',
    measure: 'client CPU',
    baseline: KAFKAJS,
    goals: [
      { contender: OURS, against: KAFKAJS, speedAtLeast: 1 },
      { contender: OURS, against: PLATFORMATIC, speedAtLeast: 1 },
    ],
    needs: 'kafka',
    open: (engines) => openConsuming(engines, valueBytes),
  }
}

/** How much one contender may read, and has read. */
class Meter {
  readonly quota = new Quota()
  bytes = 0
}

/** Begins to read; what it answers ends that. */
type Read = (meter: Meter, plain: PlainTopic, recordsOfEach: number) => Promise<() => Promise<void>>

async function openConsuming(engines: BenchEngines, valueBytes: number): Promise<OpenHotPath> {
  const recordsOfEach = Math.ceil(PARTITION_BYTES / valueBytes)
  const records = Math.ceil(REPEAT_BYTES / valueBytes)
  const plain = await openPlainTopic(engines, valueBytes, recordsOfEach)
  const readers: readonly (readonly [string, Read])[] = [
    [KAFKAJS, readByKafkaJs],
    [PLATFORMATIC, readByPlatformatic],
    [OURS, readByOurs(createPlatformaticTransport)],
    [OURS_OVER_KAFKAJS, readByOurs(createKafkaJsTransport)],
  ]
  const closing: (() => Promise<void>)[] = []
  const contenders: Contender[] = []
  for (const [name, read] of readers) {
    const meter = new Meter()
    const close = await read(meter, plain, recordsOfEach)
    closing.push(async () => {
      meter.quota.end()
      await close()
    })
    contenders.push({
      name,
      operationsPerRepeat: records,
      run: (repeats) => meter.quota.consume(repeats * records),
      verify: () => Promise.resolve(requireEqual(name, meter.bytes, records * valueBytes)),
    })
  }
  return {
    contenders,
    serverPid: null,
    close: async () => {
      for (const close of closing) await close()
      await plain.close()
    },
  }
}

function readByOurs(create: (options: { brokers: readonly string[]; maxPartitionFetchBytes: number }) => MessagingTransport): Read {
  return async (meter, { brokers, topic }, recordsOfEach) => {
    const transport = create({ brokers, maxPartitionFetchBytes: FETCH_BYTES })
    await transport.start()
    await transport.join({ groupId: `bench-${randomUUID()}`, topics: [topic], onPartition: (reader) => readPartition(reader, meter, BigInt(recordsOfEach)) })
    return () => transport.stop()
  }
}

async function readPartition(reader: PartitionReader, meter: Meter, end: bigint): Promise<void> {
  const { quota } = meter
  while (await quota.open()) {
    const wanted = quota.left
    // Another partition's reader was quicker.
    if (wanted === 0) continue
    quota.take(wanted)
    const batch = await reader.read({ maxBytes: FETCH_BYTES, maxRecords: wanted, maxWaitMs: 1_000 })
    quota.giveBack(wanted - batch.length)
    for (let index = 0; index < batch.length; index++) meter.bytes += batch.valueAt(index)?.length ?? 0
    if (batch.nextOffset >= end) reader.seek(0n)
    quota.done(batch.length)
  }
}

async function readByKafkaJs(meter: Meter, { brokers, topic }: PlainTopic, recordsOfEach: number): Promise<() => Promise<void>> {
  const { quota } = meter
  const consumer = (await kafkaJsClient(brokers)).consumer({ groupId: `bench-${randomUUID()}`, sessionTimeout: 120_000, rebalanceTimeout: 120_000, maxBytesPerPartition: FETCH_BYTES, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: PARTITIONS,
    eachBatch: async ({ batch }) => {
      for (const { value } of batch.messages) {
        if (quota.left > 0) quota.take(1)
        else if (!(await takeOne(quota))) return
        meter.bytes += value?.length ?? 0
        quota.done(1)
      }
      if (Number(batch.lastOffset()) === recordsOfEach - 1) consumer.seek({ topic, partition: batch.partition, offset: '0' })
    },
  })
  return () => consumer.disconnect()
}

async function readByPlatformatic(meter: Meter, { brokers, topic }: PlainTopic, recordsOfEach: number): Promise<() => Promise<void>> {
  const { quota } = meter
  const consumer = new Consumer({ clientId: 'bench', groupId: `bench-${randomUUID()}`, bootstrapBrokers: [...brokers], autocommit: false, sessionTimeout: 120_000, rebalanceTimeout: 120_000, maxBytes: FETCH_BYTES, maxWaitTime: 100 })
  const readOnce = async (): Promise<boolean> => {
    const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST })
    let left = recordsOfEach * PARTITIONS
    for await (const { value } of stream) {
      if (quota.left > 0) quota.take(1)
      else if (!(await takeOne(quota))) break
      meter.bytes += value?.length ?? 0
      quota.done(1)
      if (--left === 0) break
    }
    await stream.close()
    return left === 0
  }
  const reading = (async () => {
    while (await readOnce());
  })().catch((error: unknown) => quota.fail(error))
  return async () => {
    await reading
    await consumer.close()
  }
}

/** Waits for a record that may be taken; false when there will be none. */
async function takeOne(quota: Quota): Promise<boolean> {
  while (await quota.open()) {
    if (quota.left === 0) continue
    quota.take(1)
    return true
  }
  return false
}
