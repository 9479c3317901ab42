import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type KafkaCluster, type KafkaNode, startKafka } from '../../../../tools/services/src/index.ts'
import type { KafkaTransport } from '../../src/kafka/client/kafka-transport.ts'
import type { KafkaTransportOptions } from '../../src/kafka/options.ts'
import { createKafkaApi } from '../../src/kafka/protocol/create-kafka-api.ts'
import { createKafkaJsConnections, createKafkaJsTransport } from '../../src/kafkajs/index.ts'
import { createPlatformaticTransport } from '../../src/platformatic/index.ts'
import { readTopic } from '../contract/subject.ts'
import { checkRead, checkStored, HoldRecorder, SteadySender } from '../support/steady-load.ts'

const kafka = inject('kafka')
const PARTITIONS = 3
const REQUEST_TIMEOUT_MS = 3_000

/** Waits for it with a patience that fits brokers which start anew on a busy machine. */
async function until(what: string, isSo: () => boolean | Promise<boolean>, deadlineMs = 90_000): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('on a cluster of three brokers', () => {
  let cluster: KafkaCluster | undefined
  const open: KafkaTransport[] = []

  beforeAll(async () => {
    if (kafka.found !== null) cluster = await startKafka({ nodes: 3, listeners: [], heapMegabytes: 256, isShortLived: true })
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((transport) => transport.stop()))
    await cluster?.awaitInSync(120_000)
  })
  afterAll(() => cluster?.stop())

  async function connect({ brokers }: KafkaCluster, create: typeof createKafkaJsTransport = createPlatformaticTransport, options: KafkaTransportOptions = {}): Promise<KafkaTransport> {
    const transport = create({ brokers: [...brokers], sessionTimeoutMs: 6_000, requestTimeoutMs: REQUEST_TIMEOUT_MS, ...options })
    open.push(transport)
    await transport.start()
    return transport
  }

  /** Sends and reads while something happens to the brokers, until what was sent afterwards is read as well. */
  async function underLoad(running: KafkaCluster, happen: (topic: string, load: SteadySender) => Promise<void>): Promise<{ sender: SteadySender; recorder: HoldRecorder }> {
    const [sending, reading] = [await connect(running), await connect(running, createKafkaJsTransport)]
    const topic = `broker-faults.${randomUUID()}`
    await sending.topics.create(topic, { partitions: PARTITIONS, replication: 3, configs: { 'min.insync.replicas': '2' } })
    const recorder = new HoldRecorder()
    const membership = await reading.join({ groupId: randomUUID(), topics: [topic], onPartition: recorder.onPartition })
    const sender = new SteadySender(sending, topic, PARTITIONS)
    await until('the load is on', () => sender.stored > 100 && recorder.seen.size > 100)

    await happen(topic, sender)
    const before = sender.stored
    await until('it goes on as before', () => sender.stored > before + 200)
    await sender.stop()
    const known = [...sender.told].filter(([, told]) => told === 'stored').map(([value]) => value)
    await until('all of it is read', () => known.every((value) => recorder.seen.has(value)))

    expect(membership.failed.aborted).toBe(false)
    await checkStored(sending, topic, sender)
    checkRead([recorder], sender)
    return { sender, recorder }
  }

  const nodeOf = (running: KafkaCluster, address: string): KafkaNode => running.nodes.find((node) => node.address === address) as KafkaNode

  it('loses and doubles nothing when a leader stands still for longer than a request may take, and comes back', async (context) => {
    if (cluster === undefined) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : 'it did not start'}`)
    const running = cluster

    const { sender } = await underLoad(running, async (_, load) => {
      const [first] = running.nodes as [KafkaNode]
      first.pause()
      const before = load.stored
      await new Promise((resolve) => setTimeout(resolve, REQUEST_TIMEOUT_MS * 2))
      // Sends of its partitions go on as soon as another broker leads them.
      await until('another broker has taken over', () => load.stored > before + 100)
      first.resume()
    })

    expect(sender.failures).toEqual([])
  })

  it('loses and doubles nothing when all brokers are restarted, one after the other', async (context) => {
    if (cluster === undefined) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : 'it did not start'}`)
    const running = cluster

    const { sender, recorder } = await underLoad(running, async () => {
      for (const node of running.nodes) {
        await node.restart()
        await running.awaitInSync(120_000)
      }
    })

    expect(sender.failures).toEqual([])
    // Nothing is read again but what had not been committed when a session was lost: a part of what went through while three brokers were restarted.
    expect(recorder.again).toBeLessThan(recorder.seen.size)
  })

  it('refuses a send that too few replicas would have, says so, stores nothing, and goes on when they are back', async (context) => {
    if (cluster === undefined) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : 'it did not start'}`)
    const transport = await connect(cluster)
    const topic = `broker-faults.${randomUUID()}`
    await transport.topics.create(topic, { partitions: 1, replication: 3, configs: { 'min.insync.replicas': '3' } })
    await transport.send(topic, [{ value: 'before' }])

    const [, , third] = cluster.nodes as [KafkaNode, KafkaNode, KafkaNode]
    await third.kill()
    await until('the broker is known to be gone', async () => (await transport.topics.brokerCount()) === 2)
    const began = performance.now()
    const error: unknown = await transport.send(topic, [{ value: 'refused' }], { timeoutMs: 2_000 }).catch((reason: unknown) => reason)
    const tookMs = performance.now() - began
    await third.restart()
    await until('it can be sent to again', () => transport.send(topic, [{ value: 'after' }], { timeoutMs: 2_000 }).then(() => true, () => false))

    expect(error).toMatchObject({ retryable: true, message: expect.stringMatching(/NOT_ENOUGH_REPLICAS/) as string })
    expect(tookMs).toBeLessThan(20_000)
    expect((await readTopic(transport, topic)).map(({ value }) => value)).toEqual(['before', 'after'])
  })

  it('goes on when the coordinator is killed while the group is rebalancing', async (context) => {
    if (cluster === undefined) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : 'it did not start'}`)
    const running = cluster
    const [one, two, probe] = [await connect(running), await connect(running), await connect(running)]
    const topic = `broker-faults.${randomUUID()}`
    const groupId = randomUUID()
    await one.topics.create(topic, { partitions: 4, replication: 3, configs: { 'min.insync.replicas': '2' } })
    const recorders = [new HoldRecorder(), new HoldRecorder()] as const
    await one.join({ groupId, topics: [topic], onPartition: recorders[0].onPartition })
    const sender = new SteadySender(probe, topic, 4)
    await until('the load is on', () => recorders[0].seen.size > 100)
    const coordinator = nodeOf(running, await coordinatorOf(running, groupId))

    const joining = two.join({ groupId, topics: [topic], onPartition: recorders[1].onPartition })
    await coordinator.kill('SIGKILL')
    await joining
    await until('the second has its share', () => new Set(recorders[1].holds.map(({ partition }) => partition)).size >= 2 && recorders[1].seen.size > 50)
    await coordinator.restart()
    await sender.stop()
    const known = [...sender.told].filter(([, told]) => told === 'stored').map(([value]) => value)
    await until('all of it is read', () => known.every((value) => recorders.some(({ seen }) => seen.has(value))))

    await checkStored(probe, topic, sender)
    checkRead(recorders, sender)
  })
})

/** Address of the broker that keeps the group. */
async function coordinatorOf({ brokers }: KafkaCluster, groupId: string): Promise<string> {
  const connections = createKafkaJsConnections({ brokers: [...brokers] })
  try {
    const [host = '', port] = brokers[0]?.split(':') ?? []
    const { node } = await createKafkaApi(connections).findCoordinator({ host, port: Number(port) }, groupId, 'group', { timeoutMs: 10_000 })
    return `${node.host}:${node.port}`
  } finally {
    await connections.close()
  }
}
