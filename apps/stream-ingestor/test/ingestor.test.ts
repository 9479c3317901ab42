import { afterEach, describe, expect, it } from 'vitest'
import type { HealthProbe } from '@smart-whale/interfaces'
import type { PipelineInput } from '@smart-whale/messaging/pipeline'
import { type IngestorBench, startIngestorBench, storedIds } from './ingestor-bench.ts'

const RIDES: PipelineInput = { topic: 'rides', fields: { id: 'int64', time: 'timestamp', city: 'string', fare: 'decimal(8,2)' }, time: 'time', id: 'id', partitions: 2 }

let bench: IngestorBench | null = null

afterEach(async () => {
  await bench?.close()
  bench = null
})

const ride = (id: number, more: object = {}): string => JSON.stringify({ id, time: new Date(Date.UTC(2026, 0, 1) + id * 1000).toISOString(), city: 'Oslo', fare: '1.50', ...more })
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)
const settled = (running: IngestorBench): Promise<void> => expect.poll(async () => (await running.ingestor.status()).pipelines[0]?.lag, { interval: 50 }).toBe(0)

function pipelineProbe({ ingestor }: IngestorBench): HealthProbe {
  const probe = ingestor.probes.find(({ name }) => name.startsWith('pipeline '))
  if (probe === undefined) throw new TypeError(`no pipeline among ${ingestor.probes.map(({ name }) => name).join(', ')}`)
  return probe
}

describe('an ingestor on real engines', () => {
  it('puts each event into both stores once', async () => {
    bench = await startIngestorBench([RIDES])
    await bench.transport.send('rides', numbers(0, 5000).map((id) => ({ key: String(id), value: ride(id) })))
    await settled(bench)

    const wanted = numbers(0, 5000).map(String)
    expect(await storedIds(bench, 'rides')).toEqual({ clickhouse: wanted, timescaledb: wanted })
    const { rows } = await bench.clickhouse.execute('SELECT toString(sum(fare)) AS fare FROM rides')
    expect(rows).toEqual([{ fare: '7500' }])
    expect(await bench.timescaledb.execute('select sum(fare) as fare from rides')).toEqual([{ fare: '7500.00' }])
  })

  it('keeps every field type as it was sent, in both stores', async () => {
    const fields = { id: 'int64', time: 'timestamp', s: 'string', i: 'int32', f: 'float64', d: 'decimal(20,4)', b: 'boolean', day: 'date', u: 'uuid', j: 'json', n: 'int64?', jn: 'json?' }
    bench = await startIngestorBench([{ topic: 'all', fields, time: 'time', id: 'id', partitions: 1 }])
    const event = `{"id":9223372036854775807,"time":"2026-01-31T12:00:00.123Z","s":"é🐳'\\"","i":-5,"f":0.1,"d":1234567890123456.7891,"b":true,"day":"1900-01-01","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","j":{"x":[12345678901234567890,"y"]}}`
    await bench.transport.send('all', [{ value: event }])
    await settled(bench)

    expect(await bench.deadLetters('all')).toEqual([])
    const text = 'toString(id) AS id, toString(time) AS time, s, i, f, toString(d) AS d, b, toString(day) AS day, toString(u) AS u, j, n, jn'
    const { rows } = await bench.clickhouse.execute(`SELECT ${text} FROM \`all\``)
    expect(rows).toEqual([{ id: '9223372036854775807', time: '2026-01-31 12:00:00.123', s: `é🐳'"`, i: -5, f: 0.1, d: '1234567890123456.7891', b: true, day: '1900-01-01', u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', j: '{"x":[12345678901234567890,"y"]}', n: null, jn: null }])
    const sql = `select id::text, to_char(time at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.MS') as time, s, i, f, d::text, b, day::text, u::text, j->'x'->>0 as j, n, jn from "all"`
    expect(await bench.timescaledb.execute(sql)).toEqual([{ id: '9223372036854775807', time: '2026-01-31 12:00:00.123', s: `é🐳'"`, i: -5, f: 0.1, d: '1234567890123456.7891', b: true, day: '1900-01-01', u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', j: '12345678901234567890', n: null, jn: null }])
  })

  it('sends bad records to the dead letters, byte for byte, and stores the good ones around them', async () => {
    bench = await startIngestorBench([RIDES])
    const bad: (Buffer | null)[] = [Buffer.from('{"id":'), Buffer.from([0xff, 0xfe, 0x00]), null, Buffer.from(ride(1, { fare: 'much' })), Buffer.from('['.repeat(100_000)), Buffer.from(ride(2, { time: '10000-01-01' }))]
    const good = numbers(100, 400)
    const records = good.map((id) => ({ value: ride(id) as string | Buffer | null, partition: id % 2 }))
    bad.forEach((value, index) => records.splice(index * 40, 0, { value, partition: 0 }))
    await bench.transport.send('rides', records)
    await settled(bench)

    expect(await storedIds(bench, 'rides')).toEqual({ clickhouse: good.map(String), timescaledb: good.map(String) })
    const letters = await bench.deadLetters('rides')
    expect(letters.map(({ value }) => value?.toString('hex') ?? null).sort()).toEqual(bad.map((value) => value?.toString('hex') ?? null).sort())
    for (const { headers } of letters) expect(headers).toMatchObject({ 'smartwhale-dlq-topic': 'rides', 'smartwhale-dlq-partition': '0', 'smartwhale-dlq-reason': expect.stringMatching(/\w/) as string, 'smartwhale-dlq-offset': expect.stringMatching(/^\d+$/) as string })
    expect(letters.map(({ headers }) => headers['smartwhale-dlq-reason'])).toContain('field "fare" must be a decimal number without exponent, or its digits in a string; is a string')
  })

  it.each(['clickhouse', 'timescaledb'] as const)('keeps a row that only %s refuses out of both, and only that row', async (refusing) => {
    bench = await startIngestorBench([RIDES])
    const constraint = { clickhouse: () => bench?.clickhouse.execute('ALTER TABLE rides ADD CONSTRAINT not_atlantis CHECK city != \'Atlantis\''), timescaledb: () => bench?.timescaledb.execute("alter table rides add constraint not_atlantis check (city <> 'Atlantis')") }
    await constraint[refusing]()
    const refused = [13, 14, 77, 199]
    await bench.transport.send('rides', numbers(0, 200).map((id) => ({ value: ride(id, refused.includes(id) ? { city: 'Atlantis' } : {}), partition: 0 })))
    await settled(bench)

    const wanted = numbers(0, 200).filter((id) => !refused.includes(id)).map(String)
    expect(await storedIds(bench, 'rides')).toEqual({ clickhouse: wanted, timescaledb: wanted })
    const letters = await bench.deadLetters('rides')
    expect(letters.map(({ value }) => (JSON.parse(String(value)) as { id: number }).id)).toEqual(refused)
    for (const { headers } of letters) expect(headers).toMatchObject({ 'smartwhale-dlq-reason-code': 'refused-by-store', 'smartwhale-dlq-reason': expect.stringContaining('not_atlantis') as string })
  })

  it.each(['clickhouse', 'timescaledb'] as const)('waits while %s is away, loses nothing, and goes on', async (away) => {
    bench = await startIngestorBench([RIDES])
    await bench.transport.send('rides', numbers(0, 500).map((id) => ({ value: ride(id), partition: id % 2 })))
    await settled(bench)

    bench.lines[away].cut()
    await bench.transport.send('rides', numbers(500, 1500).map((id) => ({ value: ride(id), partition: id % 2 })))
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.state).toBe('paused')
    expect(await pipelineProbe(bench).check({ signal: AbortSignal.timeout(1000) })).toMatchObject({ status: 'degraded' })
    bench.lines[away].mend()
    await settled(bench)

    const wanted = numbers(0, 1500).map(String)
    expect(await storedIds(bench, 'rides')).toEqual({ clickhouse: wanted, timescaledb: wanted })
    expect(await bench.deadLetters('rides')).toEqual([])
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.state).toBe('running')
  })

  it('halts rather than dead-lettering a flood', async () => {
    bench = await startIngestorBench([{ ...RIDES, partitions: 1, limits: { maxRows: 500 } }])
    await bench.transport.send('rides', numbers(0, 6000).map((id) => ({ value: id < 1000 ? ride(id) : '{}' })))
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.state).toBe('halted')

    expect((await bench.deadLetters('rides')).length).toBeLessThan(2000)
    expect(await pipelineProbe(bench).check({ signal: AbortSignal.timeout(1000) })).toMatchObject({ status: 'down', detail: expect.stringContaining('are bad') as string })
  })

  it('halts as well when it is a store that refuses nearly all', async () => {
    bench = await startIngestorBench([{ ...RIDES, partitions: 1 }])
    await bench.clickhouse.execute("ALTER TABLE rides ADD CONSTRAINT nobody CHECK city = 'Nowhere'")
    await bench.transport.send('rides', numbers(0, 4000).map((id) => ({ value: ride(id) })))
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.state).toBe('halted')

    expect((await bench.deadLetters('rides')).length).toBeLessThan(2000)
  })

  it('fills a view that missed what its table has', async () => {
    bench = await startIngestorBench([{ ...RIDES, partitions: 1 }])
    const { clickhouse } = bench
    await clickhouse.execute('CREATE TABLE per_city (city String, n UInt64) ENGINE = SummingMergeTree ORDER BY city SETTINGS non_replicated_deduplication_window = 1000')
    // Fails until the table it reads has a row: the main table has taken the slice by then.
    await clickhouse.execute('CREATE TABLE gate (open UInt8) ENGINE = MergeTree ORDER BY open')
    await clickhouse.execute("CREATE MATERIALIZED VIEW per_city_view TO per_city AS SELECT city, 1 AS n FROM rides WHERE throwIf((SELECT count() FROM gate) = 0, 'closed') = 0")
    await bench.transport.send('rides', numbers(0, 10).map((id) => ({ value: ride(id) })))
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.state).toBe('paused')
    await clickhouse.execute('INSERT INTO gate VALUES (1)')
    await settled(bench)

    expect((await clickhouse.execute('SELECT sum(n) AS n FROM per_city')).rows).toEqual([{ n: 10n }])
    expect((await storedIds(bench, 'rides')).clickhouse).toEqual(numbers(0, 10).map(String))
  })

  it('refuses to go on with a topic that was made again while ClickHouse has rows of the old one', async () => {
    bench = await startIngestorBench([RIDES])
    await bench.transport.send('rides', numbers(0, 10).map((id) => ({ value: ride(id), partition: 0 })))
    await settled(bench)
    await bench.ingestor.stop()
    await bench.transport.topics.delete('rides')

    await bench.ingestor.start()
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.state).toBe('halted')
    expect((await bench.ingestor.status()).pipelines[0]?.reason).toMatch(/PostgreSQL has rows of partition 0 of "rides" of an earlier topic/)
  })

  it('stops in the middle of a stream and goes on after it with nothing twice', async () => {
    bench = await startIngestorBench([{ ...RIDES, limits: { maxRows: 200 } }])
    await bench.transport.send('rides', numbers(0, 6000).map((id) => ({ value: ride(id), partition: id % 2 })))
    await expect.poll(async () => (await bench?.ingestor.status())?.pipelines[0]?.stored, { interval: 10 }).toBeGreaterThan(0)
    await bench.ingestor.stop()
    await bench.ingestor.start()
    await settled(bench)

    const wanted = numbers(0, 6000).map(String)
    expect(await storedIds(bench, 'rides')).toEqual({ clickhouse: wanted, timescaledb: wanted })
  })

  it('adds the column of a new field that may be null', async () => {
    bench = await startIngestorBench([{ ...RIDES, fields: { ...RIDES.fields, tip: 'decimal(8,2)?' } }], async ({ clickhouse, timescaledb }) => {
      await clickhouse.execute('CREATE TABLE rides (id Int64, time DateTime64(3), city String, fare Decimal(8, 2), event_id String, source_topic String, source_partition Int32, source_offset Int64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100')
      await timescaledb.execute('create table rides (id bigint, time timestamptz not null, city text, fare numeric(8, 2), event_id text, source_topic text, source_partition integer, source_offset bigint)')
    })
    await bench.transport.send('rides', [{ value: ride(1, { tip: '0.50' }) }, { value: ride(2) }])
    await settled(bench)

    expect((await bench.clickhouse.execute('SELECT toString(tip) AS tip FROM rides ORDER BY id')).rows).toEqual([{ tip: '0.5' }, { tip: null }])
    expect(await bench.timescaledb.execute('select tip from rides order by id')).toEqual([{ tip: '0.50' }, { tip: null }])
  })

  it('refuses to run on tables that lack a field, and names it', async () => {
    const start = startIngestorBench([RIDES], async ({ timescaledb }) => {
      await timescaledb.execute('create table rides (id bigint, time timestamptz not null)')
    })

    await expect(start).rejects.toThrow(/PostgreSQL table rides: lacks the column city [^\n]*declare it with "\?"[^]*lacks the column fare [^]*lacks the column source_offset [^\n]*name another table/)
  })
})
