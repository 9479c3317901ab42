import { createMigrationManager, TimeSeriesRepository, type TimescaleDBStorage } from '@smart-whale/timescaledb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bucketExpression } from '../../src/time-series/bucket-expression.ts'
import { intervalToSql, type TimeInterval } from '../../src/time-series/time-interval.ts'
import { describeTimescale, plainPostgres } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

const DAY = 86_400_000
const ZONES = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia', 'Australia/Lord_Howe', 'America/Sao_Paulo']
const METRICS = ['count', 'sum:big', 'sum:fare', 'min:fare', 'max:name', 'first:name', 'last:name', 'first:fare', 'last:fare', 'first:tags', 'last:tags', 'avg:big', 'p90:ratio', 'stddev:ratio']

const moment = fc.oneof(
  fc.date({ min: new Date('0100-01-01'), max: new Date('9000-01-01'), noInvalidDate: true }),
  // Where clocks change, months end and the count of buckets begins.
  fc.tuple(fc.constantFrom('2001-03-25T01:00Z', '2001-10-28T01:00Z', '2011-12-30T10:00Z', '2000-01-01T00:00Z', '2000-01-03T00:00Z', '1999-12-31T23:00Z'), fc.integer({ min: -2 * DAY, max: 2 * DAY })).map(([near, away]) => new Date(Date.parse(near) + away)),
)
const interval: fc.Arbitrary<TimeInterval> = fc.oneof(
  fc.integer({ min: 1, max: 400 * DAY }).map((milliseconds) => ({ months: 0, milliseconds })),
  fc.constantFrom(1000, 60_000, 900_000, 3_600_000, DAY, 7 * DAY).map((milliseconds) => ({ months: 0, milliseconds })),
  fc.constantFrom(1, 2, 3, 5, 6, 12, 24, 120).map((months) => ({ months, milliseconds: 0 })),
)

/** Rows that share moments and names, so that there are ties and gaps. */
const reading = fc.record({
  at: fc.integer({ min: 0, max: 40 }).map((step) => new Date(Date.UTC(2001, 0, 28) + step * 6 * 3_600_000)),
  host: fc.constantFrom('a', 'B', 'é', 'Z', 'ä'),
  name: fc.option(fc.constantFrom('x', 'X', 'é', 'e', 'zz', '_'), { nil: null }),
  big: fc.option(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), { nil: null }),
  fare: fc.option(fc.integer({ min: -999, max: 999 }).map((cents) => (cents / 100).toFixed(2)), { nil: null }),
  ratio: fc.option(fc.integer({ min: -1000, max: 1000 }).map((whole) => whole / 8 + 0), { nil: null }),
  tags: fc.option(fc.constantFrom({ a: 1 }, { b: [2] }, [3]), { nil: null }),
})
type Reading = typeof reading extends fc.Arbitrary<infer R> ? R : never

describeTimescale((engine) => {
  let [timescale, plain] = [] as unknown as [TestDatabase, TestDatabase]

  beforeAll(async () => {
    ;[timescale, plain] = await Promise.all([openTestDatabase(engine), openTestDatabase(plainPostgres)])
    for (const { storage } of [timescale, plain]) {
      await createMigrationManager(storage).up()
      for (const [table, key] of [['keyed', ', primary key (host, at)'], ['keyless', '']] as const) {
        await storage.execute(`create table ${table} (at timestamptz not null, host text not null, name text, big bigint, fare numeric(10, 2), ratio float8, tags jsonb${key})`)
        await storage.createHypertable(table, 'at')
      }
    }
  })
  afterAll(() => Promise.all([timescale.close(), plain.close()]))

  describe('time_bucket and what stands in for it', () => {
    it('cut every moment alike, by any interval, in any zone', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(moment, { minLength: 20, maxLength: 40 }), interval, fc.constantFrom(undefined, ...ZONES), async (moments, length, timeZone) => {
          const zone = timeZone ?? 'UTC'
          const [ours, native] = [false, true].map((timeBucket) => bucketExpression('at', length, { timeZone, timeBucket }))
          const rows = await timescale.storage.execute(
            `select ${ours} as ours, ${native} as native, time_bucket('${intervalToSql(length)}', at, '${zone}') as theirs,
               smart_whale_time_bucket($2::interval, at, '${zone}') as function, at from unnest($1::timestamptz[]) at`,
            [moments, intervalToSql(length)],
          )

          for (const { ours: bucket, native: other, theirs, function: function_, at } of rows as Record<string, Date>[]) {
            expect([other, Number(bucket) <= Number(at)]).toEqual([bucket, true])
            // Where clocks change, older versions may take the start for a moment after the one that it is the start for.
            if (Number(theirs) <= Number(at)) expect(theirs).toEqual(bucket)
            if (Number(function_) <= Number(at)) expect(function_).toEqual(bucket)
            if (engine.name !== 'TimescaleDB') expect(theirs).toEqual(bucket)
          }
        }),
        { numRuns: 60 },
      )
    })
  })

  describe('aggregates of the same rows', () => {
    const fill = async (storage: TimescaleDBStorage, table: string, rows: readonly Reading[]): Promise<void> => {
      await storage.execute(`truncate ${table}`)
      // Each server has them lie in another order.
      const shuffled = storage === plain.storage ? [...rows].reverse() : rows
      if (rows.length > 0) await storage.bulkInsert(table, shuffled)
    }
    const ask = async (storage: TimescaleDBStorage, table: string, step: string, groupBy: string[], timeZone: string) =>
      (await new TimeSeriesRepository(storage, table).getAggregated({ start: new Date('2001-01-20'), end: new Date('2001-03-01') }, step, METRICS, { groupBy, timeZone, fill: 'null' })).rows

    it.each(['keyed', 'keyless'])('are the same on both servers, ties included (%s)', async (table) => {
      await fc.assert(
        fc.asyncProperty(
          table === 'keyed' ? fc.uniqueArray(reading, { maxLength: 60, selector: ({ at, host }) => `${host} ${at.getTime()}` }) : fc.array(reading, { maxLength: 60 }),
          fc.constantFrom('12 hours', '1 day', '7 days', '1 month'),
          fc.constantFrom<string[]>([], ['host'], ['name']),
          fc.constantFrom(...ZONES),
          async (rows, step, groupBy, timeZone) => {
            await Promise.all([fill(timescale.storage, table, rows), fill(plain.storage, table, rows)])
            const [one, other] = await Promise.all([ask(timescale.storage, table, step, groupBy, timeZone), ask(plain.storage, table, step, groupBy, timeZone)])

            expect(closely(one)).toEqual(other)
          },
        ),
        { numRuns: 30 },
      )
    })

    it('take the row that the key puts first or last of those that share a moment; without a key the smallest or largest value', async () => {
      const at = new Date('2001-02-01')
      const rows = ([['b', 'a'], ['a', 'x'], ['C', 'm'], ['d', 'n']] as const).map(([host, name]) => ({ at, host, name, big: null, fare: null, ratio: null, tags: null }))
      for (const { storage } of [timescale, plain]) {
        for (const table of ['keyed', 'keyless']) await fill(storage, table, rows as Reading[])
        const ends = async (table: string) => (await new TimeSeriesRepository(storage, table).getAggregated(null, '1 day', ['first:name', 'last:name'])).rows.map(({ first_name: first, last_name: last }) => [first, last])

        expect([await ends('keyed'), await ends('keyless')]).toEqual([[['m', 'n']], [['a', 'x']]])
      }
    })
  })
})

/** Floats are added up in the order in which rows lie. */
function closely(rows: readonly Record<string, unknown>[]): unknown[] {
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? (expect.closeTo(value, 6) as unknown) : value])))
}
