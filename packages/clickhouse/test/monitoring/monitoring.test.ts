import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAdapter, createPerformanceMonitor, HealthCheck } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => {
  database = await ownDatabase()
  await database.owner.execute('CREATE TABLE a (x UInt64) ENGINE = MergeTree ORDER BY x')
  await database.owner.execute('INSERT INTO a SELECT number FROM numbers(10)')
})
afterAll(() => database.drop())

describe('a server', () => {
  it('is looked at', async () => {
    const monitor = createPerformanceMonitor(database.owner)

    const state = await monitor.collectMetrics()

    expect(state.unseen).toEqual({})
    expect(state.parts?.rows).toBeGreaterThanOrEqual(10)
    expect(state.disks?.[0]?.totalBytes).toBeGreaterThan(0)
    expect(state.queries?.running).toBeGreaterThanOrEqual(1)
    expect(state.events?.Query).toBeGreaterThan(0)
    await monitor.stop()
  })

  it('is well, by two probes of which one is critical', async () => {
    const probes = new HealthCheck(database.owner, { limits: { freeDiskShare: 0, partsOfPartition: 1e9, pendingMutations: 1e9 } }).probes()

    const [connection, system] = await Promise.all(probes.map((probe) => probe.check({ signal: AbortSignal.timeout(10_000) })))

    expect(probes.map(({ name, critical = true }) => [name, critical])).toEqual([
      ['clickhouse', true],
      ['clickhouse-system', false],
    ])
    expect(connection?.status).toBe('up')
    // Another test's mutation may fail just now.
    expect(system?.status).not.toBe('down')
    expect(system?.data).toHaveProperty('parts')
  })

  it('that may not be seen is told as unseen', async () => {
    const { detail } = await new HealthCheck(database.reader).checkSystemHealth()

    expect(detail).toMatch(/can't see .*parts/)
  })

  it('that is away is down', async () => {
    const adapter = createAdapter({ url: 'http://127.0.0.1:9', retry: { maxAttempts: 1 } })

    expect(await new HealthCheck(adapter).checkSystemHealth()).toMatchObject({ status: 'down' })
    expect(await new HealthCheck(adapter).checkDatabaseConnection()).toMatchObject({ status: 'down' })
    await adapter.close()
  })
})
