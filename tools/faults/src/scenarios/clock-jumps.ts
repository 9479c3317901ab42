import { readFile } from 'node:fs/promises'
import { type Environment, startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'

const FULL = { events: 120_000, rate: 2000 }
const SHORT = { events: 8000, rate: 2000 }

const HOUR_MS = 3_600_000
/** A worker whose clock jumps by an hour, there and back, twice a second; one that is a day ahead; one that is a day behind. */
const CLOCKS: readonly (readonly number[])[] = [[0, HOUR_MS, 0, -HOUR_MS, HOUR_MS], [24 * HOUR_MS], [-24 * HOUR_MS]]

/** Workers whose time of day is not the broker's, nor each other's, nor stays what it is. */
export async function clockJumps(run: FaultRun): Promise<readonly Finding[]> {
  const { events, rate } = run.isShort ? SHORT : FULL
  const world = await startWorld(run)
  const crews = CLOCKS.map((offsets) => new IngestorCrew(world.environment(wrongClock(offsets))))
  for (const crew of crews) run.atEnd(() => crew.killAll())
  const [first, ...others] = crews
  // One makes the tables.
  await first?.add(1)
  await Promise.all(others.map((crew) => crew.add(1)))
  run.tell('three ingestors serve')

  const sent = new SentEvents()
  const begun = performance.now()
  const usedBefore = await processorSeconds(crews)
  await sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: events, sent })
  const visibleMs = await waitUntilStored(world, sent, 240_000)
  const elapsedSeconds = (performance.now() - begun) / 1000
  const used = (await processorSeconds(crews)).map((seconds, index) => seconds - (usedBefore[index] ?? 0))

  return [
    ...(await judgeStores(world, sent)),
    mustBe('workers whose log has the day of tomorrow or of yesterday', crews.filter((crew) => hoursOff(crew) > 20).length, 2),
    mustBe('pipelines that halted', sum(crews, 'pipeline halted'), 0),
    mustBe('members that their group gave up', sum(crews, 'the group gave this member up'), 0),
    mustBe('slices that were sent twice', sum(crews, 'repeating the slice that was in flight'), 0),
    // A timer that is set to a time of day may go off at once, and again, without end.
    atMost('processor time of the busiest worker', (100 * Math.max(...used)) / elapsedSeconds, { goal: 50, failsAbove: 90, unit: '%' }),
    atMost('last row visible after the last event', visibleMs / 1000, { goal: 10, failsAbove: 60, unit: 's' }),
  ]
}

const PRELOAD = new URL('../wrong-wall-clock.ts', import.meta.url).href

const wrongClock = (offsets: readonly number[]): Environment => ({ NODE_OPTIONS: `--import=${PRELOAD}`, WALL_CLOCK_OFF: offsets.join() })

/** How far from now a worker says it began. */
function hoursOff(crew: IngestorCrew): number {
  const told = /"time":"([^"]+)"/.exec(crew.linesWith('pipeline started')[0] ?? '')?.[1] ?? ''
  return Math.abs(Date.parse(told) - Date.now()) / HOUR_MS
}

const sum = (crews: readonly IngestorCrew[], text: string): number => crews.reduce((count, crew) => count + crew.logged(text), 0)

const TICKS_A_SECOND = 100

/** What each worker has used of the processors so far. */
function processorSeconds(crews: readonly IngestorCrew[]): Promise<number[]> {
  const workers = crews.flatMap(({ members }) => members)
  return Promise.all(
    workers.map(async ({ pid }) => {
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
    }),
  )
}
