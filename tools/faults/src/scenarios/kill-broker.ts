import type { MessagingTransport } from '@smart-whale/messaging'
import { compareCopies, findingsOf } from '../compare-copies.ts'
import { startBrokers } from '../fault-world.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'

const TOPIC = 'events'
const ROUNDS = 3
const PRODUCERS = 4
const RATE = 1500
const EVENTS_EACH = 1_000_000
const PAUSE_MS = 3000

/** Each broker of three killed in turn while many send: an acknowledged message is never lost, and never doubled by a retry. */
export async function killBroker(run: FaultRun): Promise<readonly Finding[]> {
  const world = await startBrokers(run, 3)
  const transports = await Promise.all(Array.from({ length: PRODUCERS }, () => world.connect()))
  await transports[0]?.topics.create(TOPIC, { partitions: 6, replication: 3 })
  const sent = new SentEvents(PRODUCERS * EVENTS_EACH)
  const stop = new AbortController()
  run.atEnd(async () => stop.abort())
  const producing = transports.map((transport, index) =>
    sendSteadily({ transport, topic: TOPIC, rate: RATE, total: EVENTS_EACH, first: index * EVENTS_EACH, sent, timeoutMs: 60_000, until: stop.signal }),
  )
  for (let round = 1; round <= ROUNDS; round++) {
    for (const broker of world.kafka.nodes) {
      run.tell(`round ${round}: broker ${broker.id} dies (${sent.acknowledged} acknowledged)`)
      await broker.kill()
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      await broker.restart()
      await world.kafka.awaitInSync()
    }
  }
  stop.abort()
  await Promise.all(producing)

  const copies = await copiesInTopic(await world.connect(), TOPIC)
  return [
    { what: 'events acknowledged', found: `${sent.acknowledged}, ${sent.unknown} unknown`, goal: 'more than 0', isMet: sent.acknowledged > 0 },
    ...findingsOf('topic', compareCopies(sent, copies)),
    mustBe('kills', ROUNDS * world.kafka.nodes.length, ROUNDS * 3),
  ]
}

async function copiesInTopic(transport: MessagingTransport, topic: string): Promise<Map<number, number>> {
  const copies = new Map<number, number>()
  const partitions = (await transport.topics.describe(topic))?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const reader = await transport.openPartition(topic, partition)
    const { latest } = await reader.bounds()
    for (let next = 0n; next < latest; ) {
      const batch = await reader.read({ maxBytes: 4_000_000, maxRecords: 20_000, maxWaitMs: 1000 })
      for (let index = 0; index < batch.length; index++) {
        const { seq } = JSON.parse(Buffer.from(batch.valueAt(index) as Uint8Array).toString()) as { seq: number }
        copies.set(seq, (copies.get(seq) ?? 0) + 1)
      }
      next = batch.nextOffset
    }
    await reader.close()
  }
  return copies
}
