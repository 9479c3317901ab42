import { startToxiproxy } from '../../../services/src/index.ts'
import { startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { atMoments } from '../wait-until.ts'

const FULL = { events: 150_000, rate: 2500, kills: 10, cuts: 50, spanMs: 60_000 }
const SHORT = { events: 12_500, rate: 2500, kills: 2, cuts: 4, spanMs: 5000 }
const CUT_MS = 300

/** The store that keeps the ledger: killed, and its line cut in between. */
export async function killPostgres(run: FaultRun): Promise<readonly Finding[]> {
  const { events, rate, kills, cuts, spanMs } = run.isShort ? SHORT : FULL
  const random = new SeededChoices(run.seed)
  const world = await startWorld(run)
  const direct = new URL(world.postgres.address)
  const proxy = await startToxiproxy({ progress: run.tell })
  run.atEnd(() => proxy.stop())
  const line = await proxy.createLine(direct.host)
  const throughLine = new URL(direct)
  throughLine.port = String(line.port)
  const crew = new IngestorCrew(world.environment({ DATABASE_URL: throughLine.href }))
  run.atEnd(() => crew.killAll())
  await crew.add(1)

  const sent = new SentEvents()
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: events, sent })
  const cutting = atMoments(random.moments(cuts, spanMs), async () => {
    await line.cut()
    await new Promise((resolve) => setTimeout(resolve, CUT_MS * random.fraction()))
    await line.mend()
  })
  const killing = atMoments(random.moments(kills, spanMs), async (index) => {
    await world.postgres.kill()
    await world.postgres.restart()
    run.tell(`${index + 1} kills`)
  })
  await Promise.all([producing, cutting, killing])
  const visibleMs = await waitUntilStored(world, sent, 180_000)

  return [...(await judgeStores(world, sent)), atMost('last row visible after the last fault', visibleMs / 1000, { goal: 30, failsAbove: 90, unit: 's' })]
}
