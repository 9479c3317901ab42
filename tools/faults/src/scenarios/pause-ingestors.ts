import { compareCopies, findingsOf } from '../compare-copies.ts'
import { askClickHouse, askPostgres, copiesInClickHouse, copiesInPostgres } from '../count-stored.ts'
import { EVENT_PIPELINE } from '../event.ts'
import { type Environment, type FaultWorld, startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeDeadLetters } from '../judge-dead-letters.ts'
import { poisonedRecord, type PoisonPlan } from '../poison.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { pause, suspendOne, type Suspension, suspendOneAfterTheOther } from '../suspend-ingestors.ts'
import { waitUntil } from '../wait-until.ts'

/** Sessions end after 3 seconds here, and PostgreSQL ends a transaction whose owner is silent after 30. */
const FULL = { rounds: 20, rate: 1000, asleepMs: [5000, 8000, 12_000, 35_000], deadlineMs: 240_000 }
const SHORT = { rounds: 2, rate: 1000, asleepMs: [4500], deadlineMs: 240_000 }

/** A pipeline and its ledger's place: PostgreSQL, or the consumer group. */
interface Stream {
  readonly topic: string
  readonly sinks: readonly ('clickhouse' | 'timescaledb')[]
}

const STREAMS: Readonly<Record<string, Stream['sinks']>> = { paired: ['clickhouse', 'timescaledb'], lone: ['clickhouse'] }

/** Workers that sleep through the loss of their partitions and go on in the middle of a step, as if nothing had been. */
export async function pauseIngestors(run: FaultRun): Promise<readonly Finding[]> {
  const world = await startWorld(run)
  const findings = await Promise.all(Object.entries(STREAMS).map(([name, sinks], index) => suspendWorkersOf({ topic: world.topicNamed(name), sinks }, world, { ...run, seed: run.seed + index })))
  return findings.flat()
}

async function suspendWorkersOf(stream: Stream, world: FaultWorld, run: FaultRun): Promise<Finding[]> {
  const { rounds, rate, asleepMs, deadlineMs } = run.isShort ? SHORT : FULL
  const { topic, sinks } = stream
  const random = new SeededChoices(run.seed)
  const plan: PoisonPlan = { seed: run.seed, badShare: 0.02, refusedEvery: Number.MAX_SAFE_INTEGER, hugeEvery: Number.MAX_SAFE_INTEGER }
  const isGood = (sequence: number): boolean => poisonedRecord(sequence, plan).isGood
  const crew = new IngestorCrew(await environmentOf(stream, world))
  run.atEnd(() => crew.killAll())
  // One makes the tables.
  await crew.add(1)
  await crew.add(1)
  let ended = 0
  for (const member of crew.members) void member.exited.then(({ signal }) => (ended += signal === 'SIGKILL' ? 0 : 1))
  run.tell(`${topic}: two ingestors serve`)

  const sent = new SentEvents()
  const stop = new AbortController()
  run.atEnd(async () => stop.abort())
  const producing = sendSteadily({ transport: await world.connect(), topic, rate, total: Number.MAX_SAFE_INTEGER, sent, event: (sequence) => poisonedRecord(sequence, plan).record, until: stop.signal })
  for (let round = 0; round < rounds; round++) {
    await pause(500 + random.below(2500))
    const first = random.below(2)
    const suspension: Suspension = { asleep: crew.members[first], other: crew.members[1 - first], asleepMs: random.pick(asleepMs) }
    await (round % 3 === 2 ? suspendOneAfterTheOther(suspension, random) : suspendOne(suspension))
    if ((round + 1) % 5 === 0) run.tell(`${topic}: ${round + 1} suspensions`)
  }
  stop.abort()
  await producing

  const good = onlyGood(sent, isGood)
  const visibleMs = await waitUntil(`the stores have ${good.acknowledged} events of ${topic}`, deadlineMs, async () => {
    const found = await rowsOf(stream, world)
    return found.every((rows) => rows >= good.acknowledged) || `they have ${found.join(' and ')}; ${crew.output()}`
  })
  await pause(3000)
  for (const line of crew.linesWith('pipeline halted')) run.tell(`${topic}: ${line.slice(0, 1500)}`)
  const findings = [
    { what: 'events acknowledged', found: String(sent.acknowledged), goal: 'more than 0', isMet: sent.acknowledged > 0 },
    ...findingsOf('ClickHouse', compareCopies(good, await copiesInClickHouse(world.clickhouse.login, topic))),
    ...(sinks.includes('timescaledb') ? findingsOf('PostgreSQL', compareCopies(good, await copiesInPostgres(world.postgres.address, topic))) : []),
    ...(await judgeDeadLetters(await world.connect(), topic, isGood)),
    mustBe('workers that ended by themselves', ended, 0),
    mustBe('pipelines that halted', crew.logged('pipeline halted'), 0),
    atMost('last row visible after the last suspension', visibleMs / 1000, { goal: 30, failsAbove: 120, unit: 's' }),
  ]
  return findings.map((finding) => ({ ...finding, what: `${topic}: ${finding.what}` }))
}

/** Slices are small, so that a suspension finds one in each of its steps. */
async function environmentOf({ topic, sinks }: Stream, world: FaultWorld): Promise<Environment> {
  const { DATABASE_URL = '', ...rest } = await world.environmentFor({ ...EVENT_PIPELINE, topic, sinks: [...sinks], limits: { maxRows: 500, maxAgeMs: 40 } })
  return sinks.includes('timescaledb') ? { ...rest, DATABASE_URL } : rest
}

function onlyGood(sent: SentEvents, isGood: (sequence: number) => boolean): SentEvents {
  const good = new SentEvents()
  for (const sequence of sent.knownOnes()) {
    if (!isGood(sequence)) continue
    if (sent.wasAcknowledged(sequence)) good.acknowledge(sequence)
    else if (sent.mayBeThere(sequence)) good.leaveOpen(sequence)
  }
  return good
}

async function rowsOf({ topic, sinks }: Stream, { clickhouse, postgres }: FaultWorld): Promise<number[]> {
  const counts = [askClickHouse(clickhouse.login, `SELECT count() FROM ${topic}`)]
  if (sinks.includes('timescaledb')) counts.push(askPostgres(postgres.address, `select count(*) from ${topic}`))
  return (await Promise.all(counts)).map((rows) => Number(rows[0]?.[0]))
}
