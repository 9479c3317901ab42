import { startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { askClickHouse } from '../count-stored.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'

const FULL = { stops: 50, scalings: 20, rate: 1500, pauseMs: 700 }
const SHORT = { stops: 3, scalings: 1, rate: 1500, pauseMs: 700 }

/** What the log says when a slice is sent again: after a clean stop there is none to be. */
const REPEATS = 'repeating the slice that was in flight'

/** Stops by signal in the middle of batches, and a group that grows and shrinks: nothing is read twice, and order is kept. */
export async function cleanStops(run: FaultRun): Promise<readonly Finding[]> {
  const { stops, scalings, rate, pauseMs } = run.isShort ? SHORT : FULL
  const random = new SeededChoices(run.seed)
  const world = await startWorld(run)
  // Nobody is killed: whoever is merely slow keeps its partitions.
  const crew = new IngestorCrew(world.environment({ KAFKA_SESSION_TIMEOUT_MS: '30000' }))
  run.atEnd(() => crew.killAll())
  await crew.add(1)
  const sent = new SentEvents()
  const stopSending = new AbortController()
  run.atEnd(async () => stopSending.abort())
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: 10_000_000, sent, until: stopSending.signal })

  const ends: Awaited<ReturnType<IngestorCrew['stopOldest']>>[] = []
  for (let index = 0; index < stops; index++) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs * random.fraction()))
    const [ended] = await Promise.all([crew.stopOldest(), crew.add(1)])
    ends.push(ended)
    if ((index + 1) % 10 === 0) run.tell(`${index + 1} stops`)
  }
  for (let index = 0; index < scalings; index++) {
    await crew.add(3)
    await new Promise((resolve) => setTimeout(resolve, pauseMs * random.fraction()))
    ends.push(...(await Promise.all([crew.stopOldest(), crew.stopOldest(), crew.stopOldest()])))
    if ((index + 1) % 5 === 0) run.tell(`scaled 1 → 4 → 1, ${index + 1} times`)
  }
  stopSending.abort()
  await producing
  await waitUntilStored(world, sent, 240_000)

  const slowest = Math.max(...ends.map(({ afterMs }) => afterMs))
  return [
    ...(await judgeStores(world, sent)),
    mustBe(`stops that ended otherwise than with 0 (of ${ends.length})`, ends.filter(({ code }) => code !== 0).length, 0),
    mustBe('slices that were sent twice', crew.logged(REPEATS), 0),
    mustBe('keys whose events are out of order', await keysOutOfOrder(world), 0),
    atMost('slowest stop', slowest / 1000, { goal: 10, failsAbove: 30, unit: 's' }),
  ]
}

/** In each partition the offsets of a key's events must rise with the events' own numbers. */
async function keysOutOfOrder({ clickhouse, table }: Awaited<ReturnType<typeof startWorld>>): Promise<number> {
  const query = `SELECT count() FROM (SELECT station, arrayMap(pair -> pair.2, arraySort(groupArray((source_offset, seq)))) AS sequences, uniqExact(source_partition) AS partitions FROM ${table} GROUP BY station) WHERE partitions != 1 OR sequences != arraySort(sequences)`
  return Number((await askClickHouse(clickhouse.login, query))[0]?.[0])
}
