import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Row } from '@smart-whale/interfaces'
import { DEAD_LETTER_HEADERS } from '@smart-whale/messaging'
import { type IngestorBench, startIngestorBench } from './ingestor-bench.ts'

const time = '2026-05-14T13:45:30.250Z'
const RIDES = {
  topic: 'rides',
  time: 'time',
  id: 'id',
  versions: {
    1: { fields: { id: 'int64', when: 'timestamp', town: 'string' }, rename: { when: 'time', town: 'city' }, defaults: { currency: 'NOK' } },
    2: { fields: { id: 'int64', time: 'timestamp', city: 'string', currency: 'string', fare: 'decimal(8,2)?' } },
  },
  transform: [{ drop: { field: 'city', equals: '' } }, { calculate: { into: 'tax', left: 'fare', operator: '*', right: { value: '0.25' }, type: 'decimal(9,2)?' } }],
  route: [{ when: { field: 'fare', isNull: true }, sinks: ['clickhouse'] }, { when: { field: 'city', equals: 'Bergen' }, sinks: ['timescaledb'] }],
  tables: { clickhouse: 'rides_ch', timescaledb: 'rides_ts' },
  clickhouse: { orderBy: ['city', 'time'], partitionBy: 'month', ttlDays: 36_500 },
} as const
/** Nothing but fields: read into columns. */
const VISITS = { topic: 'visits', fields: { id: 'uuid', time: 'timestamp', path: 'string', price: 'decimal(10,2)?', tags: 'json?' }, time: 'time', id: 'id', sinks: ['clickhouse'] } as const

let bench: IngestorBench
beforeAll(async () => void (bench = await startIngestorBench([RIDES, VISITS] as never)))
afterAll(() => bench.close())

async function caughtUp(topic: string, handled: number): Promise<void> {
  await expect.poll(async () => (await bench.ingestor.status()).pipelines.filter((one) => one.topic === topic).map((one) => one.stored + one.deadLettered + one.leftOut), { interval: 50 }).toEqual([handled])
}

describe('definitions, on real engines', () => {
  it('make rows of every version, and store each where it is routed', async () => {
    const events: readonly [version: string, event: object][] = [
      ['1', { id: 1, when: time, town: 'Oslo' }],
      ['2', { id: 2, time, city: 'Oslo', currency: 'SEK', fare: '10.02' }],
      ['2', { id: 3, time, city: 'Bergen', currency: 'NOK', fare: 4, tip: 1 }],
      ['2', { id: 4, time, city: '', currency: 'NOK' }],
      ['3', { id: 5, time, city: 'Oslo', currency: 'NOK' }],
    ]
    await bench.transport.send('rides', events.map(([version, event]) => ({ value: JSON.stringify(event), headers: { 'schema-version': version } })))
    await caughtUp('rides', 5)

    const columns = 'event_id, city, currency, fare, tax'
    const clickhouse = (await bench.clickhouse.execute(`SELECT ${columns} FROM rides_ch ORDER BY event_id`)).rows
    const timescaledb = await bench.timescaledb.execute<Row>(`select ${columns} from rides_ts order by event_id`)
    expect(clickhouse).toEqual([
      { event_id: '1', city: 'Oslo', currency: 'NOK', fare: null, tax: null },
      { event_id: '2', city: 'Oslo', currency: 'SEK', fare: '10.02', tax: '2.51' },
    ])
    expect(timescaledb).toEqual([
      { event_id: '2', city: 'Oslo', currency: 'SEK', fare: '10.02', tax: '2.51' },
      { event_id: '3', city: 'Bergen', currency: 'NOK', fare: '4.00', tax: '1.00' },
    ])
    const letters = await bench.deadLetters('rides')
    expect(letters.map(({ headers }) => headers[DEAD_LETTER_HEADERS.reasonCode])).toEqual(['unknown-version'])
    const status = (await bench.ingestor.status()).pipelines.find((one) => one.topic === 'rides')
    expect(status).toMatchObject({ stored: 3, deadLettered: 1, leftOut: 1, versions: { 1: 1, 2: 3 }, undeclared: [{ name: 'tip', count: 1 }] })
  })

  it('store plain events and odd ones alike, when ClickHouse takes them by column', async () => {
    const id = (number: number): string => `a0eebc99-9c0b-4ef8-bb6d-${String(number).padStart(12, '0')}`
    const values = [
      `{"id":"${id(1)}","time":"${time}","path":"/søk","price":12.5,"tags":["a",{"b":1}]}`,
      `{"time":"2026-05-14T15:45:30.25+02:00","id":"${id(2).toUpperCase()}","path":"a\\"b\\n","price":"0012.50","tags":{"x": 1.0}}`,
      `{"id":"${id(3)}","time":"${time}","path":"","price":"1.234"}`,
      `{"id":"${id(4)}","time":1778766330250,"path":"${'x'.repeat(5000)}","more":[1]}`,
      `{"id":"${id(5)}"`,
    ]
    await bench.transport.send('visits', values.map((value) => ({ value })))
    await caughtUp('visits', 5)

    const { rows } = await bench.clickhouse.execute('SELECT event_id, id, time, path, price, tags, source_topic FROM visits ORDER BY event_id')
    const same = { time: new Date(time), source_topic: 'visits' }
    expect(rows).toEqual([
      { event_id: id(1), id: id(1), path: '/søk', price: '12.50', tags: '["a",{"b":1}]', ...same },
      { event_id: id(2), id: id(2), path: 'a"b\n', price: '12.50', tags: '{"x":1}', ...same },
      { event_id: id(4), id: id(4), path: 'x'.repeat(5000), price: null, tags: null, ...same },
    ])
    expect((await bench.deadLetters('visits')).map(({ value }) => value?.toString()).sort()).toEqual([values[2], values[4]].sort())
  })
})
