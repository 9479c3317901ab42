import { storageContract, type StorageDialect } from '@smart-whale/interfaces/testing'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { ClickHouseStorage } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

const sql: StorageDialect = {
  types: {
    bigint: 'Int64',
    text: 'String',
    nullableText: 'Nullable(String)',
    decimal: 'Decimal(38, 10)',
    timestamp: "DateTime64(3, 'UTC')",
    boolean: 'Bool',
    float: 'Float64',
    bytes: null,
  },
  slow: (seconds) => `SELECT sleepEachRow(0.5) FROM numbers(${seconds * 2}) SETTINGS max_block_size = 1`,
  series: (count) => `SELECT number AS n FROM numbers(${count}) SETTINGS max_threads = 1`,
  countRunning: (marker) => `SELECT count() AS n FROM system.processes WHERE query LIKE '%${marker}%' AND query NOT LIKE '%system.processes%'`,
}

function storage(): ClickHouseStorage {
  const { url, owner } = inject('clickhouse')
  return new ClickHouseStorage({ url, user: owner.username, password: owner.password, database: database.name })
}

describe('ClickHouseStorage', () => {
  it.each(storageContract)('$name', ({ run }) => run({ create: async () => storage(), can: { transactions: false, hypertables: false, streaming: true }, sql }))

  it('takes only inserts for many lists', async () => {
    const one = storage()
    await one.connect()
    for (const query of ['SELECT $1', 'INSERT INTO t SELECT $1', 'INSERT INTO t (a) VALUES ($1 + 1)', 'INSERT INTO t (a, b) VALUES ($1)', 'INSERT INTO t (a) VALUES ($1), ($2)']) {
      await expect(one.executeMany(query, [[1]]), query).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_UNSUPPORTED' })
    }
    await one.disconnect()
  })

  it('connects again after it was disconnected', async () => {
    const one = storage()
    await one.connect()
    await one.disconnect()
    await one.connect()
    expect(await one.execute('SELECT $1 AS n', [1])).toEqual([{ n: 1n }])
    await one.disconnect()
  })
})
