import { compareCopies, findingsOf } from '../compare-copies.ts'
import { copiesInClickHouse, copiesInPostgres } from '../count-stored.ts'
import { type FaultWorld, startWorld } from '../fault-world.ts'
import { judgeDeadLetters } from '../judge-dead-letters.ts'
import { isMendable, poisonedRecord, type PoisonPlan } from '../poison.ts'
import { type Drained, openStream, type PoisonedStream } from '../poisoned-stream.ts'
import { replayThrice } from '../replay-letters.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import type { SentEvents } from '../sent-events.ts'

const FULL = { events: 1_000_000, warmUp: 100_000, cleanRuns: 2, hugeEvery: 50_000, withoutLettersMs: 20_000 }
const SHORT = { events: 20_000, warmUp: 0, cleanRuns: 1, hugeEvery: 7_000, withoutLettersMs: 2000 }

/** Long enough to have begun, and in the short form to have ended: both must do no harm. */
const REPLAY_KILLED_AFTER_MS = 2500

/** A tenth of everything is broken in some way; what is good must not suffer for it. */
export async function poison(run: FaultRun): Promise<readonly Finding[]> {
  const { events, warmUp, cleanRuns, hugeEvery, withoutLettersMs } = run.isShort ? SHORT : FULL
  const plan: PoisonPlan = { seed: run.seed, badShare: 0.1, refusedEvery: 10_000, hugeEvery }
  const world = await startWorld(run)

  if (warmUp > 0) await drainFirst(run, world, (stream) => stream.send(warmUp, (sequence) => poisonedRecord(sequence, plan).record, (sequence) => poisonedRecord(sequence, plan).isGood))
  const unpoisoned: PoisonPlan = { ...plan, badShare: 0, refusedEvery: events + 1, hugeEvery: 4 * events }
  const clean = await drainClean(run, world, cleanRuns, (stream) => stream.send(events, (sequence) => poisonedRecord(sequence, unpoisoned).record))

  const topic = world.topicNamed('poisoned')
  const poisoned = await openStream(run, world, topic)
  // A worker makes the topic when it starts: it is taken away under its hands.
  await poisoned.begin()
  await poisoned.takeAwayDeadLetters()
  const good = await poisoned.send(events, (sequence) => poisonedRecord(sequence, plan).record, (sequence) => poisonedRecord(sequence, plan).isGood)
  run.tell(`all sent, the dead letters have no topic for ${withoutLettersMs / 1000} s`)
  await new Promise((resolve) => setTimeout(resolve, withoutLettersMs))
  await poisoned.giveBackDeadLetters()
  const { rate: goodRate, mostMiB: mostPoisonedMiB } = await poisoned.drain(good)
  // A worker that gives an event up has taken it in as well.
  const poisonedRate = goodRate * (events / good.acknowledged)
  const share = (poisonedRate / clean.rate) * 100
  run.tell(`poisoned: ${Math.round(poisonedRate)} events/s, ${Math.round(goodRate)} of them good; ${Math.round(mostPoisonedMiB)} MiB at most, with messages of 5 MB among them`)

  const letters = await judgeDeadLetters(await world.connect(), topic, (sequence) => poisonedRecord(sequence, plan).isGood)
  const replays = await replayThrice(run.folder, poisoned.environment, topic, REPLAY_KILLED_AFTER_MS)
  run.tell('the mendable dead letters were replayed three times')
  for (let sequence = 0; sequence < events; sequence++) if (isMendable(sequence, plan)) good.acknowledge(sequence)
  await poisoned.takeIn(good)
  const [inClickHouse, inPostgres] = await Promise.all([copiesInClickHouse(world.clickhouse.login, topic), copiesInPostgres(world.postgres.address, topic)])
  return [
    ...findingsOf('ClickHouse', compareCopies(good, inClickHouse)),
    ...findingsOf('PostgreSQL', compareCopies(good, inPostgres)),
    ...letters,
    // 3: some would die again and were left, as it has to be.
    mustBe('replays that failed', replays.filter((code) => code !== 3).length, 0),
    mustBe('waited for the dead letters', poisoned.pauses() > 0, true),
    mustBe('workers that ended by themselves', clean.crashes + poisoned.crashes(), 0),
    atMost('memory of a worker that is behind', clean.mostMiB, { goal: 150, failsAbove: 300, unit: 'MiB' }),
    // So few events as in the short form are through at once: there is no rate to speak of.
    ...(run.isShort ? [] : [{ what: 'events a second, of the clean ones', found: `${Math.round(share)} %`, goal: '≥ 70 % (fails below 35 %)', isMet: share >= 35 }]),
  ]
}

/** Broker and stores have just started: whichever stream came first would wait for what they compile and allocate. */
async function drainFirst(run: FaultRun, world: FaultWorld, send: (stream: PoisonedStream) => Promise<SentEvents>): Promise<void> {
  const stream = await openStream(run, world, world.topicNamed('first'))
  await stream.drain(await send(stream))
  await stream.dropTables()
}

/** What is compared with: the mean of so many streams, since the rate of one differs by a tenth from the next. */
async function drainClean(run: FaultRun, world: FaultWorld, times: number, send: (stream: PoisonedStream) => Promise<SentEvents>): Promise<Drained & { readonly crashes: number }> {
  let [seconds, events, mostMiB, crashes] = [0, 0, 0, 0]
  for (let time = 1; time <= times; time++) {
    const stream = await openStream(run, world, world.topicNamed(`clean_${time}`))
    const sent = await send(stream)
    const drained = await stream.drain(sent)
    await stream.dropTables()
    run.tell(`clean: ${Math.round(drained.rate)} events/s`)
    seconds += sent.acknowledged / drained.rate
    events += sent.acknowledged
    mostMiB = Math.max(mostMiB, drained.mostMiB)
    crashes += stream.crashes()
  }
  return { rate: events / seconds, mostMiB, crashes }
}
