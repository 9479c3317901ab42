import { Producer } from '@platformatic/kafka'
import type { MessagingTransport } from '@smart-whale/messaging'
import { createKafkaJsTransport } from '@smart-whale/messaging/kafkajs'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import type { BenchEngines, Contender, HotPath, OpenHotPath } from '../hot-path.ts'
import { kafkaJsClient } from '../plain-client/kafkajs-client.ts'
import { openPlainTopic, PARTITIONS, type PlainTopic, valueOf } from '../plain-client/plain-topic.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'our transport, over @platformatic/kafka'
const OURS_OVER_KAFKAJS = 'our transport, over kafkajs'
const KAFKAJS = 'kafkajs producer'
const PLATFORMATIC = '@platformatic/kafka producer'
/** Records of one send, which go to one partition; as many sends are under way as there are partitions. */
const RECORDS_OF_SEND = 500

/** Records of 100 bytes to a topic. */
export const produceSmall: HotPath = producePath('produce-100b', 100)

/** Records of a kilobyte to a topic. */
export const produceLarge: HotPath = producePath('produce-1kb', 1_024)

function producePath(name: string, valueBytes: number): HotPath {
  return {
    name,
    title: `Send records of ${valueBytes} bytes, ${RECORDS_OF_SEND} a send, ${PARTITIONS} sends at a time, every replica having them; ours numbered, so that none is stored twice`,
    operation: 'record',
    measure: 'client CPU',
    baseline: KAFKAJS,
    goals: [
      { contender: OURS, against: KAFKAJS, speedAtLeast: 1 },
      { contender: OURS, against: PLATFORMATIC, speedAtLeast: 1 },
    ],
    needs: 'kafka',
    open: (engines) => openProducing(engines, valueBytes),
  }
}

/** Sends as many records to a partition; resolves when they are stored. */
type Send = (partition: number) => Promise<unknown>

async function openProducing(engines: BenchEngines, valueBytes: number): Promise<OpenHotPath> {
  const plain = await openPlainTopic(engines, valueBytes)
  const { brokers, topic } = plain
  const value = valueOf(valueBytes)
  const closing: (() => Promise<unknown>)[] = []

  const ours = async (transport: MessagingTransport): Promise<Send> => {
    await transport.start()
    closing.push(() => transport.stop())
    return (partition) => transport.send(topic, Array.from({ length: RECORDS_OF_SEND }, () => ({ value, partition })))
  }
  const kafkaJs = async (): Promise<Send> => {
    const producer = (await kafkaJsClient(brokers)).producer({ allowAutoTopicCreation: false })
    await producer.connect()
    closing.push(() => producer.disconnect())
    return (partition) => producer.send({ topic, acks: -1, messages: Array.from({ length: RECORDS_OF_SEND }, () => ({ value, partition })) })
  }
  const platformatic = (): Send => {
    const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [...brokers] })
    closing.push(() => producer.close())
    return (partition) => producer.send({ acks: -1, messages: Array.from({ length: RECORDS_OF_SEND }, () => ({ topic, value, partition })) })
  }

  const contenders = [
    contenderOf(KAFKAJS, plain, await kafkaJs()),
    contenderOf(PLATFORMATIC, plain, platformatic()),
    contenderOf(OURS, plain, await ours(createPlatformaticTransport({ brokers }))),
    contenderOf(OURS_OVER_KAFKAJS, plain, await ours(createKafkaJsTransport({ brokers }))),
  ]
  return {
    contenders,
    serverPid: null,
    close: async () => {
      for (const close of closing) await close()
      await plain.close()
    },
  }
}

function contenderOf(name: string, plain: PlainTopic, send: Send): Contender {
  let lengthBefore = 0
  return {
    name,
    operationsPerRepeat: RECORDS_OF_SEND * PARTITIONS,
    prepare: async () => {
      lengthBefore = await plain.length()
    },
    run: async (repeats) => {
      for (let repeat = 0; repeat < repeats; repeat++) await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => send(partition)))
    },
    verify: async () => requireEqual(name, (await plain.length()) - lengthBefore, RECORDS_OF_SEND * PARTITIONS),
  }
}
