import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { MessagingTransport, PartitionReader } from '../../src/transport.ts'
import { aborted, collector, holder, makeTopic, READ, rejectsWith, type TransportCase, until } from './subject.ts'

const sendNumbered = async (transport: MessagingTransport, topic: string, from: number, count: number): Promise<void> => {
  await transport.send(topic, Array.from({ length: count }, (_, i) => ({ key: String(from + i), value: String(from + i) })))
}
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i)).sort()

/** Consumer groups. */
export const groupCases: readonly TransportCase[] = [
  {
    name: 'gives a group of one all partitions, and the next member goes on where it left off',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 3 })
      const groupId = randomUUID()
      await sendNumbered(transport, topic, 0, 100)

      const first = collector()
      const membership = await transport.join({ groupId, topics: [topic], onPartition: first.onPartition })
      await until('the first member has read everything', () => first.records.length === 100)
      await membership.leave()
      await sendNumbered(transport, topic, 100, 50)
      const second = collector()
      await transport.join({ groupId, topics: [topic], onPartition: second.onPartition })
      await until('the second member has read the rest', () => second.records.length === 50)

      assert.deepEqual([...first.values(), ...second.values()].sort(), numbers(150))
      assert.equal(membership.groupId, groupId)
      assert.equal(membership.failed.aborted, false)
    },
  },
  {
    name: 'begins where startFrom says when the group has committed nothing',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      await transport.send(topic, [{ value: 'before' }])
      const [all, late] = [collector(), collector()]

      await transport.join({ groupId: randomUUID(), topics: [topic], startFrom: 'latest', onPartition: late.onPartition })
      await until('the late group reads', () => late.active.size === 1)
      await transport.send(topic, [{ value: 'after' }])
      await transport.join({ groupId: randomUUID(), topics: [topic], onPartition: all.onPartition })
      await until('both have read', () => all.records.length === 2 && late.records.length === 1)

      assert.deepEqual(all.values(), ['before', 'after'])
      assert.deepEqual(late.values(), ['after'])
    },
  },
  {
    name: 'shares the partitions between members, and hands them over while messages flow: each is handled once',
    async run(subject) {
      const [one, two, sender] = [await subject.connect(), await subject.connect(), await subject.connect()]
      const topic = await makeTopic(sender, { partitions: 4 })
      const groupId = randomUUID()
      const [first, second] = [collector(), collector()]
      let sent = 0
      const send = async (): Promise<void> => {
        await sendNumbered(sender, topic, sent, 200)
        sent += 200
      }

      await one.join({ groupId, topics: [topic], onPartition: first.onPartition })
      await send()
      const joined = await two.join({ groupId, topics: [topic], onPartition: second.onPartition })
      await send()
      await until('each has two partitions', () => first.active.size === 2 && second.active.size === 2)
      await send()
      await joined.leave()
      await until('the first has all again', () => first.active.size === 4)
      await send()
      await until('all is handled', () => first.records.length + second.records.length >= sent)

      assert.deepEqual([...first.values(), ...second.values()].sort(), numbers(sent))
    },
  },
  {
    name: 'gives the partitions of a member that died to the others, and refuses what it still commits',
    async run(subject) {
      const [dying, living] = [await subject.connect({ isToCrash: true }), await subject.connect()]
      const topic = await makeTopic(living)
      const groupId = randomUUID()
      await sendNumbered(living, topic, 0, 10)
      const held = holder()
      const dyingMembership = await dying.join({ groupId, topics: [topic], onPartition: held.onPartition })
      await until('the partition is assigned', () => held.readers.length === 1)
      const [reader] = held.readers as [PartitionReader]
      await reader.commit(4n, { metadata: 'half way' })
      assert.deepEqual(await reader.committed(), { offset: 4n, metadata: 'half way' })
      const heir = collector()
      await living.join({ groupId, topics: [topic], onPartition: heir.onPartition })

      subject.crash(dying)
      await until('the heir has read the rest', () => heir.records.length === 6)

      assert.equal(heir.records[0]?.offset, 4n)
      await rejectsWith('ERR_MESSAGING_FENCED', reader.commit(9n))
      assert.equal(reader.signal.aborted, true)
      assert.equal(dyingMembership.failed.aborted, true)
    },
  },
  {
    name: 'lets a revoked handler finish and commit before the next member begins',
    async run(subject) {
      const [one, two] = [await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one)
      const groupId = randomUUID()
      await sendNumbered(one, topic, 0, 10)
      const finish = Promise.withResolvers<void>()
      const readers: PartitionReader[] = []
      const membership = await one.join({
        groupId,
        topics: [topic],
        onPartition: async (reader) => {
          readers.push(reader)
          await aborted(reader.signal)
          await rejectsWith('ERR_MESSAGING_REVOKED', reader.read({ ...READ, maxWaitMs: 1_000 }))
          await finish.promise
          await reader.commit(7n)
        },
      })
      await until('the partition is assigned', () => readers.length === 1)
      const next = collector()
      await two.join({ groupId, topics: [topic], onPartition: next.onPartition })

      const leaving = membership.leave()
      await aborted(readers[0]?.signal ?? AbortSignal.abort())
      const takenEarly = next.active.size
      finish.resolve()
      await leaving
      await until('the next member has read', () => next.records.length === 3)

      assert.equal(takenEarly, 0)
      assert.equal(next.records[0]?.offset, 7n)
      await rejectsWith('ERR_MESSAGING_FENCED', readers[0]?.commit(8n) ?? Promise.resolve())
    },
  },
  {
    name: 'ends the membership of a handler that fails, says why, and gives its partitions to another',
    async run(subject) {
      const [one, two] = [await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one)
      const groupId = randomUUID()
      await sendNumbered(one, topic, 0, 3)
      const fault = new Error('no more')

      const membership = await one.join({ groupId, topics: [topic], onPartition: () => Promise.reject(fault) })
      await aborted(membership.failed)
      const next = collector()
      await two.join({ groupId, topics: [topic], onPartition: next.onPartition })
      await until('the other member has read', () => next.records.length === 3)

      assert.equal(membership.failed.reason, fault)
      await membership.leave()
    },
  },
  {
    name: 'leaves a partition with a handler that returned early',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      let calls = 0
      const membership = await transport.join({
        groupId: randomUUID(),
        topics: [topic],
        onPartition: () => {
          calls++
          return Promise.resolve()
        },
      })

      await until('the handler ran', () => calls === 1)
      await transport.send(topic, [{ value: 'unread' }])
      await membership.leave()
      await membership.leave()

      assert.equal(calls, 1)
      assert.equal(membership.failed.aborted, false)
    },
  },
  {
    name: 'keeps groups apart, and says how far each is behind',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 2 })
      await transport.send(topic, [0, 0, 0, 1, 1].map((partition) => ({ partition, value: 'x' })))
      const [ahead, behind, none] = [randomUUID(), randomUUID(), randomUUID()]
      const fast = collector()
      const slow = holder()
      await transport.join({ groupId: ahead, topics: [topic], onPartition: fast.onPartition })
      await transport.join({ groupId: behind, topics: [topic], onPartition: slow.onPartition })
      await until('both groups have their partitions', () => fast.records.length === 5 && slow.readers.length === 2)

      await slow.readers.find((reader) => reader.partition === 0)?.commit(1n)
      await until('the fast group has committed', async () =>
        (await transport.groupLag(ahead, topic)).every((lag) => lag.committed === lag.latest),
      )

      assert.deepEqual(await transport.groupLag(behind, topic), [
        { partition: 0, committed: 1n, metadata: '', latest: 3n, lag: 2n },
        { partition: 1, committed: null, metadata: '', latest: 2n, lag: 2n },
      ])
      assert.deepEqual(await transport.groupLag(none, topic), [
        { partition: 0, committed: null, metadata: '', latest: 3n, lag: 3n },
        { partition: 1, committed: null, metadata: '', latest: 2n, lag: 2n },
      ])
    },
  },
  {
    name: 'tells who reads a partition without a group that its topic was deleted, though another one has the name by now',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const reader = await transport.openPartition(topic, 0)
      const refused = rejectsWith('ERR_MESSAGING_TOPIC_NOT_FOUND', reader.read({ maxBytes: 1e6, maxRecords: 1, maxWaitMs: 20_000 }))

      await transport.topics.delete(topic)
      await transport.topics.create(topic, { partitions: 1 })

      await refused
      await rejectsWith('ERR_MESSAGING_TOPIC_NOT_FOUND', reader.read({ maxBytes: 1e6, maxRecords: 1, maxWaitMs: 20_000 }))
      await reader.close()
    },
  },
  {
    name: 'takes a deleted topic from its readers, and gives them the one that is made under its name',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const held = holder()
      const groupId = randomUUID()
      await transport.join({ groupId, topics: [topic], onPartition: held.onPartition })
      await until('the partition is assigned', () => held.readers.length === 1)
      await sendNumbered(transport, topic, 0, 5)
      await held.readers[0]?.commit(5n)

      await transport.topics.delete(topic)
      await aborted(held.readers[0]?.signal ?? AbortSignal.abort())
      await transport.topics.create(topic, { partitions: 1 })
      await until('the new topic is assigned', () => held.readers.length === 2)

      assert.notEqual(held.readers[1]?.topicId, held.readers[0]?.topicId)
      assert.equal(await held.readers[1]?.committed(), null)
    },
  },
  {
    name: 'leaves the group when the signal given to join aborts, or when the transport stops',
    async run(subject) {
      const [one, two] = [await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one)
      const groupId = randomUUID()
      const [first, second, third] = [holder(), holder(), holder()]
      const leave = new AbortController()

      await one.join({ groupId, topics: [topic], onPartition: first.onPartition, signal: leave.signal })
      await until('the first has it', () => first.readers.length === 1)
      leave.abort()
      await one.join({ groupId, topics: [topic], onPartition: second.onPartition })
      await until('the second has it', () => second.readers.length === 1)
      await two.join({ groupId, topics: [topic], onPartition: third.onPartition })
      await one.stop()
      await until('the third has it', () => third.readers.length === 1)

      assert.equal(second.readers[0]?.signal.aborted, true)
    },
  },
]
