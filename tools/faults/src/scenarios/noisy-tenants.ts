import { loadavg } from 'node:os'
import { join } from 'node:path'
import { type AnalyticsService, type ClickHouseAdapter, createAccessControl, createAdapter } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'

const FULL = { rounds: 3, seconds: 20, rows: 500_000 }
const SHORT = { rounds: 1, seconds: 9, rows: 500_000 }
const HOSTILE = 10
/** The good tenant asks a few times a second: far less than an eleventh of what the server can do. */
const PAUSE_MS = 200

/** The good tenant's question: what a page shows. */
const PAGE = 'SELECT origin, count() AS flights, avg(delay) AS delay FROM flights GROUP BY origin ORDER BY origin LIMIT 10'
/** What a hostile one asks: as much as it may, again and again. */
const HEAVY = 'SELECT a.origin, uniqExact(a.id, b.n), quantiles(0.1, 0.5, 0.9)(sipHash64(a.id, b.n)) FROM flights AS a CROSS JOIN (SELECT number AS n FROM numbers(20)) AS b GROUP BY a.origin'

/** Ten tenants who ask all that they may, beside one who asks for a page now and then: its answers are as quick as without them. */
export async function noisyTenants(run: FaultRun): Promise<readonly Finding[]> {
  const { rounds, seconds, rows } = run.isShort ? SHORT : FULL
  const { service, prepare, waitedForProcessor } = await open(run)
  await prepare(rows)
  await askFor(service, 2)

  // In turns, and alone at both ends: the machine's own ups and downs are in both.
  const counts = { answered: 0, refused: 0 }
  const [alone, beside] = [await askFor(service, seconds / 2), { times: [], failed: 0 } as Asked]
  for (let round = 1; round <= rounds; round++) {
    await besideCrowd(service, counts, async () => add(beside, await askFor(service, seconds)))
    add(alone, await askFor(service, seconds / 2))
    run.tell(`round ${round}: alone ${told(alone)}; beside ${HOSTILE} hostile ones ${told(beside)}; load of the machine ${loadavg()[0]?.toFixed(1)}`)
  }
  run.tell(`the hostile ones had ${counts.answered} answers and ${counts.refused} refusals; ${await waitedForProcessor()}`)
  return [
    atMost('p99 of the good tenant beside ten hostile ones, against its p99 alone', quantile(beside.times, 0.99) / quantile(alone.times, 0.99), { goal: 2, failsAbove: 3, unit: '×' }),
    mustBe('failures of the good tenant', alone.failed + beside.failed, 0),
    mustBe('the hostile ones were answered, too', counts.answered > 0, true),
  ]
}

interface Asked {
  times: number[]
  failed: number
}

function add(sum: Asked, { times, failed }: Asked): void {
  sum.times.push(...times)
  sum.failed += failed
}

const told = ({ times }: Asked): string => `p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms of ${times.length}`

async function besideCrowd(service: AnalyticsService, counts: { answered: number; refused: number }, work: () => Promise<void>): Promise<void> {
  const ends = new AbortController()
  const crowd = Array.from({ length: HOSTILE }, (_, index) => keepAsking(service, `hostile-${index}`, ends.signal, counts))
  try {
    await work()
  } finally {
    ends.abort()
    await Promise.all(crowd)
  }
}

interface Opened {
  readonly service: AnalyticsService
  readonly prepare: (rows: number) => Promise<void>
  /** How long the good tenant's queries waited for a processor, as the server counts it. */
  readonly waitedForProcessor: () => Promise<string>
}

async function open(run: FaultRun): Promise<Opened> {
  const access = createAccessControl({
    database: 'app',
    levels: {
      tenants: {
        user: 'tenants',
        password: 'only-for-this-run',
        roles: ['analyst'],
        tables: { flights: { tenantColumn: 'tenant' } },
        limits: { maxThreads: 1, maxExecutionSeconds: 5 },
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
  return { service, prepare, waitedForProcessor: () => processorWaits(owner) }
}

async function processorWaits(owner: ClickHouseAdapter): Promise<string> {
  await owner.execute('SYSTEM FLUSH LOGS')
  const { rows } = await owner.execute<Record<'p50' | 'p99', number>>(
    `SELECT quantileExact(0.5)(waited) AS p50, quantileExact(0.99)(waited) AS p99 FROM (SELECT toFloat64(ProfileEvents['OSCPUWaitMicroseconds']) / 1000 AS waited FROM system.query_log WHERE type = 'QueryFinish' AND query LIKE 'SELECT origin, count()%')`,
  )
  return `all in all, the good one's queries waited for a processor p50 ${rows[0]?.p50.toFixed(1)} ms, p99 ${rows[0]?.p99.toFixed(1)} ms`
}

async function askFor(service: AnalyticsService, seconds: number): Promise<Asked> {
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
