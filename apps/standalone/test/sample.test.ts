import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countFlights, type ExpectedFlights, readTradingDays } from './expected-flights.ts'
import { ask, processesOn, startStandalone, type StandaloneProcess, temporaryFolder } from './standalone-process.ts'

type Address = { url: string; token: string }
type Answer = { data: Record<string, string | number>[]; columns: { name: string; type: string }[] }

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let standalone: StandaloneProcess
let address: Address
let expected: ExpectedFlights

beforeAll(async () => {
  folder = await temporaryFolder()
  standalone = startStandalone(['--data', folder.path, '--port', '0'])
  expected = await countFlights()
  address = await standalone.ready
})

afterAll(async () => {
  standalone.kill('SIGKILL')
  await standalone.exited
  await folder.remove()
})

const analytics = (query: string): Promise<Answer> => ask<Answer>(address, '/analytics', { query })
const half = 'start=2001-01-01T00:00:00Z&end=2001-07-01T00:00:00Z'

describe('the sample, loaded by one command', () => {
  it('is in ClickHouse: every count and sum by airport', async () => {
    const { data } = await analytics('SELECT origin, count() AS flights, sum(delay) AS delay, sum(distance) AS distance FROM flights GROUP BY origin')

    const found = new Map(data.map((row) => [row.origin, { flights: Number(row.flights), delay: Number(row.delay), distance: Number(row.distance) }]))
    expect(found).toEqual(expected.byAirport)
  })

  it('is in PostgreSQL: every count and sum by airport', async () => {
    const { data } = await ask<Answer>(address, `/timeseries/flights/aggregate?${half}&interval=1%20year&metrics=count,sum:delay,sum:distance&groupBy=origin`)

    const found = new Map(data.map((row) => [row.origin, { flights: Number(row.count), delay: Number(row.sum_delay), distance: Number(row.sum_distance) }]))
    expect(found).toEqual(expected.byAirport)
  })

  it('is in both by day', async () => {
    const clickhouse = await analytics('SELECT toDate(time) AS day, count() AS flights, sum(delay) AS delay, sum(distance) AS distance FROM flights GROUP BY day')
    const postgres = await ask<Answer>(address, `/timeseries/flights/aggregate?${half}&interval=1%20day&metrics=count,sum:delay,sum:distance`)

    expect(new Map(clickhouse.data.map((row) => [String(row.day).slice(0, 10), { flights: Number(row.flights), delay: Number(row.delay), distance: Number(row.distance) }]))).toEqual(expected.byDay)
    expect(new Map(postgres.data.map((row) => [String(row.bucket).slice(0, 10), { flights: Number(row.count), delay: Number(row.sum_delay), distance: Number(row.sum_distance) }]))).toEqual(expected.byDay)
  })

  it('has each event once in both', async () => {
    const { data } = await analytics('SELECT count() AS n, uniqExact(event_id) AS events, uniqExact(source_partition, source_offset) AS origins FROM flights')
    const summary = await ask<{ data: { tables: { name: string; clickhouse: string; timescaledb: string }[] } }>(address, '/dashboard/summary')

    expect(data).toEqual([{ n: String(expected.count), events: String(expected.count), origins: String(expected.count) }])
    expect(summary.data.tables).toEqual([
      { name: 'flights', clickhouse: String(expected.count), timescaledb: String(expected.count) },
      { name: 'sp500', clickhouse: '5105', timescaledb: '5105' },
    ])
  })

  it('keeps every digit of decimals and 64-bit integers, in both', async () => {
    const days = await readTradingDays()
    const digits = (text: unknown): string => String(text).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')

    const clickhouse = await analytics('SELECT id, close, volume FROM sp500 ORDER BY id')
    const postgres = await ask<Answer>(address, '/timeseries/sp500?start=2000-01-01T00:00:00Z&end=2021-01-01T00:00:00Z&limit=10000')

    const wanted = days.map(({ id, close, volume }) => [String(id), digits(close), volume])
    expect(clickhouse.data.map((row) => [row.id, digits(row.close), row.volume])).toEqual(wanted)
    expect(postgres.data.map((row) => [row.id, digits(row.close), row.volume])).toEqual(wanted)
    expect(clickhouse.columns).toEqual([
      { name: 'id', type: 'Int64' },
      { name: 'close', type: 'Decimal(12, 6)' },
      { name: 'volume', type: 'Int64' },
    ])
  })

  it('writes an admin token that its owner alone can read', async () => {
    const { mode } = await stat(join(folder.path, 'admin.token'))

    expect(mode & 0o777).toBe(0o600)
  })

  it('takes events of anybody with the permission, and has them in both stores', async () => {
    const accepted = await ask(address, '/ingest/flights', [{ id: 9_000_000_000_000_000, time: '2002-01-01T00:00:00Z', delay: 1, distance: 2, origin: 'AAA', destination: 'BBB' }])

    expect(accepted).toMatchObject({ topic: 'flights', accepted: 1 })
    const fresh = { query: "SELECT id, delay FROM flights WHERE origin = 'AAA'", options: { cache: false } }
    await expect.poll(() => ask<Answer>(address, '/analytics', fresh)).toMatchObject({ data: [{ id: '9000000000000000', delay: 1 }] })
    await expect.poll(() => ask<Answer>(address, '/timeseries/flights/latest?limit=1')).toMatchObject({ data: [{ id: '9000000000000000', origin: 'AAA' }] })
  })

  it('stops at SIGTERM with exit code 0, and leaves no process', async () => {
    standalone.kill('SIGTERM')

    expect(await standalone.exited).toEqual({ code: 0, signal: null })
    expect(await processesOn(folder.path)).toEqual([])
  })
})
