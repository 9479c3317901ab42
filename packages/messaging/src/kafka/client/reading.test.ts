import { afterEach, describe, expect, it } from 'vitest'
import { ScriptedKafka } from '../../../test/support/scripted-kafka.ts'
import type { PartitionReader } from '../../transport.ts'
import { BROKER } from '../broker-errors.ts'
import { KafkaTransport } from './kafka-transport.ts'

/** So long that nobody waits for it. */
const LONG_FETCH_MS = 60_000
const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

async function start(kafka: ScriptedKafka, fetchMaxWaitMs = 400): Promise<KafkaTransport> {
  const transport = new KafkaTransport(kafka.connections, { fetchMaxWaitMs }, kafka.api)
  open.push(transport)
  await transport.start()
  return transport
}

async function readValues(reader: PartitionReader, maxWaitMs = 30_000, maxRecords = 100): Promise<string[]> {
  const batch = await reader.read({ maxBytes: 1e6, maxRecords, maxWaitMs })
  return Array.from({ length: batch.length }, (_, index) => Buffer.from(batch.valueAt(index) ?? []).toString())
}

describe('reading from Kafka', () => {
  it('asks a broker for all partitions in one request', async () => {
    const kafka = new ScriptedKafka(3)
    const transport = await start(kafka)
    await transport.send('t', [0, 1, 2].map((partition) => ({ value: `of ${partition}`, partition })))
    const readers = await Promise.all([0, 1, 2].map((partition) => transport.openPartition('t', partition)))

    const values = await Promise.all(readers.map((reader) => readValues(reader)))

    expect(values).toEqual([['of 0'], ['of 1'], ['of 2']])
    expect(kafka.fetched[0]?.partitions.toSorted()).toEqual([0, 1, 2])
  })

  it('does not let a partition wait behind another one that has nothing new', async () => {
    const kafka = new ScriptedKafka(2)
    const transport = await start(kafka, LONG_FETCH_MS)
    const [idle, busy] = [await transport.openPartition('t', 0), await transport.openPartition('t', 1)]
    await transport.send('t', [{ value: 'here', partition: 1 }])

    const waiting = readValues(idle, 1_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const began = performance.now()
    const values = await readValues(busy)

    expect(values).toEqual(['here'])
    // Not as long as the fetch that waits for the idle one.
    expect(performance.now() - began).toBeLessThan(LONG_FETCH_MS / 2)
    expect(await waiting).toEqual([])
  })

  it('gives each of several readers of a partition what it asks for, at the same place or not', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', [{ value: 'a' }])
    await transport.send('t', [{ value: 'b' }])
    const readers = await Promise.all([0n, 0n, 1n].map(async (from) => {
      const reader = await transport.openPartition('t', 0)
      reader.seek(from)
      return reader
    }))

    const first = await Promise.all(readers.map((reader) => readValues(reader)))
    const next = readers.map((reader) => readValues(reader))
    await transport.send('t', [{ value: 'c' }])

    expect(first).toEqual([['a', 'b'], ['a', 'b'], ['b']])
    expect(await Promise.all(next)).toEqual([['c'], ['c'], ['c']])
    // Idle readers at one place wait in one request.
    expect(kafka.fetched.length).toBeLessThan(30)
    expect(kafka.fetched.every(({ partitions }) => partitions.length <= 1)).toBe(true)
  })

  it('hands out what was fetched in portions, and is where it was told to be', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', ['a', 'b', 'c', 'd', 'e'].map((value) => ({ value })))
    const reader = await transport.openPartition('t', 0)

    const [first, second] = [await readValues(reader, 5_000, 2), await readValues(reader, 5_000, 2)]
    reader.seek(1n)
    const again = await readValues(reader)

    expect([first, second, again]).toEqual([['a', 'b'], ['c', 'd'], ['b', 'c', 'd', 'e']])
  })

  it('keeps what it fetched until all of it is released, and gives it back then', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', ['a', 'b', 'c'].map((letter) => ({ value: letter.repeat(30_000) })))
    const reader = await transport.openPartition('t', 0)
    const first = await reader.read({ maxBytes: 1e6, maxRecords: 2, maxWaitMs: 5_000 })
    const second = await reader.read({ maxBytes: 1e6, maxRecords: 2, maxWaitMs: 5_000 })
    const views = [first.valueAt(0), second.valueAt(0)]

    first.release?.()
    first.release?.()
    const held = views.map((view) => view?.length)
    second.release?.()

    expect(held).toEqual([30_000, 30_000])
    expect(views.map((view) => view?.length)).toEqual([0, 0])
  })

  it('lets readers of one partition release what they got each for itself', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', [{ value: 'a'.repeat(30_000) }])
    const readers = await Promise.all([0, 1].map(() => transport.openPartition('t', 0)))
    const [first, second] = await Promise.all(readers.map((reader) => reader.read({ maxBytes: 1e6, maxRecords: 2, maxWaitMs: 5_000 })))

    first?.release?.()

    expect(second?.valueAt(0)?.length).toBe(30_000)
  })

  it('follows a seek while a fetch of the old place waits at the broker', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka, LONG_FETCH_MS)
    await transport.send('t', [{ value: 'a' }])
    const reader = await transport.openPartition('t', 0)
    reader.seek(1n)

    const reading = readValues(reader, LONG_FETCH_MS)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const began = performance.now()
    reader.seek(0n)

    expect(await reading).toEqual(['a'])
    expect(performance.now() - began).toBeLessThan(LONG_FETCH_MS / 2)
  })

  it('refuses an offset that is not there, and goes on after a seek', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', [{ value: 'a' }])
    const reader = await transport.openPartition('t', 0)
    reader.seek(9n)

    await expect(readValues(reader)).rejects.toMatchObject({ code: 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE' })
    reader.seek(0n)

    expect(await readValues(reader)).toEqual(['a'])
  })

  it('goes to whoever leads the partition now', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', [{ value: 'a' }])
    const reader = await transport.openPartition('t', 0)
    kafka.leaders = [2]
    kafka.leaderEpoch = 2

    const values = await readValues(reader)

    expect(values).toEqual(['a'])
    expect(kafka.fetched.slice(0, 2).map(({ nodeId }) => nodeId)).toEqual([1, 2])
  })

  it('does not ask a broker without end that refuses for a while, and goes on afterwards', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', [{ value: 'a' }])
    const reader = await transport.openPartition('t', 0)
    kafka.fetchRefusal = BROKER.CORRUPT_MESSAGE

    const refused = await readValues(reader, 500)
    const asked = kafka.fetched.length
    kafka.fetchRefusal = 0

    expect(refused).toEqual([])
    expect(asked).toBeLessThan(12)
    expect(await readValues(reader)).toEqual(['a'])
  })

  it('ends when the topic was made anew under its name', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    const reader = await transport.openPartition('t', 0)
    kafka.topicId = 'AAAAAAAAAAAAAAAAAAAAAg'

    await expect(readValues(reader)).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_NOT_FOUND' })
    await expect(reader.bounds()).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_NOT_FOUND' })
  })

  it('asks for nothing while nobody reads', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    const reader = await transport.openPartition('t', 0)
    await readValues(reader, 10)
    await reader.close()
    await new Promise((resolve) => setTimeout(resolve, 450))
    const before = kafka.fetched.length

    await new Promise((resolve) => setTimeout(resolve, 100))

    expect(kafka.fetched.length).toBe(before)
    await expect(readValues(reader)).rejects.toMatchObject({ code: 'ERR_MESSAGING_REVOKED' })
  })
})
