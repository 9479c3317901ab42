import { startWorldOfItsOwn } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { atMoments } from '../wait-until.ts'

const EVENTS = 200_000
const RATE = 3000
const SPAN_MS = 70_000
const KILLS = { ingestors: 40, clickhouse: 8, broker: 2 }

/** Everything that can die, dying at the same time. */
export async function killAll(run: FaultRun): Promise<readonly Finding[]> {
  const random = new SeededChoices(run.seed)
  const begun = performance.now()
  const world = await startWorldOfItsOwn(run, { brokers: 3 })
  const crew = new IngestorCrew(world.environment())
  run.atEnd(() => crew.killAll())
  await crew.add(2)

  const sent = new SentEvents()
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate: RATE, total: EVENTS, sent, timeoutMs: 60_000 })
  await Promise.all([
    producing,
    atMoments(random.moments(KILLS.ingestors, SPAN_MS), () => crew.replaceByCrash(random.below(2))),
    atMoments(random.moments(KILLS.clickhouse, SPAN_MS), async () => {
      await world.clickhouse.kill()
      await world.clickhouse.restart()
    }),
    atMoments(random.moments(KILLS.broker, SPAN_MS), async () => {
      const broker = random.pick(world.kafka.nodes)
      run.tell(`broker ${broker.id} dies`)
      await broker.kill()
      await broker.restart()
      await world.kafka.awaitInSync()
    }),
  ])
  run.tell('no more faults')
  await waitUntilStored(world, sent, 240_000)

  const tookMs = performance.now() - begun
  return [...(await judgeStores(world, sent)), atMost('all in all', tookMs / 1000, { goal: 240, failsAbove: 600, unit: 's' })]
}
