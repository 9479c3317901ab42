import { createMigrationManager, createTimescaleAdapter, createTransactionalBatchWriter, IngestLedger, type TimescaleDBStorage, type TimescaleStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeTimescale } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase, untilSomebodyWaits } from '../time-series-database.ts'

const WRITERS = 8
const BATCHES = 5
const DAYS = 60

describeTimescale((engine) => {
  let database: TestDatabase
  let storage: TimescaleDBStorage

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await createMigrationManager(storage).up()
  })
  afterAll(() => database.close())
  beforeEach(async () => {
    await storage.execute('drop table if exists events')
    await storage.execute('create table events (at timestamptz not null, writer int not null, number int not null, unique (writer, number, at))')
    await storage.createHypertable('events', 'at', { chunkInterval: '1 day' })
  })

  const anyDay = (): Date => new Date(Date.UTC(2001, 0, 1 + Math.floor(Math.random() * DAYS)))
  const count = async (): Promise<unknown> => (await storage.execute('select count(*) as n from events'))[0]?.['n']

  describe('COPY into a hypertable', () => {
    it('makes the same new chunks from many sessions at once, in any order, without a deadlock', async () => {
      // Without a policy, so that a deadlock would show.
      const pools = Array.from({ length: WRITERS }, () => createTimescaleAdapter({ url: database.url, maxConnections: 1 }, { policy: false }))
      const write = async (pool: TimescaleStorage, writer: number): Promise<void> => {
        for (let batch = 0; batch < BATCHES; batch++) {
          await pool.bulkInsert('events', Array.from({ length: 200 }, (_, index) => ({ at: anyDay(), writer, number: batch * 1000 + index })))
        }
      }
      await Promise.all(pools.map(write))
      await Promise.all(pools.map((pool) => pool.disconnect()))

      expect(await count()).toBe(BigInt(WRITERS * BATCHES * 200))
    })

    it('waits for a writer that has made a chunk and hangs no longer than the server lets it hang', async () => {
      const ledger = new IngestLedger(storage)
      const writer = createTransactionalBatchWriter(storage, 'events', { ledger, idleTimeoutMs: 3_000 })
      const silent = await writer.begin()
      await silent.write([{ at: '2001-01-01', writer: 1, number: 1 }])

      const other = storage.bulkInsert('events', [{ at: '2005-01-01', writer: 2, number: 1 }])
      await untilSomebodyWaits(storage)
      await other

      expect(await storage.execute('select writer from events')).toEqual([{ writer: 2 }])
      await silent.rollback().catch(() => {})
    })

    it('leaves neither rows nor a chunk behind when a statement is cut off by its deadline', async () => {
      const endless = function* (): Generator<{ at: Date; writer: number; number: number }> {
        for (let number = 0; number < 400_000; number++) yield { at: anyDay(), writer: 1, number }
      }

      await expect(storage.bulkInsert('events', [...endless()], { timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TIMEOUT' })
      expect(await count()).toBe(0n)
      await storage.bulkInsert('events', [{ at: '2001-01-01', writer: 1, number: 1 }])
      expect(await count()).toBe(1n)
    })
  })
})
