import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { silentMetrics } from '@smart-whale/interfaces'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnalyticsQueryOptions, createAuditLogger, createEncryptionManager, type TrustedAnalytics } from '../../src/index.ts'
import { ABUSE_CASES, type AbuseSuiteOptions, checkIsolation, runAbuseSuite } from '../../src/access/testing.ts'
import { createGraphqlLayer } from '../../src/graphql/index.ts'
import { as, askFile, askGraphql, askRest, FILE_CANARY, FOREIGN_CANARY, OTHER_CANARY, ROWS, startTenantWorld, type TenantWorld } from './tenant-world.ts'

let world: TenantWorld

beforeAll(async () => {
  world = await startTenantWorld()
})
afterAll(() => world?.close())

const ACME = as('analyst', 'acme')

describe('the abuse suite', () => {
  it.each([
    ['REST', askRest],
    ['REST, as a file', askFile],
    ['GraphQL', askGraphql],
  ])('reaches nothing over %s', async (_name, ask) => {
    const foreignRows = [ROWS.beta, ROWS.beta + ROWS.acme, ROWS.beta + ROWS.acme + 11]
    const options: AbuseSuiteOptions = {
      ask: (query, params) => ask(world.app, ACME, query, params),
      places: world.places,
      // What is to exhaust the server does so by either way: once is enough.
      cases: ask === askRest ? ABUSE_CASES : ABUSE_CASES.filter(({ category }) => category !== 'exhaustion'),
      canaries: [FOREIGN_CANARY, OTHER_CANARY, FILE_CANARY],
      foreignValues: ['beta', ...foreignRows.map(String)],
      secrets: [hostname(), '26.7', `:${world.server.port}`, 'tenant_reader', world.server.url],
    }

    expect(await runAbuseSuite(options)).toEqual([])

    expect(world.rings()).toBe(0)
    expect(existsSync(`${world.places.file}.copy`)).toBe(false)
    const { rows } = await world.owner.execute('SELECT count() AS n FROM flights')
    expect(rows).toEqual([{ n: BigInt(ROWS.acme + ROWS.beta + 11) }])
  })

  it('covers every category by several cases', () => {
    const counts = Map.groupBy(ABUSE_CASES, ({ category }) => category)
    expect([...counts.values()].every((cases) => cases.length >= 5)).toBe(true)
    expect(counts.size).toBe(13)
  })
})

const TABLES = [
  { table: 'flights', tenantColumn: 'tenant' },
  { table: 'by_day', tenantColumn: 'tenant' },
  { table: 'late', tenantColumn: 'tenant' },
]

describe('checkIsolation', () => {
  it('finds nothing where the levels hold', async () => {
    const adapterFor = (tenant: string | undefined) => async (query: string, params?: Readonly<Record<string, unknown>>) =>
      (await world.service.executeAnalyticsQuery({ query, params, options: { level: 'tenants', tenant, cache: false } })).data

    const { findings, probes } = await checkIsolation({ owner: world.owner, tables: TABLES, tenants: ['acme', 'beta'], adapterFor })

    expect(findings.filter(({ table }) => table !== 'app.airports' && table !== 'app.accounts')).toEqual([])
    expect(probes).toBeGreaterThan(50)
  })

  it('finds a policy that is missing, and what row policies alone leave open', async () => {
    const staff = world.connect('staff')
    const tenants = world.connect('tenants')
    const open = (tenant: string | undefined) => async (query: string, params?: Readonly<Record<string, unknown>>) => (await staff.execute(query, params, { tenant })).rows
    const bare = (tenant: string | undefined) => async (query: string, params?: Readonly<Record<string, unknown>>) => (await tenants.execute(query, params, { tenant })).rows
    const check = async (adapterFor: typeof open) => (await checkIsolation({ owner: world.owner, tables: TABLES.slice(0, 1), tenants: ['acme', 'beta'], adapterFor })).findings.map(({ probe }) => probe)

    expect(await check(open)).toEqual(expect.arrayContaining(['count', 'rows of others', 'groups', 'join with itself', 'no tenant', 'table function merge']))
    const holes = new Set(await check(bare))
    expect(holes).toContain('estimate')
    expect(holes).toContain('hidden columns')
    expect(holes).not.toContain('rows of others')
  })
})

describe('a tenant', () => {
  const ask = (query: string, options: AnalyticsQueryOptions = {}) => world.service.executeAnalyticsQuery({ query, options: { level: 'tenants', tenant: 'acme', ...options } })

  it('reads its own rows of tables, rollups, views and shared tables, and is told no costs', async () => {
    const answers = await Promise.all([
      ask('SELECT count() AS n FROM flights'),
      ask('SELECT countMerge(flights) AS n FROM by_day'),
      ask('SELECT count() AS n FROM late'),
      ask('SELECT count() AS n FROM airports', {}),
      ask('SELECT name FROM accounts', { tenant: '2' }),
      ask("SELECT count() AS n FROM flights WHERE tenant = 'beta'", { tenant: 'beta' }),
    ])

    expect(answers.map(({ data }) => Object.values(data[0] ?? {})[0])).toEqual([7n, 7n, 4n, 1n, 'two', BigInt(ROWS.beta)])
    expect(answers.every(({ statistics }) => statistics === null)).toBe(true)
  })

  it('is never given an answer of another one, however they ask at once', async () => {
    const query = 'SELECT tenant, count() AS n FROM flights GROUP BY tenant'
    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => ask(query, { tenant: index % 2 === 0 ? 'acme' : 'beta' })))
    const again = await Promise.all(['beta', 'acme'].map((tenant) => ask(query, { tenant })))

    expect(answers.every(({ data }, index) => data[0]?.['tenant'] === (index % 2 === 0 ? 'acme' : 'beta') && data.length === 1)).toBe(true)
    expect(again.map(({ data, cache }) => [data[0]?.['tenant'], cache.status])).toEqual([['beta', 'hit'], ['acme', 'hit']])
  })

  it('is never given an answer of another one by a body that is the same to the byte, and none when it may not ask', async () => {
    const payload = JSON.stringify({ query: 'SELECT tenant, max(id) AS last FROM flights GROUP BY tenant' })
    const post = (headers: Record<string, string>) => world.app.inject({ method: 'POST', url: '/analytics', headers: { ...headers, 'content-type': 'application/json' }, payload })
    const callers = [as('analyst', 'acme'), as('analyst', 'beta'), as('analyst'), as('nobody', 'acme'), as('staff')]
    const rounds = [await Promise.all(callers.map(post)), await Promise.all(callers.map(post)), await Promise.all(callers.map(post))]

    for (const [acme, beta, nobody, stranger, staff] of rounds as (typeof rounds)[number][]) {
      const tenantsOf = (response: typeof acme): unknown[] => (response?.json() as { data: { tenant: string }[] }).data.map(({ tenant }) => tenant)
      expect([tenantsOf(acme), tenantsOf(beta)]).toEqual([['acme'], ['beta']])
      expect(acme?.json()).toMatchObject({ statistics: null })
      // The last one's budget is too small for the whole table: no kept answer of a smaller part is given instead.
      expect([nobody?.statusCode, stranger?.statusCode, staff?.statusCode]).toEqual([403, 403, 422])
    }
    expect(rounds[2]?.map((response) => (response.json() as { cache?: { status: string } }).cache?.status)).toEqual(['hit', 'hit', undefined, undefined, undefined])
  })

  it.each(['be%74a', 'beta,acme', "beta' OR 1=1 --", ' beta', 'BETA', 'beta\r\nX-Smart-Whale-Tenant: acme', '%', 'b\u00e9ta', '\u{1f40b}'])('called %j sees nothing of others', async (tenant) => {
    expect((await ask('SELECT count() AS n FROM flights', { tenant, cache: false })).data).toEqual([{ n: 0n }])
  })

  it('must have a name, and its level must be known', async () => {
    const refusals = [{ tenant: '' }, { tenant: undefined }, { level: undefined }, { level: 'root' }, { tenant: 'x'.repeat(300) }]
    for (const options of refusals) await expect(ask('SELECT 1', { cache: false, ...options })).rejects.toMatchObject({ status: expect.toSatisfy((status: number) => status === 403 || status === 400) as number })
  })

  it('sees the next insert, through the service, in every level', async () => {
    const query = 'SELECT max(id) AS n FROM flights'
    await ask(query)
    await world.service.insert('flights', [{ tenant: 'gamma', id: 1n, secret: '', delay: 0 }])

    expect((await ask(query, { tenant: 'gamma' })).data).toEqual([{ n: 1n }])
  })

  it('may neither look at the cache nor empty it', async () => {
    const stats = await world.app.inject({ url: '/analytics/cache/stats', headers: ACME })
    const emptied = await world.app.inject({ method: 'POST', url: '/analytics/cache/invalidate', headers: ACME, payload: {} })
    const graphql = await world.app.inject({ method: 'POST', url: '/graphql', headers: ACME, payload: { query: '{ cacheStats { hits } }' } })

    expect([stats.statusCode, emptied.statusCode]).toEqual([403, 403])
    expect(graphql.json()).toMatchObject({ errors: [{ extensions: { status: 403 } }] })
  })
})

describe('a budget', () => {
  it('refuses before running, and tells the estimate only to who may know it', async () => {
    const ask = (level: string, tenant?: string) => world.service.executeAnalyticsQuery({ query: 'SELECT sum(delay) FROM flights', options: { level, tenant, cache: false } })

    await expect(ask('staff')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BUDGET', status: 422, kind: 'rows', allowed: 1000, estimated: expect.toSatisfy((rows: number) => rows > 4000) as number })
    await expect(ask('frugal', 'beta')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BUDGET', estimated: undefined, message: expect.not.stringMatching(/4[0-9]{3}/) as string })
    expect((await ask('frugal', 'acme')).data).toHaveLength(1)
  })

  it('bounds what the queries of a GraphQL request would read together: what does not fit is not run, and a kept answer costs nothing', async () => {
    const graphql = createGraphqlLayer({ analyticsService: world.service, limits: { maxEstimatedRows: 600 } })
    const part = (from: number, mark: string): string => `SELECT sum(delay) AS d, '${mark}' AS mark FROM flights WHERE tenant = 'beta' AND id >= ${from} AND id < ${from + 300}`
    const ask = (marks: readonly string[], who: Record<string, string>) =>
      graphql.resolveQuery(`{ ${marks.map((mark, index) => `${mark}: analytics(query: ${JSON.stringify(part(index * 1000, mark))}) { data }`).join(' ')} }`, {}, who)

    const alone = await ask(['first'], { level: 'staff' })
    const refused = await ask(['other', 'more'], { level: 'staff' })
    const again = await ask(['first', 'third'], { level: 'staff' })
    const tenant = await ask(['mine', 'minetoo'], { level: 'tenants', tenant: 'beta' })
    await world.owner.execute('SYSTEM FLUSH LOGS')
    const { rows } = await world.owner.execute("SELECT count() AS n FROM system.query_log WHERE type = 'QueryFinish' AND query_kind = 'Select' AND (query LIKE '%\\'other\\' AS mark%' OR query LIKE '%\\'more\\' AS mark%')")

    expect([alone.errors, again.errors]).toEqual([undefined, undefined])
    expect(refused.errors).toMatchObject([{ message: expect.stringMatching(/would read \d{3} rows, \d{3} of them by this query; at most 600 /) as string, extensions: { code: 'ERR_CLICKHOUSE_BUDGET', status: 422 } }])
    expect(rows).toEqual([{ n: 1n }])
    expect(tenant.errors).toMatchObject([{ message: expect.stringContaining('would read more rows than they may; at most 600 ') as string }])
  })

  it.each([
    ['staff', undefined],
    ['frugal', 'acme'],
    ['tenants', 'acme'],
  ])('is looked up once for a query, whoever wants to know: at the level %s', async (level, tenant) => {
    const graphql = createGraphqlLayer({ analyticsService: world.service, limits: { maxEstimatedRows: 100_000 } })
    const mark = `once ${level}`
    const query = `SELECT '${mark}', sum(delay) FROM flights WHERE tenant = 'acme' AND id < 5`
    const countRuns = async () => {
      await world.owner.execute('SYSTEM FLUSH LOGS')
      const { rows } = await world.owner.execute('SELECT query_kind AS kind, count() AS n FROM system.query_log WHERE type = {type:String} AND position(query, {mark:String}) > 0 AND user != currentUser() GROUP BY kind ORDER BY kind', { type: 'QueryFinish', mark })
      return rows
    }

    const { errors } = await graphql.resolveQuery(`{ analytics(query: ${JSON.stringify(query)}, options: { cache: false }) { data } }`, {}, { level, tenant })

    expect(errors).toBeUndefined()
    expect(await countRuns()).toEqual([{ kind: 'Explain', n: 1n }, { kind: 'Select', n: 1n }])
  })

  it('leaves the place of a mistake where it is in the query', async () => {
    const refusal = await world.service.executeAnalyticsQuery({ query: 'SELECT 1,\n 2)', options: { level: 'staff', cache: false } }).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX', position: { line: 2 } })
  })
})

describe('who asks for more than its share', () => {
  const rankOf = async (queryId: string): Promise<string> => {
    await world.owner.execute('SYSTEM FLUSH LOGS')
    const { rows } = await world.owner.execute<{ rank: string }>("SELECT Settings['os_threads_nice_value_query'] AS rank FROM system.query_log WHERE type = 'QueryFinish' AND query_id = {queryId:String}", { queryId })
    return rows[0]?.rank ?? 'not logged'
  }

  it('yields to others on the server, and no request can say that others yield to it', async () => {
    const service = await world.access.openAnalytics({ connection: { url: world.server.url, database: 'app' }, cache: false, turns: { shortMs: 1_000 } })
    const ask = async (query: string, tenant: string): Promise<string> => String((await service.executeAnalyticsQuery({ query, options: { level: 'tenants', tenant } })).queryId)
    // Nothing is known of somebody who asks for the first time.
    const [unknown, known] = [await ask('SELECT count() FROM flights', 'acme'), await ask('SELECT count() FROM flights', 'acme')]
    const reader = world.connect('tenants')

    expect([await rankOf(unknown), await rankOf(known)]).toEqual(['10', ''])
    await expect(reader.execute('SELECT 1', {}, { settings: { os_threads_nice_value_query: -5 } })).rejects.toMatchObject({ serverCodeName: 'SETTING_CONSTRAINT_VIOLATION' })
    await expect(reader.execute('SELECT 1', {}, { settings: { max_threads: 8 } })).rejects.toMatchObject({ serverCodeName: 'READONLY' })
    await service.close()
  })
})

describe('a quota', () => {
  it('that is spent gives the last answer, marked, or says when to come back', async () => {
    const ask = (query: string) => world.app.inject({ method: 'POST', url: '/analytics', headers: as('frugal', 'spender'), payload: { query, options: { cache: false } } })
    const known = 'SELECT count() AS n FROM flights'
    for (const query of [known, 'SELECT 1', 'SELECT 2']) expect((await ask(query)).statusCode).toBe(200)

    const degraded = await ask(known)
    const refused = await ask('SELECT 3')
    const other = await world.app.inject({ method: 'POST', url: '/analytics', headers: as('frugal', 'other'), payload: { query: 'SELECT 3' } })

    expect(degraded.json()).toMatchObject({ data: [{ n: '0' }], cache: { status: 'stale' }, degraded: { quota: 'queries', retryAfterMs: expect.any(Number) as number } })
    expect(refused.statusCode).toBe(429)
    expect(refused.json()).toMatchObject({ code: 'ERR_CLICKHOUSE_QUOTA' })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3000)
    expect(other.statusCode).toBe(200)
  })
})

describe('users kept by SQL', () => {
  it('are made by statements that the server understands, rights last', async () => {
    const statements = [...world.access.statements(), ...world.access.statements({ cluster: 'main', hosts: ['10.0.0.0/8'], rankThreads: true })]

    for (const statement of statements) await world.owner.execute('SELECT formatQuery({statement:String})', { statement })

    expect(world.access.statements({ rankThreads: true })[0]).toContain(' os_threads_nice_value_query = 0 MIN 0 MAX 10 CHANGEABLE_IN_READONLY')
    const own = world.access.statements().filter((statement) => statement.includes('tenant_reader'))
    const grant = own.findIndex((statement) => statement.startsWith('GRANT CREATE TEMPORARY TABLE'))
    expect(own.findLastIndex((statement) => statement.includes('ROW POLICY'))).toBeLessThan(grant)
    expect(own.join('\n')).toMatchInlineSnapshot(`
      "CREATE SETTINGS PROFILE OR REPLACE \`tenant_reader_profile\` SETTINGS readonly = 1 CONST, max_execution_time = 1 CONST, max_memory_usage = 200000000 CONST, max_rows_to_read = 2000000 CONST, max_bytes_to_read = 50000000000 CONST, max_result_rows = 10000 CONST, max_result_bytes = 64000000 CONST, max_threads = 2 CONST, max_concurrent_queries_for_user = 32 CONST, allow_ddl = 0 CONST, allow_introspection_functions = 0 CONST, cancel_http_readonly_queries_on_client_close = 1 CONST, output_format_json_quote_64bit_integers = 1 CONST, output_format_json_quote_decimals = 1 CONST, output_format_json_quote_denormals = 1 CONST, allow_get_client_http_header = 1 CONST, use_query_condition_cache = 0 CONST, use_query_cache = 0 CONST, log_queries = 1 CONST
      CREATE ROLE IF NOT EXISTS \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON \`app\`.\`flights\` AS RESTRICTIVE FOR SELECT USING \`tenant\` = decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')) AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_rows\` ON \`app\`.\`flights\` AS PERMISSIVE FOR SELECT USING \`tenant\` = decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')) AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON \`app\`.\`by_day\` AS RESTRICTIVE FOR SELECT USING \`tenant\` = decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')) AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_rows\` ON \`app\`.\`by_day\` AS PERMISSIVE FOR SELECT USING \`tenant\` = decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')) AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON \`app\`.\`accounts\` AS RESTRICTIVE FOR SELECT USING \`owner_id\` = accurateCastOrNull(decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')), 'UInt64') AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_rows\` ON \`app\`.\`accounts\` AS PERMISSIVE FOR SELECT USING \`owner_id\` = accurateCastOrNull(decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')), 'UInt64') AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      DROP ROW POLICY IF EXISTS \`tenant_reader_rows\` ON \`app\`.\`airports\`
      DROP ROW POLICY IF EXISTS \`tenant_reader_bound\` ON \`app\`.\`airports\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON \`app\`.\`late\` AS RESTRICTIVE FOR SELECT USING \`tenant\` = decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')) AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_rows\` ON \`app\`.\`late\` AS PERMISSIVE FOR SELECT USING \`tenant\` = decodeURLComponent(getClientHTTPHeader('X-Smart-Whale-Tenant')) AND getClientHTTPHeader('X-Smart-Whale-Tenant') != '' TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON system.tables AS RESTRICTIVE FOR SELECT USING 0 TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON system.columns AS RESTRICTIVE FOR SELECT USING 0 TO \`tenant_reader_role\`
      CREATE ROW POLICY OR REPLACE \`tenant_reader_bound\` ON system.databases AS RESTRICTIVE FOR SELECT USING 0 TO \`tenant_reader_role\`
      GRANT CREATE TEMPORARY TABLE ON *.*, SELECT ON \`app\`.\`flights\`, SELECT ON \`app\`.\`by_day\`, SELECT ON \`app\`.\`accounts\`, SELECT(\`code\`) ON \`app\`.\`airports\`, SELECT ON \`app\`.\`late\` TO \`tenant_reader_role\` WITH REPLACE OPTION
      CREATE USER IF NOT EXISTS \`tenant_reader\` IDENTIFIED WITH sha256_password BY 'only-for-tests' SETTINGS PROFILE \`tenant_reader_profile\`
      ALTER USER \`tenant_reader\` IDENTIFIED WITH sha256_password BY 'only-for-tests' SETTINGS PROFILE \`tenant_reader_profile\`
      REVOKE ALL ON *.* FROM \`tenant_reader\`
      GRANT \`tenant_reader_role\` TO \`tenant_reader\` WITH REPLACE OPTION
      ALTER USER \`tenant_reader\` DEFAULT ROLE ALL"
    `)
  })
})

describe('audit logs and encryption', () => {
  it('keep the chain in a table, and find what was changed there', async () => {
    const logger = await createAuditLogger({ adapter: world.owner, key: new Uint8Array(32).fill(7) })
    await logger.logEvent({ username: 'alice', action: 'query', status: 'success', details: { rows: 3, nested: { b: 1, a: [true, null] } }, sourceIp: '10.0.0.1', resource: 'flights' })
    await logger.logSecurityEvent({ username: 'mallory', action: 'login', severity: 'critical' })
    await logger.close()
    const again = await createAuditLogger({ adapter: world.owner, key: new Uint8Array(32).fill(7) })
    await again.record({ actor: 'bob', action: 'logout', outcome: 'success' })

    expect(await again.verify()).toMatchObject({ entries: 3, faults: [] })
    expect(again.getAuditLogPath()).toBeNull()
    await world.owner.execute("ALTER TABLE audit_log UPDATE actor = 'nobody' WHERE sequence = 2 SETTINGS mutations_sync = 2")
    expect((await again.verify()).faults).toMatchObject([{ line: 2, what: 'the entry was changed' }])
    await world.owner.execute('ALTER TABLE audit_log DELETE WHERE sequence = 3 SETTINGS mutations_sync = 2')
    expect((await again.verify(again.head())).faults).toHaveLength(2)
  })

  it('read what was encrypted before a rotation, and nothing elsewhere than where it was written', async () => {
    const keyFolder = join(dirname(world.places.file), 'keys')
    const manager = await createEncryptionManager({ keyFolder })
    const where = { table: 'users', column: 'card', row: '7' }
    const old = await manager.encrypt('4111 1111', where)

    await manager.rotateKey()
    const young = await manager.encrypt('4222', where)

    expect([await manager.decrypt(old, where), await manager.decrypt(young, where)]).toEqual(['4111 1111', '4222'])
    await expect(manager.decrypt(old, { ...where, row: '8' })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_ENCRYPTION' })
    expect(await (await createEncryptionManager({ keyFolder })).decrypt(young, where)).toBe('4222')
  })
})

describe('what is refused', () => {
  it('is counted, and written down when it was not allowed', async () => {
    const written: unknown[] = []
    const counted: unknown[] = []
    const metrics = { ...silentMetrics, counter: () => ({ inc: (labels: unknown) => void counted.push(labels) }) }
    const service = await world.access.openAnalytics({ connection: { url: world.server.url, database: 'app' }, cache: false, audit: { record: async (event) => void written.push(event) }, metrics })
    const ask = (query: string) => service.executeAnalyticsQuery({ query, options: { level: 'tenants', tenant: 'acme' } }).catch((error: { code?: string }) => error.code)

    expect([await ask('SELECT * FROM system.tables'), await ask('SELECT 1 +')]).toEqual(['ERR_CLICKHOUSE_PERMISSION_DENIED', 'ERR_CLICKHOUSE_QUERY_SYNTAX'])
    await service.close()

    expect(counted).toMatchObject([{ level: 'tenants', code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' }, { level: 'tenants', code: 'ERR_CLICKHOUSE_QUERY_SYNTAX' }])
    expect(written).toMatchObject([{ actor: 'acme', action: 'analytics:query', outcome: 'denied', details: { code: 'ERR_CLICKHOUSE_PERMISSION_DENIED', query: 'SELECT * FROM system.tables' } }])
  })
})

describe("a tenant's own adapter", () => {
  it('streams and downloads its rows, gives its turn back, and says no more than the service', async () => {
    const adapter = (world.service as TrustedAnalytics).adapterFor({ level: 'tenants', tenant: 'acme' })
    const streamed = []
    for await (const row of adapter.stream('SELECT tenant FROM flights', {}, { tenant: 'beta' })) streamed.push(row)
    const { body, contentType } = await adapter.download('SELECT tenant, id FROM flights ORDER BY id LIMIT 2', {}, { format: 'CSV' })
    const bytes = []
    for await (const chunk of body) bytes.push(chunk)
    for await (const row of adapter.stream('SELECT id FROM flights')) if (row !== undefined) break
    const failing = adapter.stream('SELECT toUInt8(secret) FROM flights')[Symbol.asyncIterator]()

    expect(streamed).toEqual(Array.from({ length: ROWS.acme }, () => ({ tenant: 'acme' })))
    expect([Buffer.concat(bytes).toString(), contentType]).toEqual(['"acme",0\n"acme",1\n', 'text/csv'])
    await expect(failing.next()).rejects.toMatchObject({ message: expect.not.stringContaining('mine-') as string, status: 400 })
    await expect(adapter.download('SELECT * FROM system.tables', {}, { format: 'CSV' })).rejects.toMatchObject({ status: 403 })
    await expect(adapter.insert('flights', [{ tenant: 'acme' }])).rejects.toMatchObject({ status: 403 })
    expect((world.service as TrustedAnalytics).turns.stats).toEqual({ running: 0, waiting: 0 })
  })
})
