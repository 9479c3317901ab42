import type { MetricsSink } from '@smart-whale/interfaces'
import { createConnectionPool, TimescaleDBConfig } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeEditions } from '../each-engine.ts'

describeEditions((engine) => {
  describe.each(['pg', 'postgres'] as const)('ConnectionPool over %s', (driver) => {
    let database: FreshDatabase
    beforeAll(async () => {
      database = await engine.freshDatabase()
    })
    afterAll(() => database.drop())

    it('knows what the server can do', async () => {
      const pool = createConnectionPool({ url: database.url, driver })
      await pool.initialize()

      expect(pool.isInitialized).toBe(true)
      expect(await pool.capabilities()).toMatchObject(
        engine.hypertables ? { edition: 'timescaledb-apache', hypertables: true, community: false } : { edition: 'postgresql', hypertables: false, community: false, timescaledbVersion: null },
      )
      expect((await pool.capabilities()).serverVersion).toBeGreaterThanOrEqual(170_000)
      await pool.close()
      expect(pool.isInitialized).toBe(false)
    })

    it('never opens more connections than it may, and closes all of them', async () => {
      const pool = createConnectionPool({ url: database.url, driver, maxConnections: 3, applicationName: `bounded ${driver}` })
      const observer = createConnectionPool({ url: database.url, driver })
      const sessions = async (): Promise<unknown> => {
        using held = await observer.getConnection()
        return (await held.connection.query('select count(*) as n from pg_stat_activity where application_name = $1', [`bounded ${driver}`])).rows[0]?.['n']
      }
      const work = async (): Promise<void> => {
        using held = await pool.getConnection()
        await held.connection.query('select pg_sleep(0.02)')
      }
      await Promise.all(Array.from({ length: 30 }, work))

      expect(await sessions()).toBe(3n)
      await pool.close()
      await expect.poll(sessions).toBe(0n)
      await observer.close()
    })

    it('reads from replicas in turn, and from the primary when none can be reached', async () => {
      const { port } = new TimescaleDBConfig({ url: database.url }).settings
      const reachable = createConnectionPool({ url: database.url, driver, replicas: [`127.0.0.1:${port}`] })
      const lonely = createConnectionPool({ url: database.url, driver, replicas: ['127.0.0.1:1'] })
      for (const pool of [reachable, lonely]) {
        using held = await pool.getConnection({ readOnly: true })
        expect((await held.connection.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      }

      expect(reachable.counts().busy + reachable.counts().idle).toBe(0)
      expect(lonely.counts().idle).toBe(1)
      await Promise.all([reachable.close(), lonely.close()])
    })

    it('measures waits, refusals and connections', async () => {
      const seen = new Map<string, number>()
      const note = (name: string) => ({
        inc: () => seen.set(name, (seen.get(name) ?? 0) + 1),
        set: (labels: Record<string, unknown>, value: number) => seen.set(`${name} ${String(labels['state'] ?? '')}`, value),
        observe: () => seen.set(name, (seen.get(name) ?? 0) + 1),
      })
      const metrics = { counter: ({ name }: { name: string }) => note(name), gauge: ({ name }: { name: string }) => note(name), histogram: ({ name }: { name: string }) => note(name) } as unknown as MetricsSink
      const pool = createConnectionPool({ url: database.url, driver, maxConnections: 1 }, { metrics })
      const held = await pool.getConnection()
      await expect(pool.getConnection({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_POOL_TIMEOUT' })

      expect(seen.get('smart_whale_timescaledb_pool_wait_seconds')).toBe(1)
      expect(seen.get('smart_whale_timescaledb_pool_refusals_total')).toBe(1)
      expect(seen.get('smart_whale_timescaledb_pool_connections busy')).toBe(1)
      held.release()
      await pool.close()
    })

    it('refuses after close, and serves again once initialized again', async () => {
      const pool = createConnectionPool({ url: database.url, driver })
      await pool.initialize()
      await pool.close()
      await expect(pool.getConnection()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_POOL_CLOSED' })

      await pool.initialize()
      using held = await pool.getConnection()

      expect((await held.connection.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      held.release()
      await pool.close()
    })

    it('fails at once when the server is not there', async () => {
      const pool = createConnectionPool({ host: '127.0.0.1', port: 1, driver })

      await expect(pool.initialize()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_CONNECTION', message: expect.stringContaining('127.0.0.1:1') as string })
      await pool.close()
    })
  })
})
