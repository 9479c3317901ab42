import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type IngestorBench, startIngestorBench } from './ingestor-bench.ts'

const FIELDS = {
  id: 'uuid',
  time: 'timestamp',
  day: 'date?',
  name: 'string',
  note: 'string?',
  small: 'int32',
  large: 'int64?',
  ratio: 'float64',
  price: 'decimal(9,2)',
  rate: 'decimal(18,6)?',
  open: 'boolean',
  data: 'json?',
} as const

const SAME = { fields: FIELDS, time: 'time', id: 'id', partitions: 2 } as const
/** The same events three times: into both stores, and into PostgreSQL alone, by column; and, by way of a route, by row. */
const TOPICS = ['in_both', 'in_one', 'by_row'] as const
const PIPELINES = [
  { ...SAME, topic: 'in_both' },
  { ...SAME, topic: 'in_one', sinks: ['timescaledb'] },
  { ...SAME, topic: 'by_row', route: () => ['clickhouse', 'timescaledb'] },
]

let bench: IngestorBench
beforeAll(async () => void (bench = await startIngestorBench(PIPELINES as never)))
afterAll(() => bench.close())

const orNothing = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> => fc.option(fc.option(value, { nil: undefined }), { nil: null })

/** Events as they come: plain ones, ones that are written oddly, and ones that are wrong. */
const event = fc.record({
  id: fc.uuid(),
  time: fc.oneof(fc.date({ min: new Date('2026-01-01'), max: new Date('2027-01-01'), noInvalidDate: true }).map((time) => time.toISOString()), fc.constantFrom<unknown>('2026-05-14T15:45:30+02:00', 1_778_766_330_250, 'yesterday')),
  day: orNothing(fc.constantFrom('2028-02-29', '1900-01-01', '2299-12-31')),
  name: fc.oneof({ weight: 50, arbitrary: fc.constantFrom('', 'Oslo', 'Søren 🐳', 'x'.repeat(1000)) }, { weight: 50, arbitrary: fc.string({ unit: 'grapheme' }) }, { weight: 2, arbitrary: fc.constant('Atlantis') }),
  note: orNothing(fc.string()),
  small: fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom<unknown>(0, 2 ** 31)),
  large: orNothing(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String))),
  ratio: fc.double({ noNaN: true, noDefaultInfinity: true }),
  price: fc.oneof(fc.integer({ min: -999_999_999, max: 999_999_999 }).map((cents) => (cents / 100).toFixed(2)), fc.constantFrom<unknown>(0.5, '-0', 12, '007.10')),
  rate: orNothing(fc.oneof(fc.constantFrom('0.000001', '999999999999.999999', '-0.5', '10000'), fc.integer())),
  open: fc.boolean(),
  data: orNothing(fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom({ a: [1, { b: '\u001f' }] }, 'text', 12.5))),
})

it('is stored by column as it is by row, in PostgreSQL alone and in both stores, and refused alike', async () => {
  for (const table of TOPICS) await bench.timescaledb.execute(`alter table ${table} add constraint not_atlantis check (name <> 'Atlantis')`)
  const seed = randomInt(2 ** 31)
  const values = fc.sample(event, { seed, numRuns: 1500 }).map((one, index) => JSON.stringify(one, null, index % 5 === 0 ? 1 : 0))

  for (const topic of TOPICS) await bench.transport.send(topic, values.map((value, index) => ({ value, partition: index % 2 })))
  await expect.poll(async () => (await bench.ingestor.status()).pipelines.map((one) => one.stored + one.deadLettered), { interval: 100 }).toEqual([1500, 1500, 1500])

  const columns = [...Object.keys(FIELDS), 'event_id', 'source_partition', 'source_offset'].join(', ')
  const inPostgres = (table: string): Promise<unknown[]> => bench.timescaledb.execute(`select ${columns} from ${table} order by source_partition, source_offset`)
  const inClickHouse = async (table: string): Promise<unknown[]> => (await bench.clickhouse.execute(`SELECT ${columns} FROM ${table} ORDER BY source_partition, source_offset`)).rows
  // How a topic's table was cut follows from when its slices were.
  const reasonOf = (headers: Record<string, string>): string | undefined => headers['smartwhale-dlq-reason']?.replace(/table "\w+"/, 'a table')
  const letters = async (topic: string): Promise<string[]> => (await bench.deadLetters(topic)).map(({ value, headers }) => `${reasonOf(headers)} ${value?.toString()}`).sort()
  const byRow = { postgres: await inPostgres('by_row'), clickhouse: await inClickHouse('by_row'), letters: await letters('by_row') }
  expect(await inPostgres('in_both'), `events of seed ${seed}`).toEqual(byRow.postgres)
  expect(await inPostgres('in_one'), `events of seed ${seed}`).toEqual(byRow.postgres)
  expect(await inClickHouse('in_both'), `events of seed ${seed}`).toEqual(byRow.clickhouse)
  expect(await letters('in_both'), `events of seed ${seed}`).toEqual(byRow.letters)
  expect(await letters('in_one'), `events of seed ${seed}`).toEqual(byRow.letters)
  expect(byRow.postgres.length).toBeGreaterThan(600)
  expect(byRow.letters.filter((letter) => letter.includes('not_atlantis')).length).toBeGreaterThan(0)
  expect(byRow.letters.length).toBeGreaterThan(100)
})
