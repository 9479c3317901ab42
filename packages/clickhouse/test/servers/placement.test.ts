import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type BalancedAdapter, ClickHouseConnectionPool, ClickHouseLoadBalancer, type ClickHouseOptions, createBatchWriter, createMigrationManager, createTable, setupClickHouse } from '../../src/index.ts'
import { failureOf, until } from '../embedded/servers.ts'
import { ClickHouseTrio } from './clickhouse-trio.ts'

describe('where calls to several servers go', () => {
  let trio: ClickHouseTrio
  const closers: (() => Promise<void>)[] = []
  const open = (options: ClickHouseOptions = {}): BalancedAdapter => {
    const adapter = trio.adapter(options)
    closers.push(() => adapter.close())
    return adapter
  }
  const stored = (table: string): Promise<string[]> => trio.onEach(`SELECT count() FROM ${table}`)
  const places = async (table: string): Promise<number[]> => (await stored(table)).map(Number).sort()

  beforeAll(async () => {
    trio = await ClickHouseTrio.start()
    for (const server of trio.servers) {
      const adapter = trio.adapter({ servers: [server] })
      await createTable(adapter, 'notes', { columns: { id: 'UInt64', text: 'String' }, primaryKey: ['id'] })
      await adapter.execute('CREATE TABLE plain (id UInt64) ENGINE = MergeTree ORDER BY id')
      await adapter.close()
    }
  })
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()))
    await trio.mend()
    await trio.onEach('TRUNCATE TABLE notes')
    await trio.onEach('TRUNCATE TABLE plain')
  })
  afterAll(() => trio.stop())

  it('stores rows with a token once, whichever adapter sends them and however often', async () => {
    const rows = [{ id: 1n, text: 'a' }]
    const [one, other] = [open(), open({ balancing: { strategy: 'random' } })]

    const results = [await one.insert('notes', rows, { token: 't' }), await other.insert('notes', rows, { token: 't' }), await one.insert('notes', rows, { token: 't' })]

    expect(new Set(results.map(({ server }) => server)).size).toBe(1)
    expect(await places('notes')).toEqual([0, 0, 1])
  })

  it('stores rows with a token nowhere rather than a second time, when the server that knows the token is away', async () => {
    const adapter = open()
    const rows = [{ id: 1n, text: 'a' }]
    const { server } = await adapter.insert('notes', rows, { token: 't' })
    await trio.member(server).kill()

    const failures = [await failureOf(adapter.insert('notes', rows, { token: 't' })), await failureOf(adapter.insert('notes', rows, { token: 't' }))]

    expect(failures.map(({ code }) => code)).toContain('ERR_CLICKHOUSE_CIRCUIT_OPEN')
    await trio.mend()
    await until(() => adapter.getStats().every(({ isUp }) => isUp), 'the server is back')
    await adapter.insert('notes', rows, { token: 't' })
    expect(await places('notes')).toEqual([0, 0, 1])
  })

  it('is refused for batches and migrations, which would be scattered over tables that are not replicated', async () => {
    const adapter = open()

    const written = await failureOf(createBatchWriter(adapter, 'notes').write({ rows: [{ id: 1n, text: 'a' }], token: 't' } as never))

    expect(written).toMatchObject({ name: 'ConfigurationError', code: 'ERR_CLICKHOUSE_CONFIGURATION', message: expect.stringMatching(/table "notes" is written through 3 servers .* its engine is MergeTree/) as string })
    expect(() => createMigrationManager(adapter)).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_CONFIGURATION' }) as Error)
    expect(await places('notes')).toEqual([0, 0, 0])
  })

  it('sends rows without a token elsewhere only when nothing of them arrived', async () => {
    const adapter = open({ balancing: { strategy: 'round-robin', consecutiveFailures: 1_000 }, breaker: { minimumCalls: 1_000 } })
    for (let id = 0; id < 3; id++) await adapter.insert('plain', [{ id: BigInt(id) }])
    expect(await places('plain')).toEqual([1, 1, 1])
    await trio.members[0]?.kill()

    const results = []
    for (let id = 3; id < 9; id++) results.push(await failureOf(adapter.insert('plain', [{ id: BigInt(id) }])))

    // The first one may meet a socket that the dead server has left: nobody knows what it has read of it.
    expect(results.slice(1).map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => undefined))
    await trio.mend()
    const total = (await stored('plain')).reduce((sum, count) => sum + Number(count), 0)
    expect(total).toBe(3 + results.filter(({ code }) => code === undefined).length)
  })

  it('reads what was written from where it was written', async () => {
    const adapter = open()
    const { server } = await adapter.insert('plain', [{ id: 1n }])
    const count = async (pinTo: string | undefined): Promise<unknown> => (await adapter.execute('SELECT count() AS n FROM plain', {}, { pinTo })).rows[0]?.['n']

    for (let read = 0; read < 6; read++) expect(await count(server)).toBe(1n)
    await trio.member(server).kill()

    const failures = await Promise.all([1, 2, 3, 4].map(() => failureOf(count(server))))
    for (const { code } of failures) expect(['ERR_CLICKHOUSE_CONNECTION', 'ERR_CLICKHOUSE_CIRCUIT_OPEN']).toContain(code)
    expect((await failureOf(count('elsewhere:1'))).message).toContain('pinTo')
  })

  it('writes and reads of one user meet at one server', async () => {
    const adapter = open()

    for (const user of ['ann', 'bob', 'cho', 'dan']) {
      await adapter.insert('plain', [{ id: 7n }], { stickTo: user })
      const { rows } = await adapter.execute('SELECT count() AS n FROM plain', {}, { stickTo: user })
      expect(rows[0]?.['n']).not.toBe(0n)
    }
  })

  it('answers analytics queries while a server is away, put together from the environment', async () => {
    const addresses = trio.servers.map(({ host, port, user, password }) => `http://${user}:${encodeURIComponent(String(password))}@${host}:${port}/default`)
    vi.stubEnv('CLICKHOUSE_SERVERS', addresses.join(','))
    const clickhouse = await setupClickHouse({ cache: false })
    closers.push(() => clickhouse.close())
    vi.unstubAllEnvs()
    await trio.members[2]?.kill()

    const answers = await Promise.all(Array.from({ length: 9 }, (_, n) => clickhouse.analyticsService.executeAnalyticsQuery({ query: 'SELECT :n AS n', params: { n } })))

    expect(answers.map(({ data }) => data[0]?.['n'])).toEqual(Array.from({ length: 9 }, (_, n) => BigInt(n)))
  })

  it('lends connections of a pool within its bounds, and closes idle sockets', async () => {
    const [server] = trio.servers
    const pool = new ClickHouseConnectionPool({ ...server, maxConnections: 2, maxQueuedRequests: 1, queueTimeoutMs: 100, keepAliveMs: 1_000 })
    closers.push(() => pool.closeAll())
    const [first, second] = [await pool.getConnection(), await pool.getConnection()]
    const begun = performance.now()

    const waits = failureOf(pool.getConnection())
    const refused = await failureOf(pool.getConnection())
    expect(refused.code).toBe('ERR_CLICKHOUSE_POOL_EXHAUSTED')
    expect(pool.getStats()).toMatchObject({ maxConnections: 2, inUse: 2, waiting: 1 })
    expect((await waits).code).toBe('ERR_CLICKHOUSE_POOL_EXHAUSTED')
    expect(performance.now() - begun).toBeGreaterThan(90)

    await Promise.all([first.execute('SELECT 1'), second.execute('SELECT 1')])
    expect(pool.getStats().openSockets).toBeGreaterThan(0)
    const third = pool.getConnection()
    pool.releaseConnection(first)
    expect((await third).id).toBe(3)
    expect((await failureOf(Promise.resolve().then(() => first.execute('SELECT 1')))).code).toBe('ERR_CLICKHOUSE_CLOSED')
    await until(() => pool.getStats().openSockets === 0, 'idle sockets are closed')
    await pool.closeAll()
    expect((await failureOf(pool.getConnection())).code).toBe('ERR_CLICKHOUSE_CLOSED')
  })

  it.each(['least-connections', 'round-robin', 'weighted', 'random', 'power-of-two', 'sticky'] as const)('balances by %s and gives connections back', async (strategy) => {
    const balancer = new ClickHouseLoadBalancer({ servers: trio.servers.map((server, index) => ({ ...server, weight: index + 1 })), balancing: { strategy, probeTimeoutMs: 30_000 } })
    closers.push(() => balancer.closeAllConnections())
    const counts = new Map<string, number>()

    for (let call = 0; call < 60; call++) {
      const connection = await balancer.getConnection({ stickTo: strategy === 'sticky' ? `user ${call}` : undefined })
      await connection.execute('SELECT 1')
      counts.set(connection.server, (counts.get(connection.server) ?? 0) + 1)
      balancer.releaseConnection(connection)
    }

    const shares = balancer.servers.map((server) => counts.get(server) ?? 0)
    if (strategy === 'weighted') expect(shares).toEqual([10, 20, 30])
    if (strategy === 'round-robin') expect(shares).toEqual([20, 20, 20])
    if (strategy !== 'power-of-two') expect(Math.min(...shares)).toBeGreaterThan(0)
    await until(() => balancer.getStats().every(({ underWay, inUse }) => underWay === 0 && inUse === 0), 'all are given back')
  })

  it("counts a stream's time until its first piece, however slowly it is read", async () => {
    const adapter = open()
    const server = adapter.servers[1] as string
    const latency = (): number => adapter.getStats()[1]?.latencyMs ?? Number.NaN
    await adapter.execute('SELECT 1', {}, { pinTo: server })
    const before = latency()

    for await (const row of adapter.stream('SELECT number FROM numbers(2)', {}, { pinTo: server })) {
      // Slow reading is what is measured here, or rather isn't.
      if (row['number'] === 0n) await new Promise((resolve) => setTimeout(resolve, 3_000))
    }

    expect(latency()).toBeGreaterThan(0)
    expect(latency()).toBeLessThan(before + 2_000)
  })

  it('leaves out a server whose connections are given back with its failures', async () => {
    const balancer = new ClickHouseLoadBalancer({ servers: trio.servers, balancing: { consecutiveFailures: 2, probeEveryMs: 200 } })
    closers.push(() => balancer.closeAllConnections())
    const bad = balancer.servers[0]
    await trio.member(bad).kill()

    for (let call = 0; call < 2; call++) {
      const connection = await balancer.getConnection({ exclude: balancer.servers.slice(1) })
      const failure = await failureOf(connection.execute('SELECT 1'))
      balancer.releaseConnection(connection, failure)
    }

    await until(() => balancer.getStats()[0]?.isUp === false, 'it is left out')
    expect((await balancer.getConnection({ exclude: balancer.servers.slice(1) })).server).not.toBe(bad)
    await trio.mend()
    await until(() => balancer.getStats()[0]?.isUp === true, 'it is let back')
  })
})
