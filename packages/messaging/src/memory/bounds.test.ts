import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { aborted, holder, readTopic, until } from '../../test/contract/subject.ts'
import { createMemoryBroker } from './broker.ts'
import { createMemoryTransport, type MemoryTransport, type MemoryTransportOptions } from './transport.ts'

async function withTransport(options: MemoryTransportOptions, run: (transport: MemoryTransport) => Promise<void>): Promise<void> {
  const transport = createMemoryTransport(options)
  await transport.start()
  try {
    await run(transport)
  } finally {
    await transport.stop()
  }
}

const thousandBytes = { value: 'x'.repeat(900) }

describe('a topic with a bound', () => {
  it('lets a sender wait for room, and tells it in time that there is none; what was stored stays', async () => {
    const clock = new FakeClock()
    await withTransport({ maxTopicBytes: 10_000, clock }, async (transport) => {
      await transport.topics.create('full', { partitions: 1 })
      for (let i = 0; i < 10; i++) await transport.send('full', [thousandBytes])

      const waiting = transport.send('full', [thousandBytes], { timeoutMs: 3_000 })
      const refusal = expect(waiting).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_FULL', retryable: true })
      await clock.advance(3_000)
      await refusal

      expect(await readTopic(transport, 'full')).toHaveLength(10)
      expect(clock.pendingTimers).toBe(0)
    })
  })

  it('lets a waiting sender go on when old records have gone', async () => {
    const clock = new FakeClock()
    await withTransport({ maxTopicBytes: 10_000, clock }, async (transport) => {
      await transport.topics.create('aging', { partitions: 1, configs: { 'retention.ms': '60000' } })
      for (let i = 0; i < 10; i++) await transport.send('aging', [thousandBytes])

      const waiting = transport.send('aging', [{ value: 'at last' }, thousandBytes], { timeoutMs: 100_000 })
      await clock.advance(70_000)

      expect((await waiting).map((position) => position.offset)).toEqual([10n, 11n])
    })
  })

  it('drops the oldest records instead when it is told to keep only so many bytes', async () => {
    await withTransport({ maxTopicBytes: 100_000 }, async (transport) => {
      await transport.topics.create('ring', { partitions: 2, configs: { 'retention.bytes': '1000000' } })
      for (let i = 0; i < 500; i++) await transport.send('ring', [{ ...thousandBytes, partition: i % 2 }])

      const reader = await transport.openPartition('ring', 1)
      const { earliest, latest } = await reader.bounds()
      expect(latest).toBe(250n)
      expect(earliest).toBeGreaterThan(180n)
      expect(earliest).toBeLessThan(230n)
    })
  })

  it('refuses at once what could never fit', async () => {
    await withTransport({ maxTopicBytes: 10_000 }, async (transport) => {
      await transport.topics.create('small', { partitions: 1 })

      const send = transport.send('small', Array.from({ length: 12 }, () => thousandBytes))

      await expect(send).rejects.toMatchObject({ code: 'ERR_MESSAGING_RECORD_TOO_LARGE', status: 400 })
    })
  })

  it('refuses a waiting sender when the topic is deleted', async () => {
    await withTransport({ maxTopicBytes: 10_000 }, async (transport) => {
      await transport.topics.create('doomed', { partitions: 1 })
      for (let i = 0; i < 10; i++) await transport.send('doomed', [thousandBytes])
      const waiting = transport.send('doomed', [thousandBytes])
      const refusal = expect(waiting).rejects.toMatchObject({ code: 'ERR_MESSAGING_NOT_CONNECTED' })

      await transport.topics.delete('doomed')

      await refusal
    })
  })

  it('bounds what a topic itself says it takes', async () => {
    await withTransport({}, async (transport) => {
      await transport.topics.create('short', { partitions: 1, configs: { 'max.message.bytes': '100' } })

      await expect(transport.send('short', [thousandBytes])).rejects.toMatchObject({ code: 'ERR_MESSAGING_RECORD_TOO_LARGE' })
    })
  })
})

describe('a handler that does not return', () => {
  it('loses its partition at the deadline, so that the group goes on without it', async () => {
    const clock = new FakeClock()
    const broker = createMemoryBroker({ clock, handoverTimeoutMs: 5_000 })
    const [stuck, other] = [createMemoryTransport({ broker }), createMemoryTransport({ broker })]
    await stuck.start()
    await other.start()
    await stuck.topics.create('stuck', { partitions: 1 })
    const never = Promise.withResolvers<void>()
    const held = holder()
    const membership = await stuck.join({
      groupId: 'g',
      topics: ['stuck'],
      onPartition: async (reader) => {
        void held.onPartition(reader)
        await never.promise
      },
    })
    await until('it has the partition', () => held.readers.length === 1)
    const next = holder()
    await other.join({ groupId: 'g', topics: ['stuck'], onPartition: next.onPartition })

    const leaving = membership.leave()
    await clock.advance(4_000)
    expect(next.readers).toHaveLength(0)
    await clock.advance(1_000)
    await leaving
    await until('the other one has it', () => next.readers.length === 1)

    await expect(held.readers[0]?.commit(0n)).rejects.toMatchObject({ code: 'ERR_MESSAGING_FENCED' })
    await other.stop()
    await stuck.stop()
    await broker.stop()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('a member that leaves', () => {
  it('is not waited for longer than it says', async () => {
    const broker = createMemoryBroker()
    const transport = createMemoryTransport({ broker })
    await transport.start()
    await transport.topics.create('t', { partitions: 1 })
    const begun = Promise.withResolvers<void>()
    const join = { groupId: 'g', topics: ['t'] }
    const membership = await transport.join({ ...join, onPartition: () => (begun.resolve(), new Promise(() => {})) })
    await begun.promise

    await membership.leave({ timeoutMs: 10 })
    const next = holder()
    await transport.join({ ...join, onPartition: next.onPartition })

    await until('the next one has the partition', () => next.readers.length === 1)
    await transport.stop()
    await broker.stop()
  })

  it('may still send while its transport stops', async () => {
    const broker = createMemoryBroker()
    const [transport, observer] = [createMemoryTransport({ broker }), createMemoryTransport({ broker })]
    await transport.start()
    await observer.start()
    await transport.topics.create('t', { partitions: 1 })
    const begun = Promise.withResolvers<void>()
    await transport.join({
      groupId: 'g',
      topics: ['t'],
      onPartition: async (reader) => {
        begun.resolve()
        await aborted(reader.signal)
        await transport.send('t', [{ value: 'last words' }])
      },
    })
    await begun.promise

    await transport.stop()

    expect((await readTopic(observer, 't')).map((record) => record.value)).toEqual(['last words'])
    await observer.stop()
    await broker.stop()
  })
})

describe('options', () => {
  it.each([
    [{ maxTopicBytes: 0 }, 'maxTopicBytes'],
    [{ maxRecordBytes: 1.5 }, 'maxRecordBytes'],
    [{ durability: 'maybe' }, 'durability'],
    [{ dataDir: '' }, 'dataDir'],
    [{ handoverTimeoutMs: -1 }, 'handoverTimeoutMs'],
    [{ broker: {} }, 'broker'],
    [{ broker: createMemoryBroker(), maxTopicBytes: 5 }, 'maxTopicBytes'],
  ])('that are wrong are named: %o', (options, name) => {
    expect(() => createMemoryTransport(options as MemoryTransportOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_MESSAGING_OPTION', message: expect.stringContaining(`option ${name}`) as string }),
    )
  })

  it.each([
    [{ partitions: 1, replication: 2 }, 'replication'],
    [{ partitions: 1.5 }, 'partitions'],
    [{ partitions: 1, configs: { 'retention.ms': 'soon' } }, 'retention.ms'],
  ])('of a topic that are wrong are named: %o', async (settings, name) => {
    await withTransport({}, async (transport) => {
      await expect(transport.topics.create('t', settings)).rejects.toMatchObject({
        code: 'ERR_MESSAGING_TOPIC_SETTINGS',
        message: expect.stringContaining(name) as string,
      })
    })
  })
})
