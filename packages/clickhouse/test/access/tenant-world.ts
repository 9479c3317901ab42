import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createL1Cache } from '@smart-whale/core-cache'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { startClickHouse, type EmbeddedClickHouse } from '../../src/embedded/index.ts'
import { analyticsRoutes } from '../../src/fastify/index.ts'
import { createGraphqlLayer, registerGraphql } from '../../src/graphql/index.ts'
import { type AccessControl, type AnalyticsService, type ClickHouseAdapter, createAccessControl, createAdapter, type TrustLevel } from '../../src/index.ts'
import type { AbuseAnswer, AbusePlaces } from '../../src/access/testing.ts'

/** Rows of each tenant: numbers that occur nowhere else. */
export const ROWS = { acme: 7, beta: 4231 } as const
export const FOREIGN_CANARY = 'secret-of-beta'
export const OTHER_CANARY = 'canary-of-other'
export const FILE_CANARY = 'canary-in-a-file'

const limits = { maxExecutionSeconds: 1, maxMemoryBytes: 200_000_000, maxRowsToRead: 2_000_000, maxResultRows: 10_000 }

export const LEVELS = {
  tenants: {
    user: 'tenant_reader',
    password: 'only-for-tests',
    roles: ['analyst'],
    tables: { flights: { tenantColumn: 'tenant' }, by_day: { tenantColumn: 'tenant' }, accounts: { tenantColumn: 'owner_id', tenantType: 'UInt64' }, airports: { shared: true, columns: ['code'] }, late: { tenantColumn: 'tenant' } },
    limits,
  },
  frugal: {
    user: 'frugal_reader',
    password: 'only-for-tests-too',
    roles: ['frugal'],
    tables: { flights: { tenantColumn: 'tenant' } },
    limits,
    quota: { maxQueries: 3, windowSeconds: 3600 },
    budget: { maxEstimatedRows: 100 },
  },
  staff: { user: 'staff_reader', password: 'only-for-staff', roles: ['staff'], tables: { flights: { shared: true } }, budget: { maxEstimatedRows: 1000 } },
} satisfies Record<string, TrustLevel>

/** A server with rows of two tenants, and the interfaces over it. Who asks stands in two headers: the tests' stand-in for a token. */
export interface TenantWorld {
  readonly server: EmbeddedClickHouse
  readonly owner: ClickHouseAdapter
  readonly access: AccessControl
  readonly service: AnalyticsService
  readonly app: FastifyInstance
  readonly places: AbusePlaces
  /** Connections that came to the port of {@link AbusePlaces}. */
  readonly rings: () => number
  /** Adapter that logs in as a level's user. */
  connect(level: keyof typeof LEVELS): ClickHouseAdapter
  close(): Promise<void>
}

export async function startTenantWorld(): Promise<TenantWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'tenants-'))
  const file = join(folder, 'secret.txt')
  await writeFile(file, FILE_CANARY)
  const access = createAccessControl({ database: 'app', levels: LEVELS })
  const server = await startClickHouse({ dataDir: join(folder, 'clickhouse'), database: 'app', users: access.embeddedUsers() })
  const owner = createAdapter({ url: server.url, database: 'app', user: server.owner.username, password: server.owner.password })
  const opened: ClickHouseAdapter[] = [owner]
  await fill(owner)
  const cache = createL1Cache()
  const service = await access.openAnalytics({ connection: { url: server.url, database: 'app' }, cache, analytics: { catalogue: owner, writer: owner } })
  const app = await serve(access, service)
  let rings = 0
  const bell = await listen(() => (rings += 1))
  return {
    server,
    owner,
    access,
    service,
    app,
    rings: () => rings,
    places: { table: 'flights', other: 'elsewhere.secrets', foreign: 'beta', file, port: String((bell.address() as { port: number }).port), user: LEVELS.tenants.user },
    connect: (level) => {
      const adapter = createAdapter({ url: server.url, database: 'app', user: LEVELS[level].user, password: LEVELS[level].password })
      opened.push(adapter)
      return adapter
    },
    close: async () => {
      await app.close()
      await service.close()
      await Promise.all(opened.map((adapter) => adapter.close()))
      await new Promise((resolve) => bell.close(resolve))
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function fill(owner: ClickHouseAdapter): Promise<void> {
  for (const statement of [
    'CREATE DATABASE elsewhere',
    'CREATE TABLE elsewhere.secrets (canary String) ENGINE = MergeTree ORDER BY canary',
    `INSERT INTO elsewhere.secrets SELECT '${OTHER_CANARY}'`,
    'CREATE TABLE flights (tenant String, id UInt64, secret String, delay Int32, PROJECTION totals (SELECT tenant, count(), min(secret), max(secret) GROUP BY tenant)) ENGINE = MergeTree ORDER BY (tenant, id) SETTINGS index_granularity = 64',
    'CREATE TABLE by_day (tenant String, day Date, flights AggregateFunction(count)) ENGINE = AggregatingMergeTree ORDER BY (tenant, day)',
    "CREATE MATERIALIZED VIEW to_by_day TO by_day AS SELECT tenant, toDate('2026-01-01') + id % 5 AS day, countState() AS flights FROM flights GROUP BY tenant, day",
    'CREATE TABLE accounts (owner_id UInt64, name String) ENGINE = MergeTree ORDER BY owner_id',
    "INSERT INTO accounts VALUES (1, 'one'), (2, 'two')",
    'CREATE TABLE airports (code String, hidden String) ENGINE = MergeTree ORDER BY code',
    `INSERT INTO airports VALUES ('SFO', '${OTHER_CANARY}')`,
    'CREATE VIEW late AS SELECT tenant, id FROM flights WHERE delay > 2',
    `INSERT INTO flights SELECT 'acme', number, concat('mine-', toString(number)), number FROM numbers(${ROWS.acme})`,
    `INSERT INTO flights SELECT 'beta', number, concat('${FOREIGN_CANARY}-', toString(number)), number FROM numbers(${ROWS.beta})`,
    `INSERT INTO flights SELECT '', number, '${FOREIGN_CANARY}-nobody', number FROM numbers(11)`,
  ]) {
    await owner.execute(statement)
  }
}

async function serve(access: AccessControl, analyticsService: AnalyticsService): Promise<FastifyInstance> {
  const app = Fastify()
  const readerOf = ({ headers }: FastifyRequest) => {
    const { 'x-role': role, 'x-tenant': tenant } = headers
    return access.readerOf({ roles: [String(role)], ...(typeof tenant === 'string' ? { tenant } : {}) })
  }
  await app.register(analyticsRoutes, { analyticsService, readerOf })
  await registerGraphql(app, { layer: createGraphqlLayer({ analyticsService }), readerOf })
  return app
}

function listen(onRing: () => void): Promise<Server> {
  const bell = createServer((socket) => {
    onRing()
    socket.destroy()
  })
  return new Promise((resolve) => bell.listen(0, '127.0.0.1', () => resolve(bell)))
}

/** Who asks, as headers. */
export const as = (role: string, tenant?: string): Record<string, string> => ({ 'x-role': role, ...(tenant === undefined ? {} : { 'x-tenant': tenant }) })

/** Asks over REST. */
export async function askRest(app: FastifyInstance, headers: Record<string, string>, query: string, params?: Readonly<Record<string, unknown>>): Promise<AbuseAnswer> {
  const answer = await app.inject({ method: 'POST', url: '/analytics', headers, payload: { query, ...(params === undefined ? {} : { params }), options: { cache: false } } })
  const body = answer.json() as { data?: unknown; code?: string; detail?: string }
  if (answer.statusCode >= 500) return { answered: false, data: '', code: `${answer.statusCode} ${body.code}`, message: answer.body }
  return answer.statusCode === 200 ? { answered: true, data: JSON.stringify(body.data) } : { answered: false, data: '', code: body.code, message: answer.body }
}

/** Asks over REST for a file, which no cache and no list of rows stands before. */
export async function askFile(app: FastifyInstance, headers: Record<string, string>, query: string, params?: Readonly<Record<string, unknown>>): Promise<AbuseAnswer> {
  const payload = { query, ...(params === undefined ? {} : { params }) }
  const answer = await app.inject({ method: 'POST', url: '/analytics', headers: { ...headers, accept: 'application/x-ndjson' }, payload }).catch((error: Error) => error)
  // It began, and was broken off.
  if (answer instanceof Error) return { answered: false, data: '', code: 'ERR_BROKEN_OFF', message: answer.message }
  if (answer.statusCode === 200) return { answered: true, data: answer.body }
  const { code } = answer.json() as { code?: string }
  return { answered: false, data: '', code: answer.statusCode >= 500 ? `${answer.statusCode} ${code}` : code, message: answer.body }
}

const DOCUMENT = 'query ($sql: String!, $params: JSON) { analytics(query: $sql, params: $params, options: { cache: false }) { data } }'

/** Asks over GraphQL. */
export async function askGraphql(app: FastifyInstance, headers: Record<string, string>, query: string, params?: Readonly<Record<string, unknown>>): Promise<AbuseAnswer> {
  const answer = await app.inject({ method: 'POST', url: '/graphql', headers, payload: { query: DOCUMENT, variables: { sql: query, ...(params === undefined ? {} : { params }) } } })
  const { data, errors } = answer.json() as { data?: { analytics?: { data: unknown } } | null; errors?: { message: string; extensions: { code: string } }[] }
  if (errors !== undefined) return { answered: false, data: '', code: errors[0]?.extensions.code, message: JSON.stringify(errors) }
  return { answered: true, data: JSON.stringify(data?.analytics?.data) }
}
