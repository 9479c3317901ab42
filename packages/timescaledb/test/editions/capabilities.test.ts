import { createTimescaleAdapter, requireFeature, type TimescaleCapabilities, type TimescaleDBStorage, type TimescaleFeature, timescaleFeatures } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeEngines, describeTimescale } from '../each-engine.ts'

/** What only a server that has the feature itself can run; the rest of the features is shown by the suites of their calls. */
const SERVER_OWN: Readonly<Partial<Record<TimescaleFeature, string>>> = {
  'time-partitions': `select create_hypertable('uncut', 'at')::text`,
  'drop-by-age': `select drop_chunks('cut', older_than => timestamptz '1990-01-01')::text`,
  'time-buckets': `select time_bucket(interval '1 day', now())`,
  'first-last': 'select first(at, at), last(at, at) from cut',
  'gap-filling': `select time_bucket_gapfill(interval '1 day', at) from cut where at >= '2001-01-01' and at < '2001-02-01' group by 1`,
  histograms: 'select histogram(1.0, 0.0, 2.0, 2)',
  'space-partitions': `select add_dimension('empty', 'host', 4)::text`,
  'continuous-aggregates': `create materialized view hourly with (timescaledb.continuous) as select time_bucket('1 hour', at), count(*) from cut group by 1`,
  compression: 'alter table cut set (timescaledb.compress)',
  'retention-policies': `select add_retention_policy('cut', interval '1 year')`,
  jobs: `select add_job('now'::regproc, interval '1 day')`,
  'approximate-percentiles': 'select approx_percentile(0.5, percentile_agg(1.0::float8))',
}

/** Whether the server itself is what provides the feature, by the functions above. */
function isServerOwn({ edition, features }: TimescaleCapabilities, feature: TimescaleFeature): boolean {
  // That of this package is there everywhere; the server's own function only in one edition.
  if (feature === 'gap-filling') return edition === 'timescaledb-community'
  return ['server function', 'hypertable'].includes(features[feature].providedBy)
}

describeEngines((engine) => {
  describe.each(['pg', 'postgres'] as const)('the capabilities of a server, over %s', (driver) => {
    let database: FreshDatabase
    let storage: TimescaleDBStorage
    let capabilities: TimescaleCapabilities
    beforeAll(async () => {
      database = await engine.freshDatabase()
      storage = createTimescaleAdapter({ url: database.url, driver })
      await storage.execute('create table cut (at timestamptz not null, host text)')
      await storage.execute('create table uncut (at timestamptz not null)')
      await storage.execute('create table empty (at timestamptz not null, host text)')
      for (const table of ['cut', 'empty']) await storage.createHypertable(table, 'at')
      await storage.bulkInsert('cut', [{ at: '2001-01-01', host: 'h' }])
      capabilities = await storage.capabilities()
    })
    afterAll(async () => {
      await storage.disconnect()
      await database.drop()
    })

    it('name edition, versions, and for each feature by what it is provided or what would provide it', () => {
      expect(capabilities.edition === 'postgresql').toBe(!engine.hypertables)
      expect(capabilities.serverVersion).toBeGreaterThanOrEqual(170_000)
      if (engine.hypertables) expect(capabilities.availableVersion).toBe(capabilities.timescaledbVersion)
      else expect([capabilities.timescaledbVersion, capabilities.availableVersion, capabilities.toolkitVersion]).toEqual([null, null, null])
      expect(Object.keys(capabilities.features)).toEqual(timescaleFeatures)
      for (const report of Object.values(capabilities.features)) {
        expect(report.available).toBe(report.remedy === null)
        expect(report.available).toBe(report.providedBy !== 'not at all')
      }
      expect(capabilities.features['time-partitions'].providedBy).toBe(engine.hypertables ? 'hypertable' : 'native partition')
    })

    it.each(Object.entries(SERVER_OWN) as [TimescaleFeature, string][])('tell the truth of %s', async (feature, statement) => {
      const { edition, timescaledbVersion } = capabilities
      if (isServerOwn(capabilities, feature)) return expect(await storage.execute(statement)).toBeInstanceOf(Array)

      // Of an option the server doesn't say what it is for.
      const isNamed = !/ with \(| set \(/.test(statement)
      const needs = feature === 'approximate-percentiles' ? 'timescaledb_toolkit' : engine.hypertables ? 'Community edition' : 'TimescaleDB'
      await expect(storage.execute(statement)).rejects.toMatchObject({
        name: 'TimescaleConfigurationError',
        code: 'ERR_TIMESCALEDB_EDITION',
        status: 501,
        retryable: false,
        context: { ...(isNamed ? { feature } : {}), edition, timescaledbVersion },
        message: expect.stringMatching(new RegExp(`${timescaledbVersion ?? 'PostgreSQL 1\\d'}.*it takes .*${needs}`)) as unknown,
      })
    })

    it('let a caller refuse what can not be done before it begins', () => {
      for (const feature of timescaleFeatures) {
        const attempt = () => requireFeature(capabilities, feature)
        if (capabilities.features[feature].available) expect(attempt).not.toThrow()
        else expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_EDITION', context: expect.objectContaining({ feature }) as unknown }) as Error)
      }
    })
  })
})

describeTimescale((engine) => {
  it('a database without the extension is plain PostgreSQL, and says what the server could add', async () => {
    const database = await engine.freshPlainDatabase()
    const storage = createTimescaleAdapter({ url: database.url })
    try {
      const { edition, timescaledbVersion, availableVersion, features } = await storage.capabilities()

      expect([edition, timescaledbVersion, features['time-partitions'].providedBy]).toEqual(['postgresql', null, 'native partition'])
      expect(availableVersion).toMatch(/^2\.\d+/)
      expect(features.histograms.remedy).toContain(`this server has ${availableVersion} installed: create extension timescaledb`)
      await expect(storage.execute(`select time_bucket('1 day', now())`)).rejects.toMatchObject({
        code: 'ERR_TIMESCALEDB_EDITION',
        message: expect.stringMatching(/without TimescaleDB has no function time_bucket: .*create extension timescaledb; getAggregated, smart_whale_time_bucket can do without/) as unknown,
      })
    } finally {
      await storage.disconnect()
      await database.drop()
    }
  })
})
