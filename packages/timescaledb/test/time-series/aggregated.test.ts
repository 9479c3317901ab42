import { TimeRange, TimeSeriesRepository, type TimescaleStorage } from '@smart-whale/timescaledb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

interface Reading {
  at: Date
  host: string | null
  small: number | null
  big: bigint | null
  fare: string | null
  ratio: number | null
}

const HOUR = 3_600_000
const START = Date.UTC(2001, 0, 30)

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await storage.execute('create table readings (at timestamptz not null, host text, small int, big bigint, fare numeric(12, 2), ratio float8)')
  })
  afterAll(() => database.close())

  const fill = async (rows: readonly Reading[]): Promise<void> => {
    await storage.execute('truncate readings')
    if (rows.length > 0) await storage.bulkInsert('readings', rows as never, { columns: ['at', 'host', 'small', 'big', 'fare', 'ratio'] })
  }

  const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 5 })
  const reading = fc.record({
    // Distinct moments make first and last unambiguous; they are made distinct below.
    at: fc.integer({ min: 0, max: 100 * 60 }).map((minutes) => new Date(START + minutes * 60_000)),
    host: nullable(fc.constantFrom('a', 'b', 'c')),
    small: nullable(fc.integer({ min: -1000, max: 1000 })),
    big: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    fare: nullable(fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => (cents / 100).toFixed(2))),
    // Without a negative zero, which is another value to a test only.
    ratio: nullable(fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value + 0)),
  })
  const readings = fc.uniqueArray(reading, { maxLength: 80, selector: ({ at }) => at.getTime() })

  /** The same answers, computed the plain way. */
  function expected(rows: readonly Reading[], interval: string): Record<string, unknown>[] {
    const groups = new Map<string, { bucket: Date; host: string | null; rows: Reading[] }>()
    for (const row of rows) {
      const [bucket] = new TimeRange(row.at, row.at.getTime() + 1).buckets(interval)
      const start = (bucket as TimeRange).start
      const key = JSON.stringify([start.getTime(), row.host])
      const group = groups.get(key) ?? { bucket: start, host: row.host, rows: [] }
      group.rows.push(row)
      groups.set(key, group)
    }
    const place = (host: string | null): number => ['a', 'b', 'c', null].indexOf(host)
    const inOrder = [...groups.values()].sort((a, b) => a.bucket.getTime() - b.bucket.getTime() || place(a.host) - place(b.host))
    return inOrder.map(({ bucket, host, rows: members }) => ({ bucket, host, ...aggregate(members) }))
  }

  function aggregate(rows: readonly Reading[]): Record<string, unknown> {
    const inTime = [...rows].sort((a, b) => a.at.getTime() - b.at.getTime())
    const present = <K extends keyof Reading>(name: K) => rows.map((row) => row[name]).filter((value): value is NonNullable<Reading[K]> => value !== null)
    const [small, big, fare, ratio] = [present('small'), present('big'), present('fare'), present('ratio')]
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    const mean = sum(small) / small.length
    const sorted = [...ratio].sort((a, b) => a - b)
    const place = (sorted.length - 1) * 0.9
    const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0]
    const cents = fare.reduce((total, value) => total + BigInt(value.replace('.', '')), 0n)
    const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0')
    return {
      count: BigInt(rows.length),
      count_small: BigInt(small.length),
      sum_small: small.length === 0 ? null : BigInt(sum(small)),
      sum_big: big.length === 0 ? null : big.reduce((total, value) => total + value, 0n),
      sum_fare: fare.length === 0 ? null : `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`,
      min_big: big.length === 0 ? null : big.reduce((one, other) => (one < other ? one : other)),
      max_small: small.length === 0 ? null : Math.max(...small),
      avg_small: small.length === 0 ? null : mean,
      stddev_small: small.length < 2 ? null : Math.sqrt(sum(small.map((value) => (value - mean) ** 2)) / (small.length - 1)),
      p90_ratio: ratio.length === 0 ? null : low + (high - low) * (place - Math.floor(place)),
      first_small: inTime[0]?.small,
      last_fare: inTime.at(-1)?.fare,
    }
  }

  const metrics = ['count', 'count:small', 'sum:small', 'sum:big', 'sum:fare', 'min:big', 'max:small', 'avg:small', 'stddev:small', 'p90:ratio', 'first:small', 'last:fare']

  const closely = (rows: readonly Record<string, unknown>[]) =>
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'number' && !Number.isInteger(value) ? (expect.closeTo(value, 6) as unknown) : value])))

  describe('getAggregated', () => {
    it('gives what the plain computation gives, on random data', async () => {
      await fc.assert(
        fc.asyncProperty(readings, fc.constantFrom('20 minutes', '5 hours', '1 day', '7 days', '1 month'), async (rows, interval) => {
          await fill(rows)
          const { rows: found } = await new TimeSeriesRepository(storage, 'readings').getAggregated({ start: new Date(START), end: new Date(START + 101 * HOUR) }, interval, metrics, { groupBy: ['host'] })

          expect(found).toEqual(closely(expected(rows, interval)))
        }),
        { numRuns: 40 },
      )
    })

    it('fills the gaps of every series, and changes no bucket that has rows', async () => {
      await fc.assert(
        fc.asyncProperty(readings, fc.constantFrom('null', 'locf', 'linear' as const), async (rows, fillWith) => {
          await fill(rows)
          const range = new TimeRange(START, START + 101 * HOUR)
          const { rows: found } = await new TimeSeriesRepository(storage, 'readings').getAggregated(range, '5 hours', ['count', 'sum:small'], { groupBy: ['host'], fill: fillWith as 'null' })

          const plain = expected(rows, '5 hours').map(({ bucket, host, count, sum_small }) => ({ bucket, host, count, sum_small }))
          const hosts = new Set(rows.map(({ host }) => host))
          expect(found).toHaveLength(range.buckets('5 hours').length * hosts.size)
          const known = found.filter(({ count }) => count !== 0n)
          const fillable = (value: unknown): boolean => fillWith === 'null' || value !== null
          expect(known.filter((_, index) => fillable(plain[index]?.sum_small))).toEqual(plain.filter(({ sum_small }) => fillable(sum_small)))
        }),
        { numRuns: 20 },
      )
    })

    it('keeps whole buckets and whole hours apart across a change of clocks', async () => {
      const start = Date.UTC(2001, 2, 24, 12)
      await fill(Array.from({ length: 48 }, (_, hour) => ({ at: new Date(start + hour * HOUR), host: 'a', small: 1, big: null, fare: null, ratio: null })))
      const { rows } = await new TimeSeriesRepository(storage, 'readings').getAggregated(null, '1 day', ['count'], { timeZone: 'Europe/Berlin', fill: 'null' })

      expect(rows).toEqual([
        { bucket: new Date('2001-03-23T23:00:00Z'), count: 11n },
        { bucket: new Date('2001-03-24T23:00:00Z'), count: 23n },
        { bucket: new Date('2001-03-25T22:00:00Z'), count: 14n },
      ])
    })

    it('takes an hour that comes twice for two, and fills both; of one that is skipped there is no bucket', async () => {
      const quarters = async (day: string): Promise<[string, bigint][]> => {
        const start = Date.parse(day)
        // One reading an hour, at ten past.
        await fill(Array.from({ length: 4 }, (_, hour) => ({ at: new Date(start + hour * HOUR + 600_000), host: 'a', small: 1, big: null, fare: null, ratio: null })))
        const range = { start: new Date(start), end: new Date(start + 4 * HOUR) }
        const { rows } = await new TimeSeriesRepository(storage, 'readings').getAggregated(range, '30 minutes', ['count'], { timeZone: 'Europe/Berlin', fill: 'null' })
        return rows.map(({ bucket, count }) => [(bucket as Date).toISOString().slice(11, 16), count as bigint])
      }
      const everyHalfHour = (hours: string[]) => hours.flatMap((hour): [string, bigint][] => [[`${hour}:00`, 1n], [`${hour}:30`, 0n]])

      expect(await quarters('2001-10-27T23:00:00Z')).toEqual(everyHalfHour(['23', '00', '01', '02']))
      expect(await quarters('2001-03-24T23:00:00Z')).toEqual(everyHalfHour(['23', '00', '01', '02']))
    })

    it('covers the whole table when no range is given, to the last microsecond', async () => {
      await storage.execute('truncate readings')
      expect((await new TimeSeriesRepository(storage, 'readings').getAggregated(null, '1 day', ['count'])).rows).toEqual([])
      await storage.execute(`insert into readings (at) values ('2001-01-01T00:00:00.000001Z'), ('2001-01-03T00:00:00.999999Z')`)

      expect((await new TimeSeriesRepository(storage, 'readings').getAggregated(null, '1 day', ['count'], { fill: 'null' })).rows.map(({ count }) => count)).toEqual([1n, 0n, 1n])
    })

    it('names columns as told, and says their types', async () => {
      await fill([])
      const { columns } = await new TimeSeriesRepository(storage, 'readings').getAggregated(null, '1 day', [{ function: 'percentile', column: 'ratio', fraction: 0.999 }, { function: 'sum', column: 'small', as: 'total' }, 'percentile:big:0.5'], { groupBy: ['host'] })

      expect(columns).toEqual([
        { name: 'bucket', type: 'timestamp with time zone' },
        { name: 'host', type: 'text' },
        { name: 'p99_9_ratio', type: 'double precision' },
        { name: 'total', type: 'bigint' },
        { name: 'p50_big', type: 'double precision' },
      ])
    })

    it('refuses what is wrong or too much, by name', async () => {
      await fill([{ at: new Date(START), host: 'a', small: 1, big: null, fare: null, ratio: null }])
      const repository = new TimeSeriesRepository(storage, 'readings', { maxRows: 100 })
      const range = { start: new Date(START), end: new Date(START + 100 * HOUR) }
      const refused = (promise: Promise<unknown>, path: (string | number)[]) => expect(promise).rejects.toMatchObject({ status: 400, issues: [{ path }] })

      await refused(repository.getAggregated(range, '1 minute', ['count']), ['interval'])
      await refused(repository.getAggregated(range, 'often', ['count']), ['interval'])
      await refused(repository.getAggregated(range, '1 day', []), ['metrics'])
      await refused(repository.getAggregated(range, '1 day', ['count', 'median:small']), ['metrics', 1])
      await refused(repository.getAggregated(range, '1 day', ['avg']), ['metrics', 0])
      await refused(repository.getAggregated(range, '1 day', ['avg:host']), ['metrics', 0])
      await refused(repository.getAggregated(range, '1 day', ['avg:nope']), ['metrics', 0])
      await refused(repository.getAggregated(range, '1 day', ['percentile:small:2']), ['metrics', 0])
      await refused(repository.getAggregated(range, '1 day', ['count', 'count']), ['metrics'])
      await refused(repository.getAggregated(range, '1 day', ['count'], { groupBy: ['nope'] }), ['groupBy', 0])
      await refused(repository.getAggregated(range, '1 day', ['count'], { fill: 'guess' as never }), ['fill'])
      await refused(repository.getAggregated(range, '1 day', ['count'], { timeZone: '+02:00' }), ['timeZone'])
    })

    it('refuses more series than the answer may hold', async () => {
      await fill(Array.from({ length: 60 }, (_, index) => ({ at: new Date(START + index * HOUR), host: `h${index}`, small: 1, big: null, fare: null, ratio: null })))
      const repository = new TimeSeriesRepository(storage, 'readings', { maxRows: 100 })

      await expect(repository.getAggregated(null, '1 day', ['count'], { groupBy: ['host'], fill: 'null' })).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_TOO_MANY_ROWS', status: 422 })
    })
  })
})
