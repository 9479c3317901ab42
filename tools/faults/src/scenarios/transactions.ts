import { KafkaService, type MessagingTransport } from '@smart-whale/messaging'
import { startBrokers } from '../fault-world.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { type TransactionOutcomes, type TransactionTarget, writeTransactions } from '../steady-transactions.ts'

const ORDERS: TransactionTarget = { topic: 'orders', partitions: 3 }
const LINES: TransactionTarget = { topic: 'lines', partitions: 6 }
const COPIES = 'copies'
const GROUP = 'copy'
const WRITERS = ['a', 'b', 'c']
const PAUSE_MS = 4000
const LAST_LAG_MS = 120_000

/** Each broker of three killed in turn under transactions: the coordinators of groups and of transactions move in the middle of them. */
export async function transactions(run: FaultRun): Promise<readonly Finding[]> {
  const world = await startBrokers(run, 3)
  const reader = await world.connect()
  const configs = { 'min.insync.replicas': '2' }
  for (const { topic, partitions } of [ORDERS, LINES, { ...ORDERS, topic: COPIES }]) await reader.topics.create(topic, { partitions, replication: 3, configs })
  const outcomes: TransactionOutcomes = { committed: new Set(), aborted: new Set(), unknown: new Set() }
  const stop = new AbortController()
  run.atEnd(async () => stop.abort())
  const copying = await Promise.all([world.connect(), world.connect()].map(async (transport) => copyOrders(await transport)))
  const writing = Promise.all(WRITERS.map(async (id) => writeTransactions(await world.connect(), id, [ORDERS, LINES], outcomes, stop.signal)))
  for (const broker of world.kafka.nodes) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    run.tell(`broker ${broker.id} dies (${outcomes.committed.size} committed, ${outcomes.aborted.size} aborted)`)
    await broker.kill()
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    await broker.restart()
    await world.kafka.awaitInSync()
  }
  stop.abort()
  await writing
  await untilCopied(copying[0] as KafkaService)
  for (const service of copying) await service.disconnect()
  return judge(reader, outcomes)
}

async function copyOrders(transport: MessagingTransport): Promise<KafkaService> {
  const service = new KafkaService(transport, { manageTransport: false })
  await service.connect()
  await service.transform(ORDERS.topic, GROUP, async (messages, transaction) => {
    for (const { value } of messages) await transaction.sendMessage(COPIES, value)
  })
  return service
}

async function untilCopied(service: KafkaService): Promise<void> {
  const deadline = performance.now() + LAST_LAG_MS
  while ((await service.getConsumerLag(ORDERS.topic, GROUP)).total > 0n && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200))
}

async function judge(transport: MessagingTransport, { committed, aborted, unknown }: TransactionOutcomes): Promise<readonly Finding[]> {
  const [orders, lines, copies] = [await countValues(transport, ORDERS.topic), await countValues(transport, LINES.topic), await countValues(transport, COPIES)]
  const seen = new Set([...orders.keys(), ...lines.keys()])
  const isWhole = (value: string): boolean => orders.get(value) === ORDERS.partitions && lines.get(value) === LINES.partitions
  return [
    { what: 'transactions committed', found: `${committed.size}, ${aborted.size} aborted, ${unknown.size} unknown`, goal: 'more than 0', isMet: committed.size > 0 },
    mustBe('transactions seen in part', [...seen].filter((value) => !isWhole(value)).length, 0),
    mustBe('committed and not seen', [...committed].filter((value) => !seen.has(value)).length, 0),
    mustBe('aborted and seen', [...aborted].filter((value) => seen.has(value)).length, 0),
    mustBe('orders not copied once', [...orders].filter(([value, count]) => copies.get(value) !== count).length, 0),
    mustBe('copies of nothing', [...copies.keys()].filter((value) => !orders.has(value)).length, 0),
  ]
}

/** How often each value is there, once every transaction under way has ended. */
async function countValues(transport: MessagingTransport, topic: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const partitions = (await transport.topics.describe(topic))?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const reader = await transport.openPartition(topic, partition)
    const { latest } = await reader.bounds({ withOpen: true })
    for (let next = 0n; next < latest; ) {
      const batch = await reader.read({ maxBytes: 4_000_000, maxRecords: 20_000, maxWaitMs: 1000 })
      for (let index = 0; index < batch.length; index++) {
        const value = Buffer.from(batch.valueAt(index) ?? []).toString()
        counts.set(value, (counts.get(value) ?? 0) + 1)
      }
      next = batch.nextOffset
    }
    await reader.close()
  }
  return counts
}
