import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, inject, it, type TestContext } from 'vitest'
import { kafkaError } from '../../src/errors.ts'
import { createKafkaTransport, type KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import type { KafkaConnections } from '../../src/kafka/kafka-api.ts'
import { KafkaService } from '../../src/kafka-service.ts'
import { createPlatformaticConnections, createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { readTopic, until } from '../contract/subject.ts'
import { COMMITS_BEFORE_A_KILL, judgeTransactions, killInTransactions, seeded, startTransactionChild, type TransactionChild } from '../support/killed-children.ts'

const kafka = inject('kafka')

/** For what the broker is asked: a busy machine takes its time, and each question takes some of it. */
const PATIENT = { everyMs: 100, deadlineMs: 60_000 }

/** What one test has open; it ends with the test. */
interface Opened {
  readonly transport: KafkaTransport
  readonly where: string
  readonly transports: KafkaTransport[]
  readonly children: ChildProcess[]
}

async function connect(context: TestContext): Promise<Opened> {
  if (kafka.found === null) return context.skip(`needs Apache Kafka: ${kafka.remedy}`)
  const { brokers } = kafka.found
  const transport = createPlatformaticTransport({ brokers })
  const [transports, children]: [KafkaTransport[], ChildProcess[]] = [[transport], []]
  context.onTestFinished(async () => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(transports.map((open) => open.stop()))
  })
  await transport.start()
  return { transport, where: `kafka:${brokers.join(',')}`, transports, children }
}

/** The requests that transactions are made of. */
const OF_TRANSACTIONS = new Set([0, 22, 24, 25, 26, 28])
const INIT_PRODUCER_ID = 22
const END_TRANSACTION = 26

/** Connections that lose some of those before they leave, or their answers; and some arrive long after they were given up. */
function losing(connections: KafkaConnections, random: () => number): { connections: KafkaConnections; lost(): number } {
  let lost = 0
  const late = new Set<Promise<unknown>>()
  const broken = (): Error => kafkaError('ERR_MESSAGING_CONNECTION', 'lost on purpose', { retryable: true, status: 503 })
  const request: KafkaConnections['request'] = async (node, asked) => {
    const fate = OF_TRANSACTIONS.has(asked.apiKey) ? random() : 1
    if (fate < 0.15) lost++
    if (fate < 0.05) throw broken()
    // A word that takes the id over would take it from its own sender when it came late: that is what it is for.
    if (fate < 0.1 && asked.apiKey !== INIT_PRODUCER_ID) {
      asked.onSend?.()
      late.add(pause(random() * 200).then(() => connections.request(node, { ...asked, signal: undefined, onSend: undefined }).catch(() => {})))
      throw broken()
    }
    const answer = await connections.request(node, asked)
    if (fate < 0.15) throw broken()
    return answer
  }
  const close = async (): Promise<void> => {
    await Promise.all(late)
    await connections.close()
  }
  return { connections: { seeds: connections.seeds, request, close }, lost: () => lost }
}

// Most of their time they wait: for processes to start, for sessions to end.
describe.concurrent('transactions on Apache Kafka', () => {
  it('leaves of each transaction all or nothing, as was told, of 12 processes that were killed in the middle of theirs', async (context) => {
    const { transport, where, children } = await connect(context)
    const [one, other] = [`transact.${randomUUID()}`, `transact.${randomUUID()}`]
    await transport.topics.create(one, { partitions: 3 })
    await transport.topics.create(other, { partitions: 1 })

    const told = await killInTransactions(12, seeded(7), (from) => startTransactionChild(children, 'transact', where, one, other, String(from)))
    // Whoever has the id next ends what the last one left open.
    await transport.transactional(`transact/${one}`)
    const values = [...(await readTopic(transport, one)), ...(await readTopic(transport, other))].map(({ value }) => value)

    expect(judgeTransactions(values, told)).toEqual([])
    expect(told.committed.size).toBeGreaterThanOrEqual(12 * COMMITS_BEFORE_A_KILL)
  })

  it('leaves all or nothing, as was told, when requests and answers get lost, or come late', async (context) => {
    const { transport, where, transports } = await connect(context)
    const [one, other] = [`lossy.${randomUUID()}`, `lossy.${randomUUID()}`]
    await transport.topics.create(one, { partitions: 3 })
    await transport.topics.create(other, { partitions: 1 })
    const lossy = losing(createPlatformaticConnections({ brokers: where.slice('kafka:'.length).split(',') }), seeded(3))
    const through = createKafkaTransport(lossy.connections, { requestTimeoutMs: 2_000 })
    transports.push(through)
    await through.start()

    const [committed, aborted] = [new Set<number>(), new Set<number>()]
    const producer = await through.transactional(randomUUID())
    for (let number = 0; number < 150 || committed.size <= 35 || lossy.lost() <= 75; number++) {
      const transaction = await producer.begin()
      const value = String(number)
      // A short patience, so that some commits are given up without an answer.
      const patience = { timeoutMs: number % 3 === 0 ? 40 : 5_000 }
      try {
        await Promise.all([transaction.send(one, [0, 1, 2].map((partition) => ({ value, partition })), patience), transaction.send(other, [{ value }, { value }], patience)])
        await transaction.commit(patience).catch((error: { code?: string }) => (error.code === 'ERR_MESSAGING_TRANSACTION_UNKNOWN' ? transaction.commit() : Promise.reject(error)))
        committed.add(number)
      } catch (error) {
        expect(error).toHaveProperty('code')
        aborted.add(number)
      }
    }
    await until('what was committed is seen', async () => (await readTopic(transport, other)).length >= committed.size * 2, PATIENT)
    const values = [...(await readTopic(transport, one)), ...(await readTopic(transport, other))].map(({ value }) => value)

    expect(judgeTransactions(values, { committed, aborted })).toEqual([])
  })

  it.skipIf(process.platform === 'win32')('copies each message once, in its order, though the copying processes are killed and put to sleep 12 times', async (context) => {
    const { transport, where, children } = await connect(context)
    const [input, output] = [`copy.${randomUUID()}`, `copy.${randomUUID()}`]
    for (const topic of [input, output]) await transport.topics.create(topic, { partitions: 3 })
    const service = new KafkaService(transport, { manageTransport: false })
    await service.connect()
    const random = seeded(11)
    let sent = 0
    const feed = async (count: number): Promise<void> => {
      await service.sendBatch(input, Array.from({ length: count }, (_, index) => String(sent + index)), { key: (value) => `k${Number(value) % 40}` })
      sent += count
    }
    const start = (): TransactionChild => startTransactionChild(children, 'copy', where, input, output)
    const running = [start(), start()]
    await until('both have joined', () => running.every((child) => child.lines().includes('joined')), { deadlineMs: 60_000 })

    for (let round = 0; round < 12; round++) {
      await feed(150)
      await pause(random() * 400)
      const index = random() < 0.5 ? 0 : 1
      const child = running[index] as TransactionChild
      if (round % 4 === 3) {
        // Longer than its session: it wakes as somebody whose partitions are another's.
        child.process.kill('SIGSTOP')
        await pause(3_000)
        child.process.kill('SIGCONT')
      } else {
        await child.kill()
        running[index] = start()
      }
    }
    await until('all is copied', async () => (await service.getConsumerLag(input, `copy-${input}`)).total === 0n, PATIENT)

    // Its progress may be seen a moment before its records.
    await until('all of it is seen', async () => (await readTopic(transport, output)).length >= sent, PATIENT)

    const copied = await readTopic(transport, output)
    expect(copied.map(({ value }) => Number(value)).sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, index) => index))
    const byKey = Map.groupBy(copied, ({ key }) => key)
    for (const [, ofKey] of byKey) expect(ofKey.map(({ value }) => Number(value))).toEqual(ofKey.map(({ value }) => Number(value)).sort((a, b) => a - b))
  })

  it.skipIf(process.platform === 'win32')('has each dead letter of a subscription once, with deadLettersOnce, though the process is killed 6 times', async (context) => {
    const { transport, where, children } = await connect(context)
    const input = `refuse.${randomUUID()}`
    await transport.topics.create(input, { partitions: 2 })
    const service = new KafkaService(transport, { manageTransport: false })
    await service.connect()
    const random = seeded(5)
    let sent = 0
    for (let kill = 0; kill < 6; kill++) {
      const child = startTransactionChild(children, 'refuse', where, input)
      await service.sendBatch(input, Array.from({ length: 240 }, (_, index) => String(sent + index)))
      sent += 240
      await until('it has joined', () => child.lines().includes('joined'), { deadlineMs: 60_000 })
      await pause(random() * 150)
      await child.kill()
    }
    startTransactionChild(children, 'refuse', where, input)
    await until('all is handled', async () => (await service.getConsumerLag(input, `refuse-${input}`)).total === 0n, PATIENT)
    const wanted = Array.from({ length: sent / 3 }, (_, index) => index * 3)

    await until('all letters are seen', async () => (await readTopic(transport, `${input}.dlq`)).length >= wanted.length, PATIENT)
    expect((await readTopic(transport, `${input}.dlq`)).map(({ value }) => Number(value)).sort((a, b) => a - b)).toEqual(wanted)
  })

  it('hands a partition over at once, though its owner died in the middle of storing progress by a transaction; who reads on without ending that waits for it', async (context) => {
    const { transport, where, transports } = await connect(context)
    const topic = `handed-over.${randomUUID()}`
    const [groupId, transactionalId] = [randomUUID(), randomUUID()]
    await transport.topics.create(topic, { partitions: 1 })
    await transport.send(topic, ['a', 'b', 'c'].map((value) => ({ value })))
    const connections = createPlatformaticConnections({ brokers: where.slice('kafka:'.length).split(',') })
    const ending = Promise.withResolvers<void>()
    const request: KafkaConnections['request'] = (node, asked) => {
      if (asked.apiKey !== END_TRANSACTION) return connections.request(node, asked)
      ending.resolve()
      return Promise.reject(new TypeError('the process died'))
    }
    const dying = createKafkaTransport({ seeds: connections.seeds, request, close: () => connections.close() })
    transports.push(dying)
    await dying.start()
    const first = await dying.join({ groupId, topics: [topic], onPartition: async (reader) => {
      const producer = await dying.transactional(transactionalId, { transactionTimeoutMs: 600_000 })
      const transaction = await producer.begin()
      transaction.commitOffset(reader, 2n)
      transaction.commit({ timeoutMs: 500 }).catch(() => {})
      await ending.promise
    } })
    await ending.promise
    await first.leave()

    const values = Promise.withResolvers<(string | undefined)[]>()
    const begun = performance.now()
    await transport.join({ groupId, topics: [topic], onPartition: async (reader) => {
      const early = await reader.read({ maxBytes: 1e6, maxRecords: 10, maxWaitMs: 300 })
      await transport.transactional(transactionalId)
      const later = await reader.read({ maxBytes: 1e6, maxRecords: 10, maxWaitMs: 60_000 })
      values.resolve([String(early.length), ...Array.from({ length: later.length }, (_, index) => Buffer.from(later.valueAt(index) ?? []).toString())])
    } })

    expect(await values.promise).toEqual(['0', 'a', 'b', 'c'])
    // Not as long as the transaction might have taken.
    expect(performance.now() - begun).toBeLessThan(120_000)
  })
})
