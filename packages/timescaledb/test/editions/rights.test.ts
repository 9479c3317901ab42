import { randomBytes } from 'node:crypto'
import { createMigrationManager, createTimescaleAdapter, type TimescaleDBStorage } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

describeEngines((engine) => {
  const suffix = randomBytes(4).toString('hex')
  const [owner, writer, reader] = ['owner', 'writer', 'reader'].map((role) => `${role}_${suffix}`) as [string, string, string]
  let database: TestDatabase
  const opened: TimescaleDBStorage[] = []

  /** The database as a role sees it that is no superuser. */
  const as = (role: string): TimescaleDBStorage => {
    const url = new URL(database.url)
    url.username = role
    url.password = suffix
    const storage = createTimescaleAdapter({ url: url.href })
    opened.push(storage)
    return storage
  }

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    for (const role of [owner, writer, reader]) await database.storage.execute(`create role ${role} login password '${suffix}'`)
    await database.storage.execute(`grant create, usage on schema public to ${owner}`)
  })
  afterAll(async () => {
    await Promise.all(opened.map((storage) => storage.disconnect()))
    for (const role of [owner, writer, reader]) await database.storage.execute(`drop owned by ${role} cascade`)
    for (const role of [owner, writer, reader]) await database.storage.execute(`drop role ${role}`)
    await database.close()
  })

  describe('a role that is no superuser', () => {
    it('migrates, stores, lists and drops what it owns', async () => {
      const storage = as(owner)
      await createMigrationManager(storage).up()
      await storage.bulkInsert('time_series_data', ['2001-01-01', '2001-02-01'].map((timestamp) => ({ id: 'a', timestamp, value: 1 })))

      expect(await storage.partitions.list('time_series_data')).toHaveLength(2)
      expect((await storage.partitions.dropBefore('time_series_data', new Date('2001-01-20'))).dropped).toHaveLength(1)
      await storage.partitions.setChunkInterval('time_series_data', '1 day')
    })

    it('that may only insert stores into what the owner has made room for', async () => {
      await as(owner).execute(`grant select, insert on time_series_data to ${writer}`)

      expect(await as(writer).bulkInsert('time_series_data', [{ id: 'w', timestamp: '2001-02-01', value: 1 }])).toBe(1)
    })

    it('that may only read sees the partitions, and is refused to drop or store by its right', async () => {
      await as(owner).execute(`grant select on time_series_data to ${reader}`)
      const storage = as(reader)
      const refused = { code: 'ERR_TIMESCALEDB_PERMISSION', status: 403, retryable: false }

      expect(await storage.partitions.list('time_series_data')).toHaveLength(1)
      await expect(storage.bulkInsert('time_series_data', [{ id: 'b', timestamp: '2001-02-01', value: 1 }])).rejects.toMatchObject(refused)
      await expect(storage.partitions.dropBefore('time_series_data', new Date('2002-01-01'))).rejects.toMatchObject(refused)
      await expect(storage.partitions.setChunkInterval('time_series_data', '1 day')).rejects.toMatchObject(refused)
    })
  })
})
