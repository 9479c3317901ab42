import { startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { atMoments } from '../wait-until.ts'

const FULL = { events: 200_000, rate: 4000, kills: 50, killSpanMs: 75_000 }
const SHORT = { events: 16_000, rate: 4000, kills: 4, killSpanMs: 5000 }

/** Two workers, each killed again and again at whatever it is doing. */
export async function killIngestors(run: FaultRun): Promise<readonly Finding[]> {
  const { events, rate, kills, killSpanMs } = run.isShort ? SHORT : FULL
  const random = new SeededChoices(run.seed)
  const world = await startWorld(run)
  const crew = new IngestorCrew(world.environment())
  run.atEnd(() => crew.killAll())
  await crew.add(2)
  run.tell('two ingestors serve')

  const sent = new SentEvents()
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: events, sent })
  const killing = atMoments(random.moments(kills, killSpanMs), async (index) => {
    await crew.replaceByCrash(random.below(2))
    if ((index + 1) % 10 === 0) run.tell(`${index + 1} kills`)
  })
  await Promise.all([producing, killing])
  const visibleMs = await waitUntilStored(world, sent, 180_000)

  return [...(await judgeStores(world, sent)), atMost('last row visible after the last kill', visibleMs / 1000, { goal: 30, failsAbove: 90, unit: 's' })]
}
