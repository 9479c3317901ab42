import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedClickHouse, startClickHouse } from '../../src/embedded/index.ts'
import { findFreePort } from '../../src/embedded/find-port.ts'
import { type ClickHouseAdapter, createAdapter, type Topology } from '../../src/index.ts'
import { statementsFor, tablesThatShard } from '../../src/migrations/statements-for-topology.ts'

const OWNER = { username: 'owner', password: 'the-shards-know-each-other' }
const TOPOLOGY: Topology = { kind: 'distributed', cluster: 'main', shardingKeys: { rides: 'id' } }
const MIGRATIONS = [
  'CREATE TABLE rides (id UInt64, day Date, km UInt32) ENGINE = MergeTree ORDER BY id',
  'CREATE TABLE daily (day Date, rides UInt64, km UInt64) ENGINE = SummingMergeTree ORDER BY day',
  'CREATE MATERIALIZED VIEW to_daily TO daily AS SELECT day, count() AS rides, sum(km) AS km FROM rides GROUP BY day',
]

const servers: { readonly server: EmbeddedClickHouse; readonly owner: ClickHouseAdapter; readonly folder: string }[] = []

beforeAll(async () => {
  const ports = [await findFreePort(), await findFreePort()]
  const shard = ports.map((port) => ({ replica: { host: '127.0.0.1', port, user: OWNER.username, password: OWNER.password } }))
  const started = await Promise.all(
    ports.map(async (port) => {
      const folder = await mkdtemp(join(tmpdir(), 'smart-whale-shards-'))
      const server = await startClickHouse({ dataDir: folder, owner: OWNER, config: { tcp_port: port, remote_servers: { main: { shard } } } })
      const owner = createAdapter({ url: server.url, user: OWNER.username, password: OWNER.password })
      await owner.connect()
      // Shards talk to each other in the native protocol.
      await owner.execute('SYSTEM START LISTEN TCP')
      return { server, owner, folder }
    }),
  )
  servers.push(...started)
})

afterAll(async () => {
  for (const { server, owner, folder } of servers) {
    await owner.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
})

/**
 * What a cluster would be sent, as two servers without a Keeper can run it: each gets it by itself, which is all that ON CLUSTER does, and a shard has one
 * replica.
 */
async function migrate(...written: readonly string[]): Promise<void> {
  const sharded = new Set(tablesThatShard(MIGRATIONS))
  for (const statement of written.flatMap((one) => statementsFor(one, TOPOLOGY, sharded))) {
    expect(statement).toContain(" ON CLUSTER 'main'")
    const byItself = statement.replace(" ON CLUSTER 'main'", '').replace(/Replicated(\w*MergeTree)\('[^']*', '\{replica\}'(?:, )?/, '$1(')
    for (const { owner } of servers) await owner.execute(byItself)
  }
}

async function numbers(of: number, query: string): Promise<number[]> {
  const { rows } = await (servers[of]?.owner as ClickHouseAdapter).execute<Record<string, string | number>>(query)
  return rows.flatMap((row) => Object.values(row).map(Number))
}

describe('tables that two servers share', () => {
  it('are written whole and kept in parts, by the key; each server answers for all of it', async () => {
    await migrate(...MIGRATIONS)

    await servers[0]?.owner.execute("INSERT INTO rides SELECT number, toDate('2026-01-01') + number % 3, 10 FROM numbers(1000)", {}, { settings: { distributed_foreground_insert: 1 } })

    for (const from of [0, 1]) {
      expect(await numbers(from, 'SELECT count() AS n, uniqExact(id) AS ids, sum(km) AS km FROM rides')).toEqual([1000, 1000, 10_000])
      expect(await numbers(from, 'SELECT count() AS n, uniqExact(id % 2) AS remainders FROM rides_local')).toEqual([500, 1])
    }
  })

  it('feed their views where the rows arrive', async () => {
    expect(await numbers(0, 'SELECT sum(rides) AS rides FROM daily_local')).toEqual([500])
    expect(await numbers(1, 'SELECT sum(rides) AS rides, sum(km) AS km, uniqExact(day) AS days FROM daily')).toEqual([1000, 10_000, 3])
  })

  it('change as one: columns in the parts and in what stands for them, the rest in the parts alone', async () => {
    await migrate(
      "ALTER TABLE rides ADD COLUMN town LowCardinality(String) DEFAULT 'Bergen' CODEC(ZSTD(1)) AFTER id",
      'ALTER TABLE rides ADD COLUMN tips UInt32',
      'ALTER TABLE rides RENAME COLUMN tips TO tip',
      'ALTER TABLE rides ADD INDEX by_town town TYPE set(10) GRANULARITY 1',
      'ALTER TABLE rides MODIFY TTL day + INTERVAL 100 YEAR',
    )

    await servers[1]?.owner.execute("INSERT INTO rides (id, town, day, km, tip) VALUES (5000, 'Oslo', '2026-01-05', 1, 3), (5001, 'Oslo', '2026-01-05', 1, 4)", {}, { settings: { distributed_foreground_insert: 1 } })

    expect(await numbers(0, "SELECT countIf(town = 'Bergen') AS before, countIf(town = 'Oslo') AS since, sum(tip) AS tips FROM rides")).toEqual([1000, 2, 7])
  })

  it('are emptied and gone on every server', async () => {
    await migrate('TRUNCATE TABLE rides')
    expect(await numbers(1, 'SELECT count() AS n FROM rides')).toEqual([0])

    await migrate('DROP TABLE to_daily', 'DROP TABLE rides', 'DROP TABLE daily')
    for (const of of [0, 1]) expect(await numbers(of, "SELECT count() AS n FROM system.tables WHERE database = 'default'")).toEqual([0])
  })
})
