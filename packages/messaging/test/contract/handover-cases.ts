import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { PartitionReader } from '../../src/transport.ts'
import { aborted, collector, holder, makeTopic, plain, READ, type TransportCase, until } from './subject.ts'

const WORK_MS = 100
const work = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, WORK_MS))

/** What a rebalance does to handlers. */
export const handoverCases: readonly TransportCase[] = [
  {
    name: 'hands over under slow handlers without giving a record twice, and keeps the order within each partition',
    async run(subject) {
      const [one, two, three] = [await subject.connect(), await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one, { partitions: 4 })
      const groupId = randomUUID()
      const handled: { partition: number; offset: bigint }[] = []
      const onPartition = async (reader: PartitionReader): Promise<void> => {
        while (!reader.signal.aborted) {
          const batch = await reader.read({ ...READ, maxRecords: 20, maxWaitMs: 1_000 })
          if (batch.length === 0) continue
          await work()
          handled.push(...plain(batch))
          await reader.commit(batch.nextOffset)
        }
      }
      await one.send(topic, Array.from({ length: 400 }, (_, index) => ({ value: String(index), partition: index % 4 })))

      await one.join({ groupId, topics: [topic], onPartition })
      await until('the first is at work', () => handled.length > 0)
      const second = await two.join({ groupId, topics: [topic], onPartition })
      await three.join({ groupId, topics: [topic], onPartition })
      await until('half of it is handled', () => handled.length >= 200)
      await second.leave()
      await until('all of it is handled', () => handled.length >= 400)

      assert.equal(handled.length, 400)
      for (let partition = 0; partition < 4; partition++) {
        const offsets = handled.filter((record) => record.partition === partition).map(({ offset }) => offset)
        assert.deepEqual(offsets, Array.from({ length: 100 }, (_, offset) => BigInt(offset)))
      }
    },
  },
  {
    name: 'lets a handler go on whose partition stays where it is',
    async run(subject) {
      const [one, two] = [await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one, { partitions: 4 })
      const groupId = randomUUID()
      const [first, second] = [holder(), holder()]

      await one.join({ groupId, topics: [topic], onPartition: first.onPartition })
      await until('the first has all', () => first.readers.length === 4)
      const membership = await two.join({ groupId, topics: [topic], onPartition: second.onPartition })
      await until('the second has its half', () => second.readers.length === 2)
      const kept = first.readers.filter(({ signal }) => !signal.aborted)
      await membership.leave()
      await until('the first has all again', () => first.readers.length === 6)

      assert.equal(kept.length, 2)
      for (const { signal } of kept) assert.equal(signal.aborted, false)
    },
  },
  {
    name: 'holds up no other partition for a handler that is slow to return',
    async run(subject) {
      const [one, two] = [await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one, { partitions: 4 })
      const groupId = randomUUID()
      const finish = Promise.withResolvers<void>()
      const revoked: number[] = []
      const onPartition = async (reader: PartitionReader): Promise<void> => {
        await aborted(reader.signal)
        revoked.push(reader.partition)
        if (revoked[0] === reader.partition) await finish.promise
        await reader.commit(0n)
      }
      const next = holder()

      await one.join({ groupId, topics: [topic], onPartition })
      await two.join({ groupId, topics: [topic], onPartition: next.onPartition })
      await until('the second has what could be given up', () => next.readers.length === 1)
      const slow = revoked[0]
      assert.notEqual(next.readers[0]?.partition, slow)
      finish.resolve()
      await until('the second has the other one too', () => next.readers.length === 2)

      assert.equal(next.readers[1]?.partition, slow)
    },
  },
  {
    name: 'does not take what is committed for a deleted topic for the progress in one that has its name',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const groupId = randomUUID()
      const made = Promise.withResolvers<void>()
      const committed: unknown[] = []
      const onPartition = async (reader: PartitionReader): Promise<void> => {
        committed.push(await reader.committed())
        await aborted(reader.signal)
        await made.promise
        await reader.commit(3n, { timeoutMs: 2_000 }).catch(() => {})
      }
      await transport.join({ groupId, topics: [topic], onPartition })
      await until('the partition is assigned', () => committed.length === 1)

      await transport.topics.delete(topic)
      await transport.topics.create(topic, { partitions: 1 })
      made.resolve()
      await until('the new topic is assigned', () => committed.length === 2)

      assert.deepEqual(committed, [null, null])
    },
  },
  {
    name: 'gives a second member of the same transport its share as well',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 2 })
      const groupId = randomUUID()
      const [first, second] = [collector(), collector()]

      await transport.join({ groupId, topics: [topic], onPartition: first.onPartition })
      await transport.join({ groupId, topics: [topic], onPartition: second.onPartition })
      await until('each has one', () => first.active.size === 1 && second.active.size === 1)
      await transport.send(topic, [0, 1].map((partition) => ({ value: `of ${partition}`, partition })))
      await until('both have read', () => first.records.length === 1 && second.records.length === 1)

      assert.deepEqual([...first.values(), ...second.values()].sort(), ['of 0', 'of 1'])
    },
  },
  {
    name: 'gives each of two groups of one transport all records',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const [first, second] = [collector(), collector()]
      await transport.send(topic, [{ value: 'before' }])

      await transport.join({ groupId: randomUUID(), topics: [topic], onPartition: first.onPartition })
      await until('the first group has read', () => first.records.length === 1)
      await transport.join({ groupId: randomUUID(), topics: [topic], onPartition: second.onPartition })
      await transport.send(topic, [{ value: 'after' }])
      await until('both have read', () => first.records.length === 2 && second.records.length === 2)

      assert.deepEqual([first.values(), second.values()], [['before', 'after'], ['before', 'after']])
    },
  },
]
