import { type BalancedAdapter, createAdapter, type QueryOptions } from '@smart-whale/clickhouse'
import { type ManagedClickHouse, startManagedClickHouse } from '../../../services/src/index.ts'
import { askClickHouse, type ClickHouseAddress, runInClickHouse } from '../count-stored.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SteadyInserts } from '../steady-inserts.ts'
import { SteadyReads } from '../steady-reads.ts'
import { waitUntil } from '../wait-until.ts'

const FULL = { kills: 30, hangs: 3, rate: 200, unwanted: 500, requestTimeoutMs: 2000, timesAsSlow: 1 }
// Beside other tests there is not the whole machine for it: what goes to another server in time is told from what waits for a deadline.
const SHORT: typeof FULL = { kills: 2, hangs: 1, rate: 100, unwanted: 60, requestTimeoutMs: 30_000, timesAsSlow: 10 }
const KILL_EVERY_MS = 2000
const HANG_MS = 1500
const KNOWN_WITHIN_MS = 60_000
const WHEN_ALL_ARE_DOWN = 200
const UNWANTED_AT_ONCE = 40
const UNWANTED = 'nobody_waits'
const TABLE = 'kept_once'
const INSERT_RATE = 10

/** Three servers that answer the same questions: asked what nobody waits for, killed one after another, then hung, then all gone. */
export async function clickhouseServers(run: FaultRun): Promise<readonly Finding[]> {
  const length = run.isShort ? SHORT : FULL
  const members = await Promise.all([1, 2, 3].map(() => startManagedClickHouse()))
  run.atEnd(() => Promise.all(members.map((member) => member.stop())))
  const servers = members.map(({ url, owner }) => ({ host: '127.0.0.1', port: Number(new URL(url).port), user: owner.username, password: owner.password }))
  const open = (): BalancedAdapter => {
    const adapter = createAdapter({ servers, requestTimeoutMs: length.requestTimeoutMs }) as BalancedAdapter
    run.atEnd(() => adapter.close())
    return adapter
  }
  const [adapter, other] = [open(), open()]
  await adapter.connect()
  for (const member of members) await runInClickHouse(loginOf(member), `CREATE TABLE ${TABLE} (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 10000`)
  const memberAt = (index: number): ManagedClickHouse => members[(index + run.seed) % members.length] as ManagedClickHouse

  return [
    ...(await unwantedQueries(run, adapter, members, length)),
    ...(await underKills(run, [adapter, other], memberAt, length)),
    ...(await underHangs(run, adapter, memberAt, length)),
    ...(await withAllDown(run, adapter, members, length)),
  ]
}

type MemberAt = (index: number) => ManagedClickHouse

/** Long queries, of which half are given up by their callers and half by their deadlines. */
async function unwantedQueries(run: FaultRun, adapter: BalancedAdapter, members: readonly ManagedClickHouse[], { unwanted, timesAsSlow }: typeof FULL): Promise<Finding[]> {
  const random = new SeededChoices(run.seed)
  const lateMs: number[] = []
  const otherEnds: string[] = []
  const giveUpOne = async (isAborted: boolean): Promise<void> => {
    const afterMs = 100 + random.below(500)
    const begun = performance.now()
    const bounds = isAborted ? { timeoutMs: 60_000, signal: AbortSignal.timeout(afterMs) } : { timeoutMs: afterMs }
    const code = await codeOf(adapter, `SELECT sleepEachRow(0.05) AS ${UNWANTED} FROM numbers(1200) SETTINGS max_block_size = 1`, bounds)
    lateMs.push(performance.now() - begun - afterMs)
    if (code !== (isAborted ? 'ERR_ABORTED' : 'ERR_CLICKHOUSE_QUERY_TIMEOUT')) otherEnds.push(String(code))
  }
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < unwanted) await giveUpOne(next++ % 2 === 0)
  }
  await Promise.all(Array.from({ length: UNWANTED_AT_ONCE }, worker))
  const ended = performance.now()
  let left = Infinity
  do {
    await pause(1000)
    left = await stillRunning(members)
  } while (left > 0 && performance.now() - ended < 1000 * timesAsSlow)
  lateMs.sort((one, other) => one - other)
  for (const code of new Set(otherEnds)) run.tell(`ended otherwise: ${code}`)
  run.tell(`${unwanted} queries given up: heard of it ${Math.round(lateMs[lateMs.length >> 1] ?? Infinity)} ms later (median)`)
  return [
    mustBe('queries that ended otherwise than by deadline or abort', otherEnds.length, 0),
    atMost('longest from deadline or abort to the answer', lateMs.at(-1) ?? Infinity, { goal: 250, failsAbove: 1000 * timesAsSlow, unit: 'ms' }),
    mustBe(`queries of ${unwanted} that still run ${timesAsSlow} s later`, left, 0),
  ]
}

async function stillRunning(members: readonly ManagedClickHouse[]): Promise<number> {
  const counts = await Promise.all(members.map((member) => askClickHouse(loginOf(member), `SELECT count() FROM system.processes WHERE query LIKE '%${UNWANTED}%' AND query NOT LIKE '%processes%'`)))
  return counts.reduce((sum, rows) => sum + Number(rows[0]?.[0]), 0)
}

async function underKills(run: FaultRun, adapters: readonly [BalancedAdapter, BalancedAdapter], memberAt: MemberAt, { kills, rate, timesAsSlow }: typeof FULL): Promise<Finding[]> {
  const reads = new SteadyReads(adapters[0], rate)
  const inserts = new SteadyInserts(adapters, TABLE, INSERT_RATE)
  const returns: { readonly server: string; readonly atMs: number }[] = []
  const restarts: Promise<void>[] = []
  await pause(500)
  for (let kill = 0; kill < kills; kill++) {
    const member = memberAt(kill)
    await restarts[kill - 3]
    await member.kill()
    restarts.push(member.restart().then(() => void returns.push({ server: new URL(member.url).host, atMs: performance.now() })))
    await pause(KILL_EVERY_MS)
    if ((kill + 1) % 5 === 0) run.tell(`${kill + 1} kills, ${reads.done.length} reads, ${reads.failures().length} failed`)
  }
  await Promise.all(restarts)
  await pause(1500)
  await Promise.all([reads.stop(), inserts.stop(60_000)])
  tellFailures(run, reads)
  const stored = await storedIds([memberAt(0), memberAt(1), memberAt(2)])
  run.tell(`${inserts.rows} rows under tokens, ${inserts.repeats} batches sent again`)
  const evenAfterMs = returns.map(({ server, atMs }) => reads.msUntilEven(server, atMs, 3)).filter((ms) => ms !== undefined)
  const shares = reads.sharesOfLast(1000)
  run.tell(`${reads.done.length} reads, p50 ${Math.round(reads.quantile(0.5))} ms, p99 ${Math.round(reads.quantile(0.99))} ms; shares at the end ${[...shares.values()].map((share) => `${Math.round(share * 100)} %`).join(', ')}`)
  return [
    mustBe(`reads that failed, of ${reads.done.length}, under ${kills} kills`, reads.failures().length, 0),
    atMost('slowest read under kills', reads.quantile(1), { goal: 500, failsAbove: 2000 * timesAsSlow, unit: 'ms' }),
    mustBe('servers that took up their load again, of those that came back', evenAfterMs.length >= kills - 1, true),
    atMost('load even again after a return, at the latest', Math.max(...evenAfterMs) / 1000, { goal: 5, failsAbove: 5 * timesAsSlow, unit: 's' }),
    mustBe(`rows under tokens that are lost, of ${inserts.rows}`, inserts.rows - new Set(stored).size, 0),
    mustBe('rows under tokens that are stored twice, on one server or on two', stored.length - new Set(stored).size, 0),
    atMost('most that a server has of the load at the end, against a third', Math.max(...shares.values()) * 3, { goal: 1.25, failsAbove: timesAsSlow > 1 ? 2.5 : 1.6, unit: '×' }),
  ]
}

/** What the servers hold together. */
async function storedIds(members: readonly ManagedClickHouse[]): Promise<string[]> {
  const rows = await Promise.all(members.map((member) => askClickHouse(loginOf(member), `SELECT id FROM ${TABLE}`)))
  return rows.flat(2)
}

async function underHangs(run: FaultRun, adapter: BalancedAdapter, memberAt: MemberAt, { hangs, rate, timesAsSlow }: typeof FULL): Promise<Finding[]> {
  const reads = new SteadyReads(adapter, rate)
  for (let hang = 0; hang < hangs; hang++) {
    await pause(500)
    memberAt(hang).pause()
    await pause(HANG_MS)
    memberAt(hang).resume()
    await waitUntil('a server that hung is let back', KNOWN_WITHIN_MS, async () => adapter.getStats().every(({ isUp }) => isUp))
  }
  await reads.stop()
  tellFailures(run, reads)
  run.tell(`${reads.done.length} reads under hangs, p50 ${Math.round(reads.quantile(0.5))} ms, p99 ${Math.round(reads.quantile(0.99))} ms`)
  return [
    mustBe(`reads that failed, of ${reads.done.length}, while a server hung`, reads.failures().length, 0),
    atMost('slowest read while a server hung', reads.quantile(1), { goal: 1500, failsAbove: 2000 * timesAsSlow, unit: 'ms' }),
  ]
}

async function withAllDown(run: FaultRun, adapter: BalancedAdapter, members: readonly ManagedClickHouse[], { timesAsSlow }: typeof FULL): Promise<Finding[]> {
  await Promise.all(members.map((member) => member.kill()))
  await waitUntil('all are known to be down', KNOWN_WITHIN_MS, async () => (await codeOf(adapter)) === 'ERR_CLICKHOUSE_CIRCUIT_OPEN')
  const took: number[] = []
  for (let call = 0; call < WHEN_ALL_ARE_DOWN; call++) {
    const begun = performance.now()
    await codeOf(adapter)
    took.push(performance.now() - begun)
    if (call % 20 === 0) await pause(20)
  }
  took.sort((one, other) => one - other)
  const [first, ...others] = members.map((member) => member.restart())
  await first
  const returned = performance.now()
  while ((await codeOf(adapter)) !== undefined && performance.now() - returned < KNOWN_WITHIN_MS) await pause(10)
  const backMs = performance.now() - returned
  await Promise.all(others)
  run.tell(`all down: refused in ${took[took.length >> 1]?.toFixed(2)} ms (median), ${took.at(-1)?.toFixed(2)} ms at most`)
  return [
    atMost('all down: refused within, 99 of 100', took[Math.floor(took.length * 0.99) - 1] ?? Infinity, { goal: 5, failsAbove: 20 * timesAsSlow, unit: 'ms' }),
    atMost('all down: reads answered again after the first return', backMs / 1000, { goal: 2, failsAbove: 2 * timesAsSlow, unit: 's' }),
  ]
}

/** The code of the error that a read fails with; undefined when it is answered. */
async function codeOf(adapter: BalancedAdapter, query = 'SELECT 1', options: QueryOptions = {}): Promise<string | undefined> {
  return adapter.execute(query, {}, options).then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code ?? 'unknown',
  )
}

function tellFailures(run: FaultRun, reads: SteadyReads): void {
  for (const { error, tookMs } of reads.failures().slice(0, 5)) run.tell(`failed after ${Math.round(tookMs)} ms: ${String(error)}`)
}

const loginOf = ({ url, owner }: ManagedClickHouse): ClickHouseAddress => ({ url, user: owner.username, password: owner.password, database: 'default' })

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
