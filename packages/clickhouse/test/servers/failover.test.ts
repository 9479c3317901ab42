import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { BalancedAdapter, ClickHouseOptions } from '../../src/index.ts'
import { failureOf, until } from '../embedded/servers.ts'
import { ClickHouseTrio } from './clickhouse-trio.ts'

/** What takes so long and is over much sooner was ended. */
const LONG_QUERY_MS = 120_000

describe('an adapter over three servers', () => {
  let trio: ClickHouseTrio
  const adapters: BalancedAdapter[] = []
  const open = (options: ClickHouseOptions = {}): BalancedAdapter => {
    const adapter = trio.adapter(options)
    adapters.push(adapter)
    return adapter
  }
  const isUp = (adapter: BalancedAdapter, server: string): boolean => adapter.getStats().find((stats) => stats.server === server)?.isUp === true
  /** Which servers answered so many reads in a row. */
  const answeredBy = async (adapter: BalancedAdapter, reads: number, query = 'SELECT 1 AS one'): Promise<Set<string>> => {
    const servers = new Set<string>()
    for (let read = 0; read < reads; read++) servers.add(String((await adapter.execute(query)).server))
    return servers
  }

  const nothingRuns = async (word: string): Promise<boolean> =>
    (await trio.onEach(`SELECT count() FROM system.processes WHERE query LIKE '%${word}%' AND query NOT LIKE '%processes%'`)).every((count) => count === '0')

  beforeAll(async () => {
    trio = await ClickHouseTrio.start()
  })
  afterEach(async () => {
    await Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
    await trio.mend()
  })
  afterAll(() => trio.stop())

  it('spreads reads over all of them', async () => {
    const adapter = open({ balancing: { strategy: 'round-robin' } })
    await adapter.connect()

    expect((await answeredBy(adapter, 3)).size).toBe(3)
    expect(await adapter.healthCheck()).toMatchObject({ status: 'up' })
  })

  it('goes on without a server that is killed, and takes it back when it has returned', async () => {
    const adapter = open()
    await answeredBy(adapter, 12)
    const [killed] = trio.members
    const server = new URL(String(killed?.url)).host

    await killed?.kill()

    expect(await answeredBy(adapter, 30)).not.toContain(server)
    expect(await adapter.healthCheck()).toMatchObject({ status: 'degraded', data: { servers: { [server]: 'down' } } })
    await killed?.restart()
    await until(() => isUp(adapter, server), 'the server is let back')
    expect(await answeredBy(adapter, 30)).toContain(server)
  })

  it('finds out that a server hangs while it waits for it, and goes to another one', async () => {
    const adapter = open({ balancing: { probeTimeoutMs: 1_000, strategy: 'round-robin' } })
    await answeredBy(adapter, 6)
    trio.members[1]?.pause()

    const begun = performance.now()
    const answers = await Promise.all(Array.from({ length: 12 }, () => adapter.execute('SELECT 1 AS one')))

    expect(new Set(answers.map(({ server }) => server)).size).toBe(2)
    // Not as long as a request may take.
    expect(performance.now() - begun).toBeLessThan(30_000)
  })

  it('does not take a slow query for a server that hangs', async () => {
    const adapter = open()

    const { server } = await adapter.execute('SELECT sleepEachRow(0.4) FROM numbers(3) SETTINGS max_block_size = 1')

    expect(adapter.getStats().every((stats) => stats.isUp)).toBe(true)
    expect(server).toBeDefined()
  })

  it('begins a slow read on a second server, and ends the slower one where it runs', async () => {
    const adapter = open({ balancing: { hedgeAfterMs: 50, strategy: 'round-robin' } })
    const [slow] = trio.members
    await trio.onEach('CREATE OR REPLACE TABLE pace (rows UInt64) ENGINE = MergeTree ORDER BY rows')
    await Promise.all(trio.members.map((member) => trio.on(member, `INSERT INTO pace VALUES (${member === slow ? LONG_QUERY_MS / 1_000 : 0})`)))
    await answeredBy(adapter, 3)

    const took: number[] = []
    for (let read = 0; read < 3; read++) {
      const begun = performance.now()
      const { server } = await adapter.execute('SELECT sleepEachRow(1) AS slow_one FROM numbers(assumeNotNull((SELECT rows FROM pace))) SETTINGS max_block_size = 1')
      took.push(performance.now() - begun)
      expect(trio.member(server)).not.toBe(slow)
    }

    expect(Math.max(...took)).toBeGreaterThan(45)
    expect(Math.max(...took)).toBeLessThan(LONG_QUERY_MS / 4)
    await until(() => nothingRuns('slow_one'), 'nothing runs on any server', LONG_QUERY_MS / 4)
  })

  it('kills what is overdue on the server that runs it', async () => {
    const adapter = open()
    const query = `SELECT sleepEachRow(1) AS late_one FROM numbers(${LONG_QUERY_MS / 1_000}) SETTINGS max_block_size = 1`

    const begun = performance.now()
    const failures = await Promise.all(Array.from({ length: 6 }, () => failureOf(adapter.execute(query, {}, { timeoutMs: 400 }))))

    expect(failures.map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => 'ERR_CLICKHOUSE_QUERY_TIMEOUT'))
    expect(performance.now() - begun).toBeLessThan(LONG_QUERY_MS / 4)
    await until(() => nothingRuns('late_one'), 'nothing runs on any server', LONG_QUERY_MS / 4)
  })

  it('answers at once when none is there, and is back soon after one is', async () => {
    const adapter = open({ balancing: { probeTimeoutMs: 1_000 } })
    await answeredBy(adapter, 3)
    await Promise.all(trio.members.map((member) => member.kill()))
    await until(async () => (await failureOf(adapter.execute('SELECT 1'))).code === 'ERR_CLICKHOUSE_CIRCUIT_OPEN', 'the breakers are open')

    const begun = performance.now()
    const failures = await Promise.all(Array.from({ length: 10 }, () => failureOf(adapter.execute('SELECT 1'))))

    // None of them is asked.
    expect(performance.now() - begun).toBeLessThan(5_000)
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['ERR_CLICKHOUSE_CIRCUIT_OPEN']))
    await trio.members[2]?.restart()
    await until(async () => (await failureOf(adapter.execute('SELECT 1'))).code === undefined, 'reads are answered again')
  })

  it('begins a stream elsewhere, but does not mend one that breaks half-way', async () => {
    const adapter = open({ balancing: { strategy: 'round-robin' } })
    await answeredBy(adapter, 3)
    await trio.members[0]?.kill()
    for (let read = 0; read < 3; read++) {
      const rows = []
      for await (const row of adapter.stream('SELECT number FROM numbers(3)')) rows.push(row)
      expect(rows).toHaveLength(3)
    }
    await trio.members[1]?.kill()
    const last = trio.members[2]

    const broken = async (): Promise<void> => {
      let rows = 0
      for await (const row of adapter.stream('SELECT number, sleepEachRow(0.001) FROM numbers(5000) SETTINGS max_block_size = 50', {}, { timeoutMs: 60_000 })) {
        void row
        if (rows++ === 0) await last?.kill()
      }
    }

    expect((await failureOf(broken())).code).toBe('ERR_CLICKHOUSE_CONNECTION')
    expect(adapter.getStats().map(({ inUse }) => inUse)).toEqual([0, 0, 0])
  })

  it('keeps what belongs together at one server, and moves only that of the one that is gone', async () => {
    const adapter = open()
    const placeOf = async (user: string): Promise<string> => String((await adapter.execute('SELECT 1', {}, { stickTo: user })).server)
    const users = Array.from({ length: 12 }, (_, index) => `user ${index}`)
    const before = await Promise.all(users.map(placeOf))

    expect(await Promise.all(users.map(placeOf))).toEqual(before)
    const gone = String(before[0])
    await trio.member(gone).kill()
    const after = await Promise.all(users.map(placeOf))

    expect(after).not.toContain(gone)
    expect(after.filter((place, index) => place !== before[index])).toHaveLength(before.filter((place) => place === gone).length)
  })
})
