import { join } from 'node:path'
import { type AnalyticsService, createAccessControl, createAdapter } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'

const FULL = { seconds: 60, rows: 500_000 }
const SHORT = { seconds: 9, rows: 500_000 }
const HOSTILE = 10
/** The good tenant asks a few times a second: far less than an eleventh of what the server can do. */
const PAUSE_MS = 200

/** The good tenant's question: what a page shows. */
const PAGE = 'SELECT origin, count() AS flights, avg(delay) AS delay FROM flights GROUP BY origin ORDER BY origin LIMIT 10'
/** What a hostile one asks: as much as it may, again and again. */
const HEAVY = 'SELECT a.origin, uniqExact(a.id, b.n), quantiles(0.1, 0.5, 0.9)(sipHash64(a.id, b.n)) FROM flights AS a CROSS JOIN (SELECT number AS n FROM numbers(20)) AS b GROUP BY a.origin'

/** Ten tenants who ask all that they may, beside one who asks for a page now and then: its answers are as quick as without them. */
export async function noisyTenants(run: FaultRun): Promise<readonly Finding[]> {
  const { seconds, rows } = run.isShort ? SHORT : FULL
  const { service, prepare } = await open(run)
  await prepare(rows)
  await askFor(service, 2)

  const before = await askFor(service, seconds / 3)
  const hostile = new AbortController()
  const counts = { answered: 0, refused: 0 }
  const crowd = Array.from({ length: HOSTILE }, (_, index) => keepAsking(service, `hostile-${index}`, hostile.signal, counts))
  await askFor(service, 2)
  const beside = await askFor(service, seconds)
  hostile.abort()
  await Promise.all(crowd)
  const after = await askFor(service, seconds / 3)

  // The machine's own ups and downs are in both halves of being alone.
  const alone = [...before.times, ...after.times]
  run.tell(`alone: p50 ${quantile(alone, 0.5)} ms, p99 ${quantile(alone, 0.99)} ms of ${alone.length}; beside ${HOSTILE} hostile: p50 ${quantile(beside.times, 0.5)} ms, p99 ${quantile(beside.times, 0.99)} ms of ${beside.times.length}`)
  run.tell(`the hostile ones had ${counts.answered} answers and ${counts.refused} refusals`)
  return [
    atMost('p99 of the good tenant beside ten hostile ones, against its p99 alone', quantile(beside.times, 0.99) / quantile(alone, 0.99), { goal: 2, failsAbove: 3, unit: '×' }),
    mustBe('failures of the good tenant', before.failed + beside.failed + after.failed, 0),
    mustBe('the hostile ones were answered, too', counts.answered > 0, true),
  ]
}

async function open(run: FaultRun): Promise<{ service: AnalyticsService; prepare: (rows: number) => Promise<void> }> {
  const access = createAccessControl({
    database: 'app',
    levels: {
      tenants: {
        user: 'tenants',
        password: 'only-for-this-run',
        roles: ['analyst'],
        tables: { flights: { tenantColumn: 'tenant' } },
        limits: { maxThreads: 1, maxExecutionSeconds: 5, niceness: 0 },
        share: { maxConcurrent: 4, maxQueued: 8, maxWaitMs: 2000 },
        quota: { windowSeconds: 10, maxServerMs: 4000 },
      },
    },
  })
  const server = await startClickHouse({ dataDir: join(run.folder, 'clickhouse'), database: 'app', users: access.embeddedUsers() })
  run.atEnd(() => server.stop())
  const owner = createAdapter({ url: server.url, database: 'app', user: server.owner.username, password: server.owner.password, requestTimeoutMs: 120_000 })
  run.atEnd(() => owner.close())
  const service = await access.openAnalytics({ connection: { url: server.url, database: 'app', maxConnections: 32 }, cache: false, turns: { maxConcurrent: 2, reserved: 1 } })
  run.atEnd(() => service.close())
  const prepare = async (rows: number): Promise<void> => {
    await owner.execute('CREATE TABLE flights (tenant LowCardinality(String), id UInt64, origin LowCardinality(String), delay Int32) ENGINE = MergeTree ORDER BY (tenant, id)')
    await owner.execute(`INSERT INTO flights SELECT if(number % 20 = 0, 'good', concat('hostile-', toString(number % ${HOSTILE}))), number, concat('o', toString(number % 50)), number % 300 FROM numbers(${rows})`)
  }
  return { service, prepare }
}

async function askFor(service: AnalyticsService, seconds: number): Promise<{ times: number[]; failed: number }> {
  const times: number[] = []
  let failed = 0
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    const startedAt = performance.now()
    await service.executeAnalyticsQuery({ query: PAGE, options: { level: 'tenants', tenant: 'good', cache: false } }).catch(() => (failed += 1))
    times.push(performance.now() - startedAt)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  return { times, failed }
}

/** Four at once, at any time; after a refusal again at once. */
async function keepAsking(service: AnalyticsService, tenant: string, signal: AbortSignal, counts: { answered: number; refused: number }): Promise<void> {
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      await service.executeAnalyticsQuery({ query: HEAVY, options: { level: 'tenants', tenant, cache: false, signal } }).then(
        () => (counts.answered += 1),
        () => (counts.refused += 1),
      )
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((one, other) => one - other)
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) / 10
}
