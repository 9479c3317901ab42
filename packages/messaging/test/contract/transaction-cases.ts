import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { MessagingTransport, PartitionReader, TransactionalProducer } from '../../src/transport.ts'
import { collector, holder, makeTopic, readTopic, rejectsWith, type TransportCase, type TransportSubject, until } from './subject.ts'

const valuesIn = async (transport: MessagingTransport, topic: string): Promise<(string | null)[]> => (await readTopic(transport, topic)).map(({ value }) => value)

const isThere = (transport: MessagingTransport, topic: string, count: number) => async (): Promise<boolean> => (await valuesIn(transport, topic)).length >= count

/** A started transport, a topic of its own, and a producer under an id of its own. */
async function arrange(subject: TransportSubject, partitions = 1): Promise<{ transport: MessagingTransport; topic: string; producer: TransactionalProducer }> {
  const transport = await subject.connect()
  const topic = await makeTopic(transport, { partitions })
  return { transport, topic, producer: await transport.transactional(randomUUID()) }
}

/** A member that holds the only partition of a topic with ten records. */
async function holdPartition(transport: MessagingTransport, topic: string, groupId: string): Promise<PartitionReader> {
  await transport.send(topic, Array.from({ length: 10 }, (_, index) => ({ value: String(index) })))
  const held = holder()
  await transport.join({ groupId, topics: [topic], onPartition: held.onPartition })
  await until('the partition is assigned', () => held.readers.length === 1)
  return held.readers[0] as PartitionReader
}

const committedIn = async (transport: MessagingTransport, groupId: string, topic: string): Promise<bigint | null> => (await transport.groupLag(groupId, topic))[0]?.committed ?? null

/** Records that are seen together or not at all. */
const visibilityCases: readonly TransportCase[] = [
  {
    name: 'shows the records of a transaction in all topics and partitions once it is committed, and none before',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject, 3)
      const other = await makeTopic(transport)

      const transaction = await producer.begin()
      await transaction.send(topic, [0, 1, 2].map((partition) => ({ value: `p${partition}`, partition })))
      await transaction.send(other, [{ value: 'other' }])
      const before = [...(await valuesIn(transport, topic)), ...(await valuesIn(transport, other))]
      await transaction.commit()
      await until('all is seen', async () => (await isThere(transport, topic, 3)()) && (await isThere(transport, other, 1)()))

      assert.deepEqual(before, [])
      assert.deepEqual((await valuesIn(transport, topic)).sort(), ['p0', 'p1', 'p2'])
      assert.deepEqual(await valuesIn(transport, other), ['other'])
    },
  },
  {
    name: 'never hands over what an aborted transaction sent, and goes on behind it',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const groupId = randomUUID()
      const seen = collector()
      await transport.join({ groupId, topics: [topic], onPartition: seen.onPartition })

      for (const outcome of ['commit', 'abort', 'abort', 'commit'] as const) {
        const transaction = await producer.begin()
        await transaction.send(topic, [{ value: `${outcome} 1` }, { value: `${outcome} 2` }])
        await transaction[outcome]()
      }
      await transport.send(topic, [{ value: 'outside' }])
      const aborted = await producer.begin()
      await aborted.send(topic, [{ value: 'last' }])
      await aborted.abort()
      await until('all is read', () => seen.records.length >= 5)

      assert.deepEqual(seen.values(), ['commit 1', 'commit 2', 'commit 1', 'commit 2', 'outside'])
      assert.deepEqual(await valuesIn(transport, topic), seen.values())
    },
  },
  {
    name: 'counts a group that has read everything as up to date, also behind the end of a transaction',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const groupId = randomUUID()
      await transport.join({
        groupId,
        topics: [topic],
        onPartition: async (reader) => {
          while (!reader.signal.aborted) await reader.commit((await reader.read({ maxBytes: 10_000, maxRecords: 10, maxWaitMs: 50 })).nextOffset)
        },
      })

      for (let index = 0; index < 3; index++) await producer.run((transaction) => transaction.send(topic, [{ value: String(index) }]))
      const aborted = await producer.begin()
      await aborted.send(topic, [{ value: 'never' }])
      await aborted.abort()
      await until('the records are there', isThere(transport, topic, 3))

      await until('nothing is left to read', async () => {
        const [lag] = await transport.groupLag(groupId, topic)
        return lag !== undefined && lag.latest >= 3n && lag.committed === lag.latest
      })
    },
  },
  {
    name: 'counts no lag where only the ends of transactions follow, and what they took back',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const groupId = randomUUID()
      const held = holder()
      await transport.join({ groupId, topics: [topic], onPartition: held.onPartition })
      await until('the partition is assigned', () => held.readers.length === 1)
      const reader = held.readers[0] as PartitionReader
      const lags: bigint[] = []
      // Not before the broker has written how the transactions ended.
      const noteLag = async (): Promise<void> => {
        await until('every transaction has ended', async () => (await reader.bounds({ withOpen: true })).latest === (await reader.bounds()).latest)
        lags.push((await transport.groupLag(groupId, topic))[0]?.lag ?? -1n)
      }

      await producer.run((transaction) => transaction.send(topic, [{ value: 'one' }, { value: 'two' }]))
      await reader.commit(1n)
      await noteLag()
      await reader.commit(2n)
      await noteLag()
      for (let index = 0; index < 3; index++) {
        const aborted = await producer.begin()
        await aborted.send(topic, [{ value: 'never' }, { value: 'never' }])
        await aborted.abort()
      }
      await noteLag()
      await transport.send(topic, [{ value: 'next' }])
      await noteLag()

      assert.ok(lags[0] === 1n || lags[0] === 2n, `a record, and perhaps the end of its transaction: ${String(lags[0])}`)
      assert.deepEqual(lags.slice(1), [0n, 0n, 1n])
    },
  },
  {
    name: 'keeps a hundred transactions apart, sent to from all sides',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject, 3)
      const others = await Promise.all([1, 2].map(async () => (await subject.connect()).transactional(randomUUID())))

      const run = async (each: TransactionalProducer, name: number): Promise<void> => {
        for (let index = 0; index < 33; index++) {
          const transaction = await each.begin()
          // Not awaited one by one: the commit waits for all of them.
          for (const part of ['a', 'b', 'c']) void transaction.send(topic, [{ value: `${name}/${index}/${part}` }])
          await (index % 3 === 2 ? transaction.abort() : transaction.commit())
        }
      }
      await Promise.all([producer, ...others].map(run))
      await until('all is seen', isThere(transport, topic, 3 * 22 * 3))

      const expected = [0, 1, 2].flatMap((name) => Array.from({ length: 33 }, (_, index) => index).filter((index) => index % 3 !== 2).flatMap((index) => ['a', 'b', 'c'].map((part) => `${name}/${index}/${part}`)))
      assert.deepEqual((await valuesIn(transport, topic)).sort(), expected.sort())
    },
  },
]

/** What ends a transaction that nobody commits. */
const endCases: readonly TransportCase[] = [
  {
    name: 'commits what run() did, and takes it back when the work fails',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const failure = new RangeError('the work failed')

      const result = await producer.run(async (transaction) => {
        await transaction.send(topic, [{ value: 'kept' }])
        return 42
      })
      const failing = producer.run(async (transaction) => {
        await transaction.send(topic, [{ value: 'taken back' }])
        throw failure
      })
      await assert.rejects(failing, failure)
      await until('the record is seen', isThere(transport, topic, 1))

      assert.equal(result, 42)
      assert.deepEqual(await valuesIn(transport, topic), ['kept'])
    },
  },
  {
    name: 'aborts a transaction of which a send failed, and the next one goes on',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const doomed = await producer.begin()
      await doomed.send(topic, [{ value: 'never' }])

      await rejectsWith('ERR_MESSAGING_RECORD_TOO_LARGE', doomed.send(topic, [{ value: 'x'.repeat(transport.maxRecordBytes + 1) }]))
      const isDoomed = doomed.signal.aborted
      await rejectsWith('ERR_MESSAGING_TRANSACTION_ABORTED', doomed.send(topic, [{ value: 'neither' }]))
      await rejectsWith('ERR_MESSAGING_TRANSACTION_ABORTED', doomed.commit())
      await producer.run((transaction) => transaction.send(topic, [{ value: 'next' }]))
      await until('the next one is seen', isThere(transport, topic, 1))

      assert.equal(isDoomed, true)
      assert.deepEqual(await valuesIn(transport, topic), ['next'])
    },
  },
  {
    name: 'aborts a transaction that is open for too long',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const producer = await transport.transactional(randomUUID(), { transactionTimeoutMs: 300 })
      const slow = await producer.begin()
      await slow.send(topic, [{ value: 'too late' }])

      await until('time is up', () => slow.signal.aborted)
      await rejectsWith('ERR_MESSAGING_TRANSACTION_ABORTED', slow.commit())
      await producer.run((transaction) => transaction.send(topic, [{ value: 'in time' }]))
      await until('the next one is seen', isThere(transport, topic, 1))

      assert.deepEqual(await valuesIn(transport, topic), ['in time'])
    },
  },
  {
    name: 'has one transaction of a producer at a time, and none goes on behind its end',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const transaction = await producer.begin()
      await transaction.send(topic, [{ value: 'once' }])

      await rejectsWith('ERR_MESSAGING_TRANSACTION_STATE', producer.begin())
      await transaction.commit()
      await transaction.commit()
      await rejectsWith('ERR_MESSAGING_TRANSACTION_STATE', transaction.send(topic, [{ value: 'late' }]))
      await rejectsWith('ERR_MESSAGING_TRANSACTION_STATE', transaction.abort())
      await producer.close()
      await rejectsWith('ERR_MESSAGING_NOT_CONNECTED', producer.begin())
      await until('the record is seen', isThere(transport, topic, 1))

      assert.deepEqual(await valuesIn(transport, topic), ['once'])
    },
  },
  {
    name: 'ends nothing, and needs nothing, for a transaction without a record',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)

      for (const end of ['commit', 'abort', 'commit'] as const) await (await producer.begin())[end]()
      await producer.run((transaction) => transaction.send(topic, []))

      assert.deepEqual(await valuesIn(transport, topic), [])
    },
  },
]

/** Who may write under an id. */
const fencingCases: readonly TransportCase[] = [
  {
    name: 'refuses an older producer of the same id, and takes back what it left open',
    async run(subject) {
      const [one, two] = [await subject.connect(), await subject.connect()]
      const topic = await makeTopic(one)
      const id = randomUUID()
      const older = await one.transactional(id)
      const open = await older.begin()
      await open.send(topic, [{ value: 'left open' }])

      const newer = await two.transactional(id)
      await newer.run((transaction) => transaction.send(topic, [{ value: 'of the newer' }]))
      await rejectsWith('ERR_MESSAGING_PRODUCER_FENCED', open.commit())
      await rejectsWith('ERR_MESSAGING_PRODUCER_FENCED', older.begin())
      await newer.run((transaction) => transaction.send(topic, [{ value: 'goes on' }]))
      await until('both are seen', isThere(two, topic, 2))

      assert.deepEqual(await valuesIn(two, topic), ['of the newer', 'goes on'])
    },
  },
  {
    name: 'leaves nothing of a transaction whose process died, and the next one of its id begins at once',
    async run(subject) {
      const [dying, living] = [await subject.connect({ isToCrash: true }), await subject.connect()]
      const topic = await makeTopic(living)
      const id = randomUUID()
      const open = await (await dying.transactional(id, { transactionTimeoutMs: 600_000 })).begin()
      await open.send(topic, [{ value: 'of the dead' }])

      subject.crash(dying)
      const heir = await living.transactional(id)
      await heir.run((transaction) => transaction.send(topic, [{ value: 'of the heir' }]))
      await until('the heir is seen', isThere(living, topic, 1))

      assert.deepEqual(await valuesIn(living, topic), ['of the heir'])
    },
  },
  {
    name: 'tells with withOpen where the records of open transactions end',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      await transport.send(topic, [{ value: 'before' }])
      const reader = await transport.openPartition(topic, 0)
      const transaction = await producer.begin()
      await transaction.send(topic, [{ value: 'open' }])

      const open = await reader.bounds({ withOpen: true })
      const readable = await reader.bounds()
      await transaction.commit()
      await until('all of it can be read', async () => (await reader.bounds()).latest >= open.latest && (await reader.bounds()).latest > readable.latest)

      assert.equal(readable.latest, 1n)
      assert.ok(open.latest >= readable.latest)
    },
  },
]

/** Progress that is stored with what was made of it. */
const progressCases: readonly TransportCase[] = [
  {
    name: "stores a group's progress with the records, both or neither",
    async run(subject) {
      const { transport, topic: output, producer } = await arrange(subject)
      const input = await makeTopic(transport)
      const groupId = randomUUID()
      const reader = await holdPartition(transport, input, groupId)

      const aborted = await producer.begin()
      await aborted.send(output, [{ value: 'never' }])
      aborted.commitOffset(reader, 9n)
      await aborted.abort()
      const after = await committedIn(transport, groupId, input)
      await producer.run(async (transaction) => {
        await transaction.send(output, [{ value: 'copied' }])
        transaction.commitOffset(reader, 3n)
        transaction.commitOffset(reader, 4n, { metadata: 'half way' })
      })
      await until('the record is seen', isThere(transport, output, 1))

      assert.equal(after, null)
      assert.deepEqual(await reader.committed(), { offset: 4n, metadata: 'half way' })
      assert.deepEqual(await valuesIn(transport, output), ['copied'])
    },
  },
  {
    name: 'refuses the progress of a member that lost its partition, and the records with it',
    async run(subject) {
      const [dying, living] = [await subject.connect({ isToCrash: true }), await subject.connect()]
      const [input, output] = [await makeTopic(living), await makeTopic(living)]
      const groupId = randomUUID()
      const reader = await holdPartition(dying, input, groupId)
      // What was read there goes on its way here.
      const producer = await living.transactional(randomUUID())
      const early = await producer.begin()
      await early.send(output, [{ value: 'early' }])
      early.commitOffset(reader, 4n)
      await early.commit()
      const late = await producer.begin()
      await late.send(output, [{ value: 'late' }])
      late.commitOffset(reader, 10n)

      subject.crash(dying)
      const heir = collector()
      await living.join({ groupId, topics: [input], onPartition: heir.onPartition })
      await until('the heir has read the rest', () => heir.records.length === 6)
      await rejectsWith('ERR_MESSAGING_FENCED', late.commit())
      await until('the first one is seen', isThere(living, output, 1))

      assert.equal(heir.records[0]?.offset, 4n)
      assert.deepEqual(await valuesIn(living, output), ['early'])
    },
  },
  {
    name: 'takes progress from no reader but those of a group',
    async run(subject) {
      const { transport, topic, producer } = await arrange(subject)
      const alone = await transport.openPartition(topic, 0)
      const transaction = await producer.begin()

      assert.throws(() => transaction.commitOffset(alone, 0n), { code: 'ERR_MESSAGING_NO_GROUP' })
      assert.throws(() => transaction.commitOffset({ ...alone } as PartitionReader, 0n), { code: 'ERR_MESSAGING_INVALID_ARGUMENT' })
      await rejectsWith('ERR_MESSAGING_INVALID_ARGUMENT', transport.transactional(''))
      await rejectsWith('ERR_MESSAGING_INVALID_ARGUMENT', transport.transactional('x', { transactionTimeoutMs: 0 }))
    },
  },
]

/** Transactions. */
export const transactionCases: readonly TransportCase[] = [...visibilityCases, ...endCases, ...fencingCases, ...progressCases]
