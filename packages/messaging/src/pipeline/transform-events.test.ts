import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '@smart-whale/interfaces'
import { batchOf } from '../../test/support/batch-of.ts'
import { batchDecoder } from './decode-batch.ts'
import { definePipeline, definePipelines, type PipelineInput } from './define-pipelines.ts'
import type { SliceRecord } from './slice-records.ts'

const FIELDS = { id: 'int64', time: 'timestamp', name: 'string', note: 'string?', price: 'decimal(10,2)', count: 'int32', share: 'float64', state: 'string' } as const
const EVENT = { id: 7, time: '2026-05-14T13:45:30.250Z', name: ' Ada Lovelace King ', note: null, price: '12.50', count: 3, share: 0.25, state: 'NO' }

function decodeOne(pipeline: Partial<PipelineInput>, event: object = EVENT, headers?: Record<string, string>): SliceRecord {
  const [definition] = definePipelines([{ topic: 'rides', time: 'time', ...(pipeline.versions === undefined ? { fields: FIELDS } : {}), ...pipeline }], { hashKeys: { pii: 'secret' } })
  const [record] = batchDecoder(definition as NonNullable<typeof definition>)(batchOf([{ value: JSON.stringify(event), ...(headers === undefined ? {} : { headers }) }]))
  return record as SliceRecord
}

describe('a declarative transform', () => {
  it.each([
    ['rename', { name: 'rider' }, { rider: EVENT.name }],
    ['copy', { name: 'rider' }, { rider: EVENT.name, name: EVENT.name }],
    ['constant', { into: 'source', value: 'api', type: 'string' }, { source: 'api' }],
    ['constant', { into: 'ratio', value: '0.125', type: 'decimal(5,3)' }, { ratio: '0.125' }],
    ['default', { note: 'none' }, { note: 'none' }],
    ['cast', { price: 'string' }, { price: '12.5' }],
    ['cast', { count: 'decimal(10,1)' }, { count: '3' }],
    ['cast', { share: 'decimal(10,2)' }, { share: '0.25' }],
    ['cast', { id: 'timestamp' }, { id: new Date(7) }],
    ['cast', { id: 'string' }, { id: '7' }],
    ['trim', ['name'], { name: 'Ada Lovelace King' }],
    ['lower', ['name', 'state'], { name: ' ada lovelace king ', state: 'no' }],
    ['upper', ['name'], { name: ' ADA LOVELACE KING ' }],
    ['calculate', { into: 'total', left: 'price', operator: '*', right: 'count', type: 'decimal(12,2)' }, { total: '37.5' }],
    ['calculate', { into: 'third', left: 'price', operator: '/', right: { value: 3 }, type: 'decimal(12,4)' }, { third: '4.1667' }],
    ['calculate', { into: 'less', left: { value: '0.01' }, operator: '-', right: 'price', type: 'decimal(12,2)' }, { less: '-12.49' }],
    ['calculate', { into: 'double', left: 'share', operator: '+', right: 'count', type: 'float64' }, { double: 3.25 }],
    ['calculate', { into: 'next', left: 'id', operator: '+', right: { value: 1 }, type: 'int64' }, { next: 8n }],
    ['truncateTime', { field: 'time', to: 'hour', into: 'hour' }, { hour: new Date('2026-05-14T13:00:00Z') }],
    ['truncateTime', { field: 'time', to: 'week' }, { time: new Date('2026-05-11T00:00:00Z') }],
    ['truncateTime', { field: 'time', to: 'quarter' }, { time: new Date('2026-04-01T00:00:00Z') }],
    ['mask', { field: 'name', keepLast: 2 }, { name: '*****************g ' }],
    ['hash', { field: 'id', key: 'pii', into: 'rider' }, { rider: createHmac('sha256', 'secret').update('7').digest('hex') }],
    ['split', { field: 'name', by: ' ', into: ['a', 'b', 'c', 'd', 'e', 'f'] }, { a: '', b: 'Ada', c: 'Lovelace', d: 'King', e: '', f: null }],
    ['split', { field: 'name', by: ' ', into: ['a', 'b'] }, { a: '', b: 'Ada Lovelace King ' }],
    ['join', { fields: ['state', 'note', 'id'], with: '-', into: 'code' }, { code: 'NO-7' }],
    ['coalesce', { fields: ['note', 'state'], into: 'text' }, { text: 'NO' }],
    ['lookup', { field: 'state', table: { NO: 'Norway' }, into: 'country' }, { country: 'Norway' }],
    ['lookup', { field: 'count', table: { '1': 'one' }, into: 'word', otherwise: null }, { word: null }],
  ])('%s %j', (step, settings, expected) => {
    const { row, refusal } = decodeOne({ transform: [{ [step]: settings }] as never })

    expect(refusal).toBeNull()
    expect(row).toMatchObject(expected)
  })

  it('gives the table what is there behind the last step', () => {
    const { row } = decodeOne({ transform: [{ calculate: { into: 'total', left: 'price', operator: '*', right: 'count', type: 'decimal(12,2)' } }, { remove: ['price', 'count', 'share', 'note', 'name', 'state'] }], id: 'id' })

    expect(row).toEqual({ id: 7n, time: new Date(EVENT.time), total: '37.5', event_id: '7', source_topic: 'rides', source_partition: 3, source_offset: 0n })
  })

  it('leaves out what a condition says, and refuses it not', () => {
    const out = { row: null, refusal: null, sinks: [] }

    expect(decodeOne({ transform: [{ drop: { field: 'price', atLeast: '12.50' } }] })).toMatchObject(out)
    expect(decodeOne({ transform: [{ keep: { any: [{ field: 'state', oneOf: ['SE', 'DK'] }, { not: { field: 'note', isNull: true } }] } }] })).toMatchObject(out)
    expect(decodeOne({ transform: [{ keep: { all: [{ field: 'name', startsWith: ' Ada' }, { field: 'time', less: '2026-05-15T00:00:00Z' }, { field: 'id', equals: 7 }] } }] }).row).not.toBeNull()
  })

  it.each([
    [{ cast: { name: 'int32' } }, 'step 1 (cast) casts "name", which is not the text of a number'],
    [{ calculate: { into: 'x', left: 'price', operator: '/', right: { value: 0 }, type: 'decimal(5,2)' } }, 'step 1 (calculate) divides by zero'],
    [{ calculate: { into: 'x', left: 'price', operator: '*', right: { value: '1000000000' }, type: 'decimal(5,2)' } }, 'step 1 (calculate) gives a number that its type can not hold'],
    [{ lookup: { field: 'state', table: { SE: 'Sweden' }, into: 'country' } }, 'step 1 (lookup) finds no entry for the value of "state"'],
  ])('refuses an event for which %j can not be done', (step, reason) => {
    expect(decodeOne({ transform: [step as never] })).toMatchObject({ row: null, refusal: { code: 'transform-failed', reason } })
  })

  it.each([
    [[{ upper: ['nam'] }], 'pipelines[0].transform[0].upper: names "nam", which is no field here; there are id, time'],
    [[{ trim: ['name'] }, { trim: ['price'] }], 'transform[1].trim: takes texts, but "price" is of type decimal(10,2)'],
    [[{ upcase: ['name'] }], 'transform[0]'],
    [[{ trim: ['name'], lower: ['name'] }], 'transform[0]: must have exactly one key'],
    [[{ cast: { note: 'int32' } }], 'casts "note", which may be null: write "int32?"'],
    [[{ cast: { state: 'boolean' } }, { cast: { state: 'uuid' } }], 'transform[1].cast: can\'t make uuid of "state", which is of type boolean'],
    [[{ calculate: { into: 'x', left: 'name', operator: '+', right: 'count', type: 'int32' } }], 'calculates with numbers, but "name" is of type string'],
    [[{ calculate: { into: 'x', left: 'share', operator: '+', right: 'count', type: 'int32' } }], 'is exact, but "share" is a float64'],
    [[{ hash: { field: 'name', key: 'other' } }], 'needs the key "other", which the configuration does not have'],
    [[{ drop: { field: 'count', equals: 'many' } }], 'transform[0].drop: has a value for int32 that must be an integer'],
    [[{ drop: { field: 'count' } }], 'transform[0].drop: must be one of all, any and not, or a field with one comparison'],
    [[{ remove: ['time'] }], 'pipelines[0].time: must name a field of type timestamp'],
    [[{ constant: { into: '__proto__', value: 'x', type: 'string' } }], 'transform[0].constant.into'],
  ])('is refused when it is loaded: %j', (transform, message) => {
    expect(() => decodeOne({ transform: transform as never })).toThrow(ConfigurationError)
    expect(() => decodeOne({ transform: transform as never })).toThrow(message)
  })

  it('gives the columns that are declared, or says which one is missing', () => {
    expect(() => decodeOne({ columns: { time: 'timestamp', total: 'decimal(12,2)' }, transform: [{ copy: { price: 'total' } }] })).not.toThrow()
    expect(() => decodeOne({ columns: { time: 'timestamp', total: 'decimal(12,2)' }, transform: [{ copy: { price: 'sum' } }] })).toThrow('the column "total" of type decimal(12,2) is not met: no field or step gives it')
  })

  it('makes no text beyond a bound, however often fields are joined', () => {
    const double = Array.from({ length: 40 }, () => ({ join: { fields: ['name', 'name'], with: '', into: 'name' } }))

    expect(decodeOne({ transform: double }).refusal?.reason).toContain('would make a text of more than 1048576 characters')
  })
})

describe('a transform function', () => {
  const pipeline = (transform: (event: never) => unknown): Partial<PipelineInput> => ({ transform: transform as never })

  it('gets the event with the types of its fields, and where it stands', () => {
    const seen: unknown[] = []
    const input = definePipeline({
      topic: 'rides',
      fields: { ...FIELDS, userId: 'uuid?' },
      rename: { userId: 'user_id' },
      columns: { time: 'timestamp', total: 'decimal(12,2)', user_id: 'uuid?', seen: 'int64' },
      time: 'time',
      transform: (event, context) => {
        seen.push(event.id, event.time, event.user_id, context.topic, context.partition, context.offset, context.header('trace'), context.version)
        return { time: event.time, total: Number(event.price) * event.count, seen: context.offset }
      },
    })
    const { row } = decodeOne(input, EVENT, { trace: 'abc' })

    expect(seen).toEqual([7n, new Date(EVENT.time), null, 'rides', 3, 0n, 'abc', null])
    expect(row).toMatchObject({ time: new Date(EVENT.time), total: '37.5', user_id: null, seen: 0n })
  })

  it('leaves an event out by null', () => {
    expect(decodeOne(pipeline(() => null))).toMatchObject({ row: null, refusal: null, sinks: [] })
  })

  it.each<[string, (event: never) => unknown, string]>([
    ['throws', () => JSON.parse('{'), 'the transform threw SyntaxError'],
    ['throws a text', () => {
      throw 'secret value'
    }, 'the transform threw a string'],
    ['returns nothing', () => undefined, 'the transform returned nothing; a row or null is wanted'],
    ['returns a promise', async () => EVENT, 'the transform returned a promise; it must answer at once'],
    ['returns a field of another type', (event: object) => ({ ...event, count: 'three' }), 'the transform\'s field "count" must be an integer, is a string'],
    ['leaves a field out', () => ({ time: new Date() }), 'the transform\'s field "id" is missing'],
  ])('that %s sends the event to the dead letters, without a value of it', (_name, transform, reason) => {
    expect(decodeOne(pipeline(transform))).toMatchObject({ row: null, refusal: { code: 'transform-failed', reason } })
  })
})

describe('versions', () => {
  const versions = {
    1: { fields: { id: 'int64', when: 'timestamp', town: 'string' }, rename: { when: 'time', town: 'city' }, defaults: { currency: 'NOK' } },
    2: { fields: { id: 'int64', time: 'timestamp', city: 'string', fare: 'int32' }, transform: [{ cast: { fare: 'decimal(8,2)' } }] as const, defaults: { currency: 'NOK' } },
    3: { fields: { id: 'int64', time: 'timestamp', city: 'string', fare: 'decimal(8,2)?', currency: 'string' } },
  } as const
  const time = '2026-05-14T13:45:30Z'

  it.each([
    ['1', { id: 1, when: time, town: 'Oslo' }, { id: 1n, city: 'Oslo', fare: null, currency: 'NOK' }],
    ['2', { id: 1, time, city: 'Oslo', fare: 12 }, { id: 1n, city: 'Oslo', fare: '12', currency: 'NOK' }],
    ['3', { id: 1, time, city: 'Oslo', fare: '12.50', currency: 'SEK' }, { id: 1n, city: 'Oslo', fare: '12.5', currency: 'SEK' }],
  ])('makes a row of the newest of version %s', (version, event, expected) => {
    const { row, refusal } = decodeOne({ versions: versions as never }, event, { 'schema-version': version })

    expect(refusal).toBeNull()
    expect(row).toMatchObject({ ...expected, time: new Date(time) })
  })

  it('refuses a version that it does not know, and an event that names none', () => {
    expect(decodeOne({ versions: versions as never }, EVENT, { 'schema-version': '4' }).refusal).toMatchObject({ code: 'unknown-version', reason: expect.stringContaining('it has 1, 2, 3') as string })
    expect(decodeOne({ versions: versions as never }, EVENT).refusal).toMatchObject({ code: 'unknown-version', reason: 'the header "schema-version" names no version' })
  })

  it('takes the version from a field, or one for events that name none', () => {
    const event = { id: 1, time, city: 'Oslo', currency: 'NOK' }

    expect(decodeOne({ versions: versions as never, versionFrom: { field: 'v' } }, { ...event, v: 3 }).row).toMatchObject({ city: 'Oslo' })
    expect(decodeOne({ versions: versions as never, versionFrom: { header: 'v', absent: '3' } }, event).row).toMatchObject({ city: 'Oslo' })
  })

  it('tells an upgrade that does not give what the newest version has', () => {
    expect(() => decodeOne({ versions: { ...versions, 1: { fields: { id: 'int64', time: 'timestamp' } } } as never })).toThrow('pipelines[0].versions.1.transform: the column "city" of type string is not met')
  })
})

describe('a route', () => {
  it('sends a row where the first rule that fits says, or everywhere', () => {
    const route = [
      { when: { field: 'price', less: 1 }, sinks: [] },
      { when: { field: 'state', equals: 'NO' }, sinks: ['clickhouse'] },
    ] as const

    expect(decodeOne({ route: route as never }).sinks).toEqual(['clickhouse'])
    expect(decodeOne({ route: route as never }, { ...EVENT, state: 'SE' }).sinks).toEqual(['clickhouse', 'timescaledb'])
    expect(decodeOne({ route: route as never }, { ...EVENT, price: '0.5' })).toMatchObject({ row: null, refusal: null, sinks: [] })
  })

  it('may be a function of the row', () => {
    const input = definePipeline({ topic: 'rides', fields: FIELDS, time: 'time', route: (row) => (row.count > 2 ? ['timescaledb'] : ['clickhouse']) })

    expect(decodeOne(input).sinks).toEqual(['timescaledb'])
    expect(decodeOne({ ...input, route: (() => ['redis']) as never }).refusal).toMatchObject({ code: 'transform-failed', reason: "the route must return an array of the pipeline's sinks: clickhouse, timescaledb" })
  })

  it('is refused when it names a store that the pipeline does not have', () => {
    expect(() => decodeOne({ sinks: ['clickhouse'], route: [{ sinks: ['timescaledb'] }] })).toThrow("pipelines[0].route[0]: sends rows to timescaledb, which is not among the pipeline's sinks")
  })
})
