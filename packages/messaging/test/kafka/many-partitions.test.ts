import { randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, inject, it } from 'vitest'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import type { KafkaTransportOptions } from '../../src/kafka/options.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import type { GroupMembership, PartitionReader } from '../../src/transport.ts'
import { aborted, READ } from '../contract/subject.ts'
import { checkRead, checkStored, HoldRecorder, SteadySender } from '../support/steady-load.ts'

const kafka = inject('kafka')
const MIB = 1024 * 1024
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

async function connect(brokers: readonly string[], options: KafkaTransportOptions = {}): Promise<KafkaTransport> {
  const transport = createPlatformaticTransport({ brokers: [...brokers], ...options })
  open.push(transport)
  await transport.start()
  return transport
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 90_000
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const heldNow = ({ holds }: HoldRecorder, readers: Map<number, PartitionReader>): number => (holds.length === 0 ? 0 : [...readers.values()].filter(({ signal }) => !signal.aborted).length)

/** A recorder that knows which partitions it has now. */
function counted(): { recorder: HoldRecorder; held: () => number; onPartition: (reader: PartitionReader) => Promise<void> } {
  const recorder = new HoldRecorder()
  const readers = new Map<number, PartitionReader>()
  const onPartition = async (reader: PartitionReader): Promise<void> => {
    readers.set(reader.partition, reader)
    await recorder.onPartition(reader)
  }
  return { recorder, held: () => heldNow(recorder, readers), onPartition }
}

describe('many partitions', () => {
  it.for([4, 32, 200])('%d of them go from one member to four and back under load: each record once in an ownership, in its order', async (partitions, context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    const sending = await connect(brokers)
    const [topic, groupId] = [`many-partitions.${randomUUID()}`, randomUUID()]
    await sending.topics.create(topic, { partitions })
    const members = await Promise.all(Array.from({ length: 4 }, () => connect(brokers, { sessionTimeoutMs: 20_000, heartbeatIntervalMs: 300 })))
    const work = members.map(() => counted())
    const join = (index: number): Promise<GroupMembership> => (members[index] as KafkaTransport).join({ groupId, topics: [topic], onPartition: (reader) => work[index]?.onPartition(reader) ?? Promise.resolve() })

    await join(0)
    const sender = new SteadySender(sending, topic, partitions)
    await until('the first has all', () => work[0]?.held() === partitions)
    const later = await Promise.all([1, 2, 3].map(join))
    const share = partitions / 4
    await until('each has its share', () => work.every(({ held }) => held() === share))
    const before = work.map(({ recorder }) => recorder.seen.size)
    await until('each of them reads', () => work.every(({ recorder }, index) => recorder.seen.size > (before[index] ?? 0)))
    for (const member of later) await member.leave()
    await until('the first has all again', () => work[0]?.held() === partitions)
    await sender.stop()
    const stored = [...sender.told].filter(([, told]) => told === 'stored').map(([value]) => value)
    await until('all of it is read', () => stored.every((value) => work.some(({ recorder }) => recorder.seen.has(value))))

    expect(sender.failures).toEqual([])
    checkRead(work.map(({ recorder }) => recorder), sender)
    // Every handler finished and committed before another one began.
    const handedOut = work.reduce((sum, { recorder }) => sum + recorder.holds.reduce((all, { values }) => all + values.length, 0), 0)
    expect(handedOut).toBe(new Set(work.flatMap(({ recorder }) => [...recorder.seen])).size)
    await checkStored(sending, topic, sender)
  })

  it('a partition of large records and one of small ones do not hold each other up', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    const transport = await connect(brokers, { maxRecordBytes: 6 * MIB })
    const topic = `many-partitions.${randomUUID()}`
    await transport.topics.create(topic, { partitions: 2, configs: { 'max.message.bytes': String(7 * MIB) } })
    const [LARGE, SMALL] = [0, 1]
    const [largeCount, smallCount] = [8, 120_000]
    for (let index = 0; index < largeCount; index++) await transport.send(topic, [{ value: Buffer.alloc(5 * MIB, index), partition: LARGE }])
    for (let index = 0; index < smallCount; index += 6_000) await transport.send(topic, Array.from({ length: 6_000 }, () => ({ value: 'x'.repeat(100), partition: SMALL })))

    const read = [0, 0]
    const whenTheOtherEnded: number[] = []
    await transport.join({
      groupId: randomUUID(),
      topics: [topic],
      onPartition: async (reader) => {
        while (!reader.signal.aborted) {
          const batch = await reader.read({ ...READ, maxRecords: 1_000, maxWaitMs: 500 })
          read[reader.partition] = (read[reader.partition] ?? 0) + batch.length
          if (batch.length > 0 && read[reader.partition] === [largeCount, smallCount][reader.partition]) whenTheOtherEnded.push(read[1 - reader.partition] ?? 0)
        }
      },
    })
    await until('both are read', () => whenTheOtherEnded.length === 2)

    expect(read).toEqual([largeCount, smallCount])
    // Whichever was done first: the other one had got on by then.
    expect(whenTheOtherEnded[0]).toBeGreaterThan(0)
  })

  it('a partition that has nearly all of the records holds up none of the others', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    const transport = await connect(brokers, { maxPartitionFetchBytes: 64 * 1024 })
    const topic = `many-partitions.${randomUUID()}`
    await transport.topics.create(topic, { partitions: 32 })
    const crowd = Array.from({ length: 5_000 }, () => ({ value: 'x'.repeat(1_000), partition: 0 }))
    for (let round = 0; round < 4; round++) await transport.send(topic, crowd)
    await transport.send(topic, Array.from({ length: 31 * 5 }, (_, index) => ({ value: 'few', partition: 1 + (index % 31) })))

    const read = new Array<number>(32).fill(0)
    let ofCrowdWhenOthersEnded = -1
    await transport.join({
      groupId: randomUUID(),
      topics: [topic],
      onPartition: async (reader) => {
        while (!reader.signal.aborted) {
          const batch = await reader.read({ ...READ, maxRecords: 100, maxWaitMs: 500 })
          read[reader.partition] = (read[reader.partition] ?? 0) + batch.length
          if (ofCrowdWhenOthersEnded < 0 && read.slice(1).every((count) => count === 5)) ofCrowdWhenOthersEnded = read[0] ?? 0
        }
      },
    })
    await until('all of it is read', () => read[0] === 20_000 && ofCrowdWhenOthersEnded >= 0)

    expect(ofCrowdWhenOthersEnded).toBeLessThan(10_000)
  })

  it('holds no more than two fetches of each partition in memory, however slow its handlers are', async (context) => {
    if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
    const { brokers } = kafka.found
    const [partitions, maxPartitionFetchBytes, maxFetchBytes] = [100, 64 * 1024, 2 * MIB]
    // Batches that fit into a fetch: a larger one comes whole.
    const sending = await connect(brokers, { maxBatchBytes: 32 * 1024 })
    const reading = await connect(brokers, { maxPartitionFetchBytes, maxFetchBytes })
    const topic = `many-partitions.${randomUUID()}`
    await sending.topics.create(topic, { partitions })
    // Ten times as much as may be held.
    const value = 'x'.repeat(16_000)
    for (let partition = 0; partition < partitions; partition++) await sending.send(topic, Array.from({ length: 80 }, () => ({ value, partition })))
    collectGarbage()
    const before = process.memoryUsage().arrayBuffers

    const begun = new Set<number>()
    await reading.join({
      groupId: randomUUID(),
      topics: [topic],
      onPartition: async (reader) => {
        await reader.read({ ...READ, maxRecords: 1, maxWaitMs: 30_000 })
        begun.add(reader.partition)
        await aborted(reader.signal)
      },
    })
    await until('each handler has a record', () => begun.size === partitions)
    // Whatever is fetched ahead is there by then.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    collectGarbage()
    const grown = process.memoryUsage().arrayBuffers - before

    // A part of an answer may hold some more than itself, and an answer may be on its way over each of two connections.
    expect(grown).toBeLessThan(partitions * 2 * maxPartitionFetchBytes * 1.25 + 2 * maxFetchBytes)
  })
})

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
}
