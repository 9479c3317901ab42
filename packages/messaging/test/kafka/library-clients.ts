import { Consumer, MessagesStreamModes, Producer } from '@platformatic/kafka'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import type { SampleRecord } from './sample-records.ts'

interface PendingRequests {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

/** A variable, because this part of kafkajs has no types. */
const QUEUE_FILE = 'kafkajs/src/network/requestQueue/index.js'
const { default: RequestQueue } = (await import(QUEUE_FILE)) as { readonly default: { readonly prototype: PendingRequests } }

/** How the clients of the libraries themselves write and read a topic. */
export interface LibraryClient {
  readonly name: string
  readonly compressions: readonly Compression[]
  write(brokers: readonly string[], topic: string, records: readonly SampleRecord[], compression: Compression): Promise<void>
  /** Reads so many records from the beginning. */
  read(brokers: readonly string[], topic: string, count: number): Promise<SampleRecord[]>
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

const LOADING_MS = 60_000

const { CompressionTypes, Kafka, logLevel } = kafkajs

/** After each answer kafkajs sets a timer to a time that lies in the past, for requests that wait, though none does; Node warns of that. */
const queue = RequestQueue.prototype
const schedule = queue.scheduleCheckPendingRequests
queue.scheduleCheckPendingRequests = function scheduleForThoseThatWait() {
  if (this.pending.length > 0) schedule.call(this)
}

export const kafkaJsOf = (brokers: readonly string[]) => new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })

export const kafkaJsClient: LibraryClient = {
  name: 'kafkajs',
  compressions: ['none', 'gzip'],
  async write(brokers, topic, records, compression) {
    const producer = kafkaJsOf(brokers).producer()
    await producer.connect()
    const messages = records.map(({ key, value, headers, timestamp }) => ({ key, value, headers: { ...headers }, timestamp: String(timestamp) }))
    await producer.send({ topic, messages, compression: compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None })
    await producer.disconnect()
  },
  async read(brokers, topic, count) {
    const consumer = kafkaJsOf(brokers).consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 })
    const records: SampleRecord[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      const eachMessage = async ({ message: { key, value, headers = {}, timestamp } }: kafkajs.EachMessagePayload): Promise<void> => {
        records.push({ key, value, headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes as Buffer)])), timestamp: Number(timestamp) })
        if (records.length === count) resolve()
      }
      runWhenLoaded(consumer, eachMessage).catch(reject)
    })
    await consumer.disconnect()
    return records
  },
}

/** kafkajs gives up when a broker that has just begun is still loading its groups. */
async function runWhenLoaded(consumer: kafkajs.Consumer, eachMessage: kafkajs.EachMessageHandler): Promise<void> {
  for (const deadline = performance.now() + LOADING_MS; ; await sleep(100)) {
    try {
      return await consumer.run({ eachMessage })
    } catch (error) {
      const isLoading = (error as { readonly type?: string }).type === 'GROUP_LOAD_IN_PROGRESS'
      if (!isLoading || performance.now() > deadline) throw error
    }
  }
}

export const platformaticClient: LibraryClient = {
  name: '@platformatic/kafka',
  compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  async write(bootstrapBrokers, topic, records, compression) {
    const producer = new Producer({ clientId: 'interoperability', bootstrapBrokers: [...bootstrapBrokers], compression })
    const messages = records.map(({ key, value, headers, timestamp }) => ({
      topic,
      partition: 0,
      timestamp: BigInt(timestamp),
      headers: new Map(Object.entries(headers).map(([name, bytes]) => [Buffer.from(name), bytes])),
      ...(key === null ? {} : { key }),
      ...(value === null ? {} : { value }),
    }))
    await producer.send({ messages, acks: -1 })
    await producer.close()
  },
  async read(bootstrapBrokers, topic, count) {
    const consumer = new Consumer({ clientId: 'interoperability', groupId: randomUUID(), bootstrapBrokers: [...bootstrapBrokers] })
    const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, maxWaitTime: 100 })
    const records: SampleRecord[] = []
    for await (const { key, value, headers, timestamp } of stream) {
      const named = [...headers].map(([name, bytes]): [string, Buffer] => [name.toString(), bytes])
      records.push({ key: key ?? null, value: value ?? null, headers: Object.fromEntries(named), timestamp: Number(timestamp) })
      if (records.length === count) break
    }
    await stream.close()
    await consumer.close()
    assert.equal(records.length, count)
    return records
  },
}
