import { storageContract, type StorageDialect } from '@smart-whale/interfaces/testing'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeEditions } from '../each-engine.ts'

const sql: StorageDialect = {
  types: {
    bigint: 'bigint',
    text: 'text not null',
    nullableText: 'text',
    decimal: 'numeric(38,10)',
    timestamp: 'timestamptz',
    boolean: 'boolean',
    float: 'double precision',
    bytes: 'bytea',
  },
  slow: (seconds) => `select pg_sleep(${seconds})`,
  series: (count) => `select generate_series(0, ${count - 1})::bigint as n`,
  countRunning: (marker) =>
    `select count(*) as n from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and query like '%${marker}%'`,
}

describeEditions((engine) => {
  describe.each(['pg', 'postgres'] as const)('TimescaleDBStorage over %s keeps the storage contract', (driver) => {
    let database: FreshDatabase
    beforeAll(async () => {
      database = await engine.freshDatabase()
    })
    afterAll(() => database.drop())

    it.each(storageContract)('$name', ({ run }) =>
      run({ sql, can: { transactions: true, hypertables: true, streaming: true }, create: async () => createTimescaleAdapter({ url: database.url, driver }) }),
    )
  })
})
