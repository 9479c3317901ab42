import { startToxiproxy } from '../../../services/src/index.ts'
import { startWorld } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import type { IngestorProcess } from '../ingestor-process.ts'
import { countRows, judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { waitUntil } from '../wait-until.ts'

const FULL = { goneMs: 60_000, rate: 2000 }
const SHORT = { goneMs: 3500, rate: 2000 }
const WARM_UP_MS = 3000
const INSERT_DEADLINE_MS = 30_000
const PAUSED = 'partition paused'

/** A store that is away for a minute: once its process is gone, once it takes connections and never answers. */
export async function storeGone(run: FaultRun): Promise<readonly Finding[]> {
  const { goneMs, rate } = run.isShort ? SHORT : FULL
  const world = await startWorld(run)
  const proxy = await startToxiproxy({ progress: run.tell })
  run.atEnd(() => proxy.stop())
  const line = await proxy.createLine(new URL(world.clickhouse.address).host)
  const crew = new IngestorCrew(world.environment({ CLICKHOUSE_URL: `http://127.0.0.1:${line.port}` }))
  run.atEnd(() => crew.killAll())
  await crew.add(1)
  const [worker] = crew.members as [IngestorProcess]
  const sent = new SentEvents()
  const stopSending = new AbortController()
  run.atEnd(async () => stopSending.abort())
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: 10_000_000, sent, until: stopSending.signal })

  const findings: Finding[] = []
  const ways = [
    // A server that is down refuses at once; a black hole is found out at the deadline of an insert.
    ['down', 0, () => world.clickhouse.kill(), () => world.clickhouse.restart()],
    ['a black hole', INSERT_DEADLINE_MS, () => line.blackHole(), () => line.mend()],
  ] as const
  for (const [way, foundOutMs, goAway, comeBack] of ways) {
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
    const before = { memory: await worker.residentMiB(), pauses: worker.logged(PAUSED) }
    await goAway()
    run.tell(`ClickHouse is ${way}`)
    // The short form ends before an insert into a black hole does.
    const isFoundOut = foundOutMs < goneMs
    const pausedMs = isFoundOut ? await waitUntil('the worker pauses', 60_000, async () => worker.logged(PAUSED) > before.pauses) : 0
    const largest = await largestMemory(worker, goneMs - pausedMs)
    await comeBack()
    const owed = sent.acknowledged
    const caughtUpMs = await waitUntil(`the stores have the ${owed} events that were sent meanwhile`, 240_000, async () => Math.min(...(await countRows(world))) >= owed)
    findings.push(
      ...(isFoundOut ? [atMost(`${way}: paused after`, pausedMs / 1000, { goal: foundOutMs / 1000 + 2, failsAbove: foundOutMs / 1000 + 30, unit: 's' })] : []),
      atMost(`${way}: more memory`, largest - before.memory, { goal: 64, failsAbove: 160, unit: 'MiB' }),
      atMost(`${way}: caught up after`, caughtUpMs / 1000, { goal: 60, failsAbove: 180, unit: 's' }),
    )
  }
  stopSending.abort()
  await producing
  await waitUntilStored(world, sent, 240_000)
  return [...findings, mustBe('workers that ended by themselves', worker.logged('"level":60'), 0), ...(await judgeStores(world, sent))]
}

async function largestMemory(worker: IngestorProcess, spanMs: number): Promise<number> {
  const end = performance.now() + spanMs
  let largest = await worker.residentMiB()
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    largest = Math.max(largest, await worker.residentMiB())
  }
  return largest
}
