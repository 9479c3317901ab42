import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, inject, it, type TestContext } from 'vitest'
import { kafkaError } from '../../src/errors.ts'
import { createKafkaTransport, type KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import type { KafkaConnections } from '../../src/kafka/kafka-api.ts'
import { WireWriter } from '../../src/kafka/protocol/wire-writer.ts'
import { createPlatformaticConnections } from '../../src/platformatic/index.ts'
import { readTopic, until } from '../contract/subject.ts'

const PRODUCE = 0
const INIT_PRODUCER_ID = 22
const ADD_PARTITIONS = 24
const END_TRANSACTION = 26
const TRANSACTION_OFFSET_COMMIT = 28

const kafka = inject('kafka')
const transports: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.stop()))
})

/** Which request comes late, and when it comes. */
interface Late {
  readonly apiKey: number
  /** Whether its repetitions are lost as well. @default false */
  readonly isLostForGood?: boolean
  /** It arrives right before the first of these, behind `letGo`. @default the end of a transaction */
  readonly before?: number
}

/** Connections that hold one request back, whose sender hears that it was lost. */
function holding(connections: KafkaConnections, { apiKey, isLostForGood = false, before = END_TRANSACTION }: Late) {
  let state: 'passing' | 'losing' | 'letting go' = 'passing'
  let held: (() => Promise<unknown>) | null = null
  const arrived: unknown[] = []
  const lost = (): Error => kafkaError('ERR_MESSAGING_CONNECTION', 'lost on purpose', { retryable: true, status: 503 })
  const request: KafkaConnections['request'] = async (node, asked) => {
    if (state === 'losing' && asked.apiKey === apiKey && (held === null || isLostForGood)) {
      held ??= () => connections.request(node, { ...asked, signal: undefined, onSend: undefined, channel: 'late' })
      asked.onSend?.()
      throw lost()
    }
    if (state === 'letting go' && held !== null && asked.apiKey === before) {
      state = 'passing'
      // Refused or not, it has arrived.
      arrived.push(await held())
    }
    return connections.request(node, asked)
  }
  return {
    connections: { seeds: connections.seeds, request, close: () => connections.close() } satisfies KafkaConnections,
    arm: () => void (state = 'losing'),
    letGo: () => {
      expect(held).not.toBeNull()
      state = 'letting go'
    },
    arrived,
  }
}

async function transportHolding(context: TestContext, late: Late) {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const held = holding(createPlatformaticConnections({ brokers: kafka.found.brokers }), late)
  const transport = createKafkaTransport(held.connections)
  transports.push(transport)
  await transport.start()
  const topic = `late.${randomUUID()}`
  await transport.topics.create(topic, { partitions: 1 })
  return { transport, topic, ...held, producer: await transport.transactional(randomUUID()) }
}

/** What a broker says of a transactional id that it has forgotten. */
const INVALID_PRODUCER_ID_MAPPING = 49

/** As a broker that has forgotten the id since it was used last (in seven days, by default), until it is asked for another number. */
function forgetting(connections: KafkaConnections, topic: () => string) {
  let hasForgotten = false
  const request: KafkaConnections['request'] = async (node, asked) => {
    if (asked.apiKey === INIT_PRODUCER_ID) hasForgotten = false
    const writer = new WireWriter().int32(0)
    if (hasForgotten && asked.apiKey === END_TRANSACTION) return writer.int16(INVALID_PRODUCER_ID_MAPPING).written()
    if (hasForgotten && asked.apiKey === ADD_PARTITIONS) {
      return writer.array([topic()], (name) => writer.string(name).array([0], (partition) => writer.int32(partition).int16(INVALID_PRODUCER_ID_MAPPING))).written()
    }
    return connections.request(node, asked)
  }
  return { connections: { seeds: connections.seeds, request, close: () => connections.close() } satisfies KafkaConnections, forget: () => void (hasForgotten = true) }
}

it('goes on after the broker has forgotten the transactional id, as it does with one that was not used for days', async (context) => {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const topic = `forgotten.${randomUUID()}`
  const { connections, forget } = forgetting(createPlatformaticConnections({ brokers: kafka.found.brokers }), () => topic)
  const transport = createKafkaTransport(connections)
  transports.push(transport)
  await transport.start()
  await transport.topics.create(topic, { partitions: 1 })
  const producer = await transport.transactional(randomUUID())
  await producer.run((transaction) => transaction.send(topic, [{ value: 'before' }]))
  forget()

  const refused = await producer.run((transaction) => transaction.send(topic, [{ value: 'refused' }])).catch((error: unknown) => error)
  await producer.run((transaction) => transaction.send(topic, [{ value: 'after' }]))
  await until('the last one is seen', async () => (await readTopic(transport, topic)).some(({ value }) => value === 'after'))

  expect(refused).toMatchObject({ retryable: true })
  expect((await readTopic(transport, topic)).map(({ value }) => value)).toEqual(['before', 'after'])
})

describe('a request of a transaction that arrives in the middle of the next one', () => {
  it('does not bring back older progress, though it was repeated with success', async (context) => {
    const { transport, topic, producer, arm, letGo, arrived } = await transportHolding(context, { apiKey: TRANSACTION_OFFSET_COMMIT })
    const groupId = randomUUID()
    await transport.send(topic, Array.from({ length: 9 }, (_, index) => ({ value: String(index) })))
    const committed = Promise.withResolvers<(bigint | undefined)[]>()
    await transport.join({
      groupId,
      topics: [topic],
      onPartition: async (reader) => {
        arm()
        await producer.run(async (transaction) => transaction.commitOffset(reader, 2n))
        letGo()
        await producer.run(async (transaction) => transaction.commitOffset(reader, 5n))
        committed.resolve([(await reader.committed())?.offset])
      },
    })

    expect(await committed.promise).toEqual([5n])
    expect(arrived).toHaveLength(1)
  })

  it.for([
    ['before the records of that', PRODUCE],
    ['behind them', END_TRANSACTION],
  ] as const)('does not bring a record that was taken back (%s)', async ([, before], context) => {
    const { transport, topic, producer, arm, letGo, arrived } = await transportHolding(context, { apiKey: PRODUCE, isLostForGood: true, before })
    arm()
    const aborted = await producer.begin()
    await aborted.send(topic, [{ value: 'taken back' }], { timeoutMs: 500 }).catch(() => {})
    await aborted.abort()
    letGo()

    await producer.run((transaction) => transaction.send(topic, [{ value: 'next' }]))
    await transport.send(topic, [{ value: 'last' }])
    await until('the end of the transaction is there', async () => (await readTopic(transport, topic)).some(({ value }) => value === 'last'))

    expect((await readTopic(transport, topic)).map(({ value }) => value)).toEqual(['next', 'last'])
    expect(arrived).toHaveLength(1)
  })

  it('does not bring a record again that was repeated with success, however many have come since', async (context) => {
    const { transport, topic, producer, arm, letGo, arrived } = await transportHolding(context, { apiKey: PRODUCE })
    arm()
    await producer.run((transaction) => transaction.send(topic, [{ value: 'repeated' }]))
    letGo()
    const next = Array.from({ length: 8 }, (_, index) => `next ${index}`)
    await producer.run(async (transaction) => {
      for (const value of next) await transaction.send(topic, [{ value }])
    })
    await until('all is seen', async () => (await readTopic(transport, topic)).length >= 9)

    expect((await readTopic(transport, topic)).map(({ value }) => value)).toEqual(['repeated', ...next])
    expect(arrived).toHaveLength(1)
  })

  it('does not end it', async (context) => {
    const { transport, topic, producer, arm, letGo, arrived } = await transportHolding(context, { apiKey: END_TRANSACTION })
    arm()
    await producer.run((transaction) => transaction.send(topic, [{ value: 'first' }]))
    letGo()
    const aborted = await producer.begin()
    await aborted.send(topic, [{ value: 'taken back' }])
    await aborted.abort()
    await producer.run((transaction) => transaction.send(topic, [{ value: 'last' }]))
    await until('the last one is seen', async () => (await readTopic(transport, topic)).some(({ value }) => value === 'last'))

    expect((await readTopic(transport, topic)).map(({ value }) => value)).toEqual(['first', 'last'])
    expect(arrived).toHaveLength(1)
  })
})
