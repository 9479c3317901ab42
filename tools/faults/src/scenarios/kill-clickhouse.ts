import { askClickHouse, runInClickHouse } from '../count-stored.ts'
import { type FaultWorld, startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { atMoments } from '../wait-until.ts'

const FULL = { events: 200_000, rate: 2500, kills: 50, killSpanMs: 80_000 }
const SHORT = { events: 12_500, rate: 2500, kills: 3, killSpanMs: 5000 }

/** The server that views hang on, killed at whatever it is doing. */
export async function killClickHouse(run: FaultRun): Promise<readonly Finding[]> {
  const { events, rate, kills, killSpanMs } = run.isShort ? SHORT : FULL
  const random = new SeededChoices(run.seed)
  const world = await startWorld(run)
  const crew = new IngestorCrew(world.environment())
  run.atEnd(() => crew.killAll())
  await crew.add(1)
  await createViews(world)

  const sent = new SentEvents()
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: events, sent })
  const killing = atMoments(random.moments(kills, killSpanMs), async (index) => {
    await world.clickhouse.kill()
    await world.clickhouse.restart()
    if ((index + 1) % 10 === 0) run.tell(`${index + 1} kills`)
  })
  await Promise.all([producing, killing])
  const visibleMs = await waitUntilStored(world, sent, 180_000)

  return [
    ...(await judgeStores(world, sent)),
    ...(await judgeViews(world)),
    atMost('last row visible after the last kill', visibleMs / 1000, { goal: 30, failsAbove: 90, unit: 's' }),
  ]
}

async function createViews({ clickhouse: { login }, table }: FaultWorld): Promise<void> {
  const window = 'non_replicated_deduplication_window = 10000'
  const statements = [
    `CREATE TABLE by_station (station String, events UInt64, total Float64) ENGINE = SummingMergeTree ORDER BY station SETTINGS ${window}`,
    `CREATE MATERIALIZED VIEW by_station_view TO by_station AS SELECT station, count() AS events, sum(value) AS total FROM ${table} GROUP BY station`,
    `CREATE TABLE by_minute (minute DateTime, events AggregateFunction(count), stations AggregateFunction(uniqExact, String)) ENGINE = AggregatingMergeTree ORDER BY minute SETTINGS ${window}`,
    `CREATE MATERIALIZED VIEW by_minute_view TO by_minute AS SELECT toStartOfMinute(at) AS minute, countState() AS events, uniqExactState(station) AS stations FROM ${table} GROUP BY minute`,
  ]
  for (const statement of statements) await runInClickHouse(login, statement)
}

/** Each view against the same question asked of its base table. */
async function judgeViews({ clickhouse: { login }, table }: FaultWorld): Promise<Finding[]> {
  const pairs = [
    ['by_station', 'SELECT station, sum(events), sum(total) FROM by_station GROUP BY station ORDER BY station', `SELECT station, count(), sum(value) FROM ${table} GROUP BY station ORDER BY station`],
    ['by_minute', 'SELECT minute, countMerge(events), uniqExactMerge(stations) FROM by_minute GROUP BY minute ORDER BY minute', `SELECT toStartOfMinute(at) AS minute, count(), uniqExact(station) FROM ${table} GROUP BY minute ORDER BY minute`],
  ] as const
  const findings: Finding[] = []
  for (const [view, ofView, ofBase] of pairs) {
    const [viewed, based] = [await askClickHouse(login, ofView), await askClickHouse(login, ofBase)]
    const differing = based.filter((row, index) => String(row) !== String(viewed[index])).length + Math.abs(viewed.length - based.length)
    findings.push(mustBe(`groups in which the view ${view} differs from its table (of ${based.length})`, differing, 0))
    findings.push(mustBe(`events that the view ${view} has more than its table`, eventsIn(viewed) - eventsIn(based), 0))
  }
  return findings
}

/** The second column of both questions counts events. */
const eventsIn = (rows: readonly string[][]): number => rows.reduce((sum, [, events]) => sum + Number(events), 0)
