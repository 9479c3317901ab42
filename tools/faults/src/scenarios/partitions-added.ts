import { Admin } from '@platformatic/kafka'
import type { OutgoingRecord } from '@smart-whale/messaging'
import { askClickHouse, askPostgres } from '../count-stored.ts'
import { EVENT_PIPELINE, eventOf } from '../event.ts'
import { type FaultWorld, startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { pause } from '../suspend-ingestors.ts'
import { waitUntil } from '../wait-until.ts'

const FULL = { additions: 12, rate: 2000, pauseMs: 3000 }
const SHORT = { additions: 1, rate: 2000, pauseMs: 1000 }
const MOST_AT_ONCE = 3

/** A topic that grows under its readers and its writers, neither of which anybody tells. */
export async function partitionsAdded(run: FaultRun): Promise<readonly Finding[]> {
  const { additions, rate, pauseMs } = run.isShort ? SHORT : FULL
  const random = new SeededChoices(run.seed)
  const world = await startWorld(run)
  const crew = new IngestorCrew(world.environment())
  run.atEnd(() => crew.killAll())
  await crew.add(2)

  const sent = new SentEvents()
  const stop = new AbortController()
  run.atEnd(async () => stop.abort())
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: Number.MAX_SAFE_INTEGER, sent, event: spread, until: stop.signal })
  let partitions: number = EVENT_PIPELINE.partitions
  const takenUpMs: number[] = []
  for (let addition = 0; addition < additions; addition++) {
    await pause(pauseMs * random.fraction())
    partitions += 1 + random.below(MOST_AT_ONCE)
    await raisePartitions(run, world, partitions)
    // Every third time somebody dies just then, and whoever comes in its place finds a topic that is larger than declared.
    if (addition % 3 === 2) await crew.replaceByCrash(random.below(2))
    takenUpMs.push(await untilRowsOf(world, partitions))
    run.tell(`${partitions} partitions, rows of each visible after ${Math.round(takenUpMs.at(-1) as number)} ms`)
  }
  stop.abort()
  await producing
  const visibleMs = await waitUntilStored(world, sent, 240_000)

  return [
    ...(await judgeStores(world, sent)),
    mustBe('pipelines that halted', crew.logged('pipeline halted'), 0),
    // Writer and readers look for new partitions every 5 seconds, each by itself.
    atMost('rows of new partitions visible after they were added', Math.max(...takenUpMs) / 1000, { goal: 20, failsAbove: 60, unit: 's' }),
    atMost('last row visible after the last event', visibleMs / 1000, { goal: 10, failsAbove: 60, unit: 's' }),
  ]
}

/** A key for each, so that every partition gets some, however many there are. */
const spread = (sequence: number): OutgoingRecord => ({ ...eventOf(sequence), key: String(sequence) })

/** By a client of its own: none of the others hears of it. */
async function raisePartitions(run: FaultRun, { kafka, topic }: FaultWorld, count: number): Promise<void> {
  const admin = new Admin({ clientId: 'operator', bootstrapBrokers: [...kafka.brokers] })
  try {
    await admin.createPartitions({ topics: [{ name: topic, count, assignments: null }] })
  } finally {
    await admin.close().catch((error: unknown) => run.tell(`the operator's client could not be closed: ${String(error)}`))
  }
}

/** Waits until both stores have rows of so many partitions; answers after how many milliseconds. */
function untilRowsOf({ clickhouse, postgres, table }: FaultWorld, partitions: number): Promise<number> {
  const query = `select count(distinct source_partition) from ${table}`
  return waitUntil(`both stores have rows of ${partitions} partitions`, 120_000, async () => {
    const found = await Promise.all([askClickHouse(clickhouse.login, query), askPostgres(postgres.address, query)])
    const counts = found.map((rows) => Number(rows[0]?.[0]))
    return counts.every((count) => count === partitions) || `they have rows of ${counts.join(' and ')}`
  })
}
