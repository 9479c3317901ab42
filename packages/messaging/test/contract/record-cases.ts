import assert from 'node:assert/strict'
import { isMessagingError } from '../../src/errors.ts'
import { makeTopic, plain, READ, readToEnd, readTopic, rejectsWith, type TransportCase } from './subject.ts'

/** Sending, reading and topics, without groups. */
export const recordCases: readonly TransportCase[] = [
  {
    name: 'gives records back as they were sent: key, value, headers, timestamp, each at the position that send named',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const bytes = Uint8Array.from([0, 255, 10, 13, 128])

      const positions = await transport.send(topic, [
        { key: 'k', value: 'wörter 🐳', headers: { text: 'ä', raw: bytes }, timestamp: 1_000_000_000_123 },
        { key: bytes, value: bytes },
        { key: null, value: null },
        { key: '', value: '' },
      ])
      const reader = await transport.openPartition(topic, 0)
      const batch = await reader.read({ ...READ, maxWaitMs: 5_000 })

      assert.deepEqual(positions, [0n, 1n, 2n, 3n].map((offset) => ({ partition: 0, offset })))
      assert.equal(batch.length, 4)
      assert.equal(batch.nextOffset, 4n)
      assert.deepEqual(plain(batch).map((record) => record.offset), [0n, 1n, 2n, 3n])
      assert.equal(Buffer.from(batch.keyAt(0) ?? []).toString(), 'k')
      assert.equal(Buffer.from(batch.valueAt(0) ?? []).toString(), 'wörter 🐳')
      assert.equal(batch.timestampAt(0), 1_000_000_000_123)
      assert.deepEqual(Object.keys(batch.headersAt(0)).sort(), ['raw', 'text'])
      assert.equal(Buffer.from(batch.headersAt(0)['text'] ?? []).toString(), 'ä')
      assert.deepEqual(Uint8Array.from(batch.headersAt(0)['raw'] ?? []), bytes)
      assert.deepEqual(Uint8Array.from(batch.keyAt(1) ?? []), bytes)
      assert.deepEqual(Uint8Array.from(batch.valueAt(1) ?? []), bytes)
      assert.deepEqual([batch.keyAt(2), batch.valueAt(2)], [null, null])
      assert.deepEqual([batch.keyAt(3)?.length, batch.valueAt(3)?.length], [0, 0])
      assert.ok(Math.abs(batch.timestampAt(1) - Date.now()) < 60_000)
    },
  },
  {
    name: 'puts equal keys into the partition of a Kafka client, and a record that names one into that one',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 7 })

      const positions = await transport.send(topic, [
        { key: '21', value: 'a' },
        { key: 'foobar', value: 'b' },
        { key: 'foobar', value: 'c' },
        { key: 'foobar', value: 'd', partition: 6 },
      ])

      const toPositive = (hash: number): number => hash & 0x7fffffff
      const [first, second, third, named] = positions.map((position) => position.partition)
      assert.equal(first, toPositive(-973932308) % 7)
      assert.equal(second, toPositive(-790332482) % 7)
      assert.equal(third, second)
      assert.equal(named, 6)
    },
  },
  {
    name: 'spreads records without a key over all partitions',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 3 })

      const partitions = new Set<number>()
      for (let i = 0; i < 200 && partitions.size < 3; i++) {
        for (const position of await transport.send(topic, [{ value: 'x'.repeat(20_000) }])) partitions.add(position.partition)
      }

      assert.deepEqual([...partitions].sort(), [0, 1, 2])
    },
  },
  {
    name: 'keeps the order within a partition, over many sends at a time',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)

      const sends = Array.from({ length: 50 }, (_, send) =>
        transport.send(topic, Array.from({ length: 20 }, (_, record) => ({ value: `${send}:${record}` }))),
      )
      const positions = (await Promise.all(sends)).flat()
      const records = await readToEnd(await transport.openPartition(topic, 0))

      assert.equal(records.length, 1_000)
      records.forEach((record, index) => assert.equal(record.offset, BigInt(index)))
      const sentAt = positions.map((position, index) => ({ offset: position.offset, value: `${Math.floor(index / 20)}:${index % 20}` }))
      for (const { offset, value } of sentAt) assert.equal(records[Number(offset)]?.value, value)
    },
  },
  {
    name: 'reads no more records and bytes than asked for, but always one',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      await transport.send(topic, Array.from({ length: 10 }, () => ({ value: 'x'.repeat(100) })))
      const reader = await transport.openPartition(topic, 0)

      const byCount = await reader.read({ ...READ, maxRecords: 3, maxWaitMs: 5_000 })
      const byBytes = await reader.read({ ...READ, maxBytes: 250, maxWaitMs: 5_000 })
      const tooLarge = await reader.read({ ...READ, maxBytes: 1, maxWaitMs: 5_000 })

      assert.equal(byCount.length, 3)
      assert.ok(byBytes.length <= 2 && byBytes.length >= 1)
      assert.ok(byBytes.bytes <= 250)
      assert.equal(tooLarge.length, 1)
      assert.equal(tooLarge.offsetAt(0), byBytes.nextOffset)
    },
  },
  {
    name: 'answers an empty batch when nothing comes in time, and wakes up for a record',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const reader = await transport.openPartition(topic, 0)

      const empty = await reader.read({ ...READ, maxWaitMs: 50 })
      const waiting = reader.read({ ...READ, maxWaitMs: 60_000 })
      const began = performance.now()
      await transport.send(topic, [{ value: 'at last' }])
      const batch = await waiting

      assert.deepEqual([empty.length, empty.bytes, empty.nextOffset], [0, 0, 0n])
      assert.deepEqual(plain(batch).map((record) => record.value), ['at last'])
      assert.ok(performance.now() - began < 30_000)
    },
  },
  {
    name: 'goes to any offset, says which there are, and refuses to read one that is not',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      await transport.send(topic, ['a', 'b', 'c', 'd'].map((value) => ({ value })))
      const reader = await transport.openPartition(topic, 0)

      reader.seek(2n)
      const later = await reader.read({ ...READ, maxWaitMs: 5_000 })
      reader.seek(0n)
      const again = await reader.read({ ...READ, maxRecords: 1, maxWaitMs: 5_000 })
      const bounds = await reader.bounds()
      reader.seek(99n)

      assert.deepEqual(plain(later).map((record) => record.value), ['c', 'd'])
      assert.deepEqual(plain(again).map((record) => record.value), ['a'])
      assert.deepEqual(bounds, { earliest: 0n, latest: 4n })
      await rejectsWith('ERR_MESSAGING_OFFSET_OUT_OF_RANGE', reader.read({ ...READ, maxWaitMs: 5_000 }))
    },
  },
  {
    name: 'goes where seek said even when a read was under way',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      await transport.send(topic, ['a', 'b', 'c'].map((value) => ({ value })))
      const reader = await transport.openPartition(topic, 0)

      reader.seek(2n)
      const reading = reader.read({ ...READ, maxWaitMs: 5_000 })
      reader.seek(0n)
      await reading
      const next = await reader.read({ ...READ, maxWaitMs: 5_000 })

      // The read that was under way may still be of the old place; the one after it may not.
      assert.ok(plain(await reading)[0]?.value === 'a' || plain(next)[0]?.value === 'a')
    },
  },
  {
    name: 'ends a read when its caller gives up, and the next one goes on',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const reader = await transport.openPartition(topic, 0)
      const caller = new AbortController()

      const waiting = reader.read({ ...READ, maxWaitMs: 60_000, signal: caller.signal })
      caller.abort()
      await rejectsWith('ERR_ABORTED', waiting)
      await transport.send(topic, [{ value: 'later' }])

      assert.deepEqual(plain(await reader.read({ ...READ, maxWaitMs: 5_000 })).map((record) => record.value), ['later'])
    },
  },
  {
    name: 'has no progress to commit without a group',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const reader = await transport.openPartition(topic, 0)

      assert.equal(await reader.committed(), null)
      await rejectsWith('ERR_MESSAGING_NO_GROUP', reader.commit(0n))
    },
  },
  {
    name: 'says which topic or partition there is not',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 2 })

      await rejectsWith('ERR_MESSAGING_TOPIC_NOT_FOUND', transport.send('contract.nowhere', [{ value: 'x' }]))
      await rejectsWith('ERR_MESSAGING_TOPIC_NOT_FOUND', transport.openPartition('contract.nowhere', 0))
      const join = { groupId: 'contract', topics: ['contract.nowhere'], onPartition: () => Promise.resolve() }
      await rejectsWith('ERR_MESSAGING_TOPIC_NOT_FOUND', transport.join(join))
      await rejectsWith('ERR_MESSAGING_PARTITION_NOT_FOUND', transport.openPartition(topic, 2))
    },
  },
  {
    name: 'makes, describes, lists and deletes topics; one made again is another one',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport, { partitions: 3, configs: { 'retention.ms': '3600000' } })
      const first = await transport.topics.describe(topic)
      await transport.send(topic, [{ value: 'old' }])

      assert.equal(await transport.topics.create(topic, { partitions: 9 }), false)
      assert.ok((await transport.topics.list()).includes(topic))
      assert.deepEqual([first?.name, first?.partitions, first?.configs['retention.ms']], [topic, 3, '3600000'])
      assert.equal(await transport.topics.delete(topic), true)
      assert.equal(await transport.topics.delete(topic), false)
      assert.equal(await transport.topics.describe(topic), null)
      assert.ok(!(await transport.topics.list()).includes(topic))
      assert.equal(await transport.topics.create(topic, { partitions: 3 }), true)
      const second = await transport.topics.describe(topic)
      assert.notEqual(second?.id, first?.id)
      assert.deepEqual(await readTopic(transport, topic), [])
    },
  },
  {
    name: 'refuses what is no topic name, no setting or no record, before anything is stored',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)
      const good = { value: 'good' }
      const wrong = (record: unknown): Promise<unknown> => transport.send(topic, [good, record as typeof good])

      for (const name of ['', '.', '..', 'a b', 'ü', 'x'.repeat(250)]) {
        await rejectsWith('ERR_MESSAGING_TOPIC_NAME', transport.topics.create(name, { partitions: 1 }))
      }
      await rejectsWith('ERR_MESSAGING_TOPIC_SETTINGS', transport.topics.create('contract.never', { partitions: 0 }))
      await rejectsWith('ERR_MESSAGING_INVALID_RECORD', wrong({ value: 5 }))
      await rejectsWith('ERR_MESSAGING_INVALID_RECORD', wrong({ value: undefined }))
      await rejectsWith('ERR_MESSAGING_INVALID_RECORD', wrong({ value: 'x', key: {} }))
      await rejectsWith('ERR_MESSAGING_INVALID_RECORD', wrong({ value: 'x', headers: { a: 1 } }))
      await rejectsWith('ERR_MESSAGING_INVALID_RECORD', wrong({ value: 'x', partition: 1 }))
      await rejectsWith('ERR_MESSAGING_INVALID_RECORD', wrong({ value: 'x', timestamp: Number.NaN }))
      await rejectsWith('ERR_MESSAGING_RECORD_TOO_LARGE', wrong({ value: 'x'.repeat(transport.maxRecordBytes + 1) }))
      assert.deepEqual(await readTopic(transport, topic), [])
    },
  },
  {
    name: 'takes a record of the largest size that it says it takes',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)

      await transport.send(topic, [{ value: Buffer.alloc(transport.maxRecordBytes, 'x') }])
      const reader = await transport.openPartition(topic, 0)

      assert.equal((await reader.read({ ...READ, maxWaitMs: 5_000 })).valueAt(0)?.length, transport.maxRecordBytes)
    },
  },
  {
    name: 'sends nothing when there is nothing, or when the caller has given up',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)

      assert.deepEqual(await transport.send(topic, []), [])
      await rejectsWith('ERR_ABORTED', transport.send(topic, [{ value: 'x' }], { signal: AbortSignal.abort() }))
      assert.deepEqual(await readTopic(transport, topic), [])
    },
  },
  {
    name: 'may be started and stopped twice, and does nothing in between',
    async run(subject) {
      const transport = await subject.connect()
      const topic = await makeTopic(transport)

      await transport.start()
      await transport.stop()
      await transport.stop()

      await assert.rejects(transport.send(topic, [{ value: 'x' }]), isMessagingError)
      await rejectsWith('ERR_MESSAGING_NOT_CONNECTED', transport.openPartition(topic, 0))
      await rejectsWith('ERR_MESSAGING_NOT_CONNECTED', transport.topics.list())
    },
  },
]
