import { createTimescaleAdapter, type TimescaleDBStorage } from '@smart-whale/timescaledb'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeTimescale, type TestEngine } from '../each-engine.ts'

describeTimescale((engine: TestEngine) => {
  describe.each(['pg', 'postgres'] as const)('a database in which rows would get lost is kept out of, over %s', (driver) => {
    let database: FreshDatabase
    let storage: TimescaleDBStorage
    const opened: TimescaleDBStorage[] = []
    const open = (): TimescaleDBStorage => {
      const other = createTimescaleAdapter({ url: database.url, driver, maxConnections: 1 })
      opened.push(other)
      return other
    }
    const setting = (name: string, value: string) => storage.execute(`alter database "${database.name}" set ${name} = ${value}`)
    /** From a session without the library, which would watch the version. */
    const setVersion = async (version: string): Promise<void> => {
      const client = new Client({ connectionString: database.url, options: '-c timescaledb.disable_load=on' })
      await client.connect()
      await client.query(`update pg_extension set extversion = $1 where extname = 'timescaledb'`, [version])
      await client.end()
    }
    const count = async (): Promise<unknown> => (await storage.execute('select count(*) as n from readings'))[0]?.['n']

    beforeAll(async () => {
      database = await engine.freshDatabase()
      storage = open()
      await storage.execute('create table readings (at timestamptz not null, value int)')
      await storage.createHypertable('readings', 'at')
    })
    beforeEach(() => storage.execute('truncate readings'))
    afterAll(async () => {
      await Promise.all(opened.map((one) => one.disconnect()))
      await database.drop()
    })

    it('in restore mode, until that ends', async () => {
      const early = open()
      await early.bulkInsert('readings', [{ at: '2001-01-01', value: 1 }])
      await setting('timescaledb.restoring', 'on')
      const late = open()
      const refused = { code: 'ERR_TIMESCALEDB_RESTORING', retryable: true, status: 503, message: expect.stringContaining('timescaledb_post_restore') as unknown }

      await expect(late.connect()).rejects.toMatchObject(refused)
      await expect(late.bulkInsert('readings', [{ at: '2001-01-02', value: 2 }])).rejects.toMatchObject(refused)
      await early.bulkInsert('readings', [{ at: '2002-01-01', value: 3 }])
      await setting('timescaledb.restoring', 'off')
      await late.bulkInsert('readings', [{ at: '2003-01-01', value: 4 }])

      expect(await count()).toBe(3n)
    })

    it('when its extension is there and its library is not loaded', async () => {
      await setting('timescaledb.disable_load', 'on')
      const refused = { name: 'TimescaleConfigurationError', code: 'ERR_TIMESCALEDB_EXTENSION', retryable: false, message: expect.stringContaining('shared_preload_libraries') as unknown }

      await expect(open().bulkInsert('readings', [{ at: '2001-01-02', value: 2 }])).rejects.toMatchObject(refused)
      await expect(open().capabilities()).rejects.toMatchObject(refused)
      await setting('timescaledb.disable_load', 'off')
      await open().bulkInsert('readings', [{ at: '2001-01-02', value: 2 }])

      expect(await count()).toBe(1n)
    })

    it('when the server has no library for the version of its extension any more', async () => {
      const [found] = await storage.execute<{ version: string }>(`select extversion as version from pg_extension where extname = 'timescaledb'`)
      await setVersion('2.1.0')

      await expect(open().connect()).rejects.toMatchObject({
        name: 'TimescaleConfigurationError',
        code: 'ERR_TIMESCALEDB_EXTENSION',
        context: { extension: '2.1.0' },
        message: expect.stringContaining('alter extension timescaledb update') as unknown,
      })
      await setVersion(found?.version ?? '')
      await open().connect()
    })

    it('and goes on in new sessions when its extension was updated beneath those that were open', async () => {
      const [found] = await storage.execute<{ version: string }>(`select extversion as version from pg_extension where extname = 'timescaledb'`)
      const early = open()
      await early.connect()
      await setVersion('2.1.0')

      await expect(early.execute('insert into readings values (now(), 1)')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONNECTION_LOST', retryable: true })
      await setVersion(found?.version ?? '')
      await early.bulkInsert('readings', [{ at: '2001-01-02', value: 2 }])
    })
  })
})
