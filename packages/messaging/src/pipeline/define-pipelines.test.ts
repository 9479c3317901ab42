import { describe, expect, expectTypeOf, it } from 'vitest'
import { definePipeline, definePipelines } from './define-pipelines.ts'

const FIELDS = { id: 'int64', time: 'timestamp', price: 'decimal(10,2)', count: 'int32?', open: 'boolean', data: 'json', userId: 'uuid?' } as const

describe('definePipeline', () => {
  it('gives functions the types of the fields, by the names that rename gives them', () => {
    const input = definePipeline({
      topic: 'rides',
      fields: FIELDS,
      rename: { userId: 'user_id' },
      time: 'time',
      transform: (event, context) => {
        expectTypeOf(event.id).toEqualTypeOf<bigint>()
        expectTypeOf(event.time).toEqualTypeOf<Date>()
        expectTypeOf(event.price).toEqualTypeOf<string>()
        expectTypeOf(event.count).toEqualTypeOf<number | null>()
        expectTypeOf(event.open).toEqualTypeOf<boolean>()
        expectTypeOf(event.user_id).toEqualTypeOf<string | null>()
        expectTypeOf(context.offset).toEqualTypeOf<bigint>()
        // @ts-expect-error under its own name it is not there
        void event.userId
        return event
      },
      route: (row) => {
        expectTypeOf(row.price).toEqualTypeOf<string>()
        return row.open ? ['clickhouse'] : []
      },
    })

    expect(definePipelines([input])[0]?.columns).toEqual({ id: 'int64', time: 'timestamp', price: 'decimal(10,2)', count: 'int32?', open: 'boolean', data: 'json', user_id: 'uuid?' })
  })

  it('wants from a transform what the columns are declared as', () => {
    const base = { topic: 'rides', fields: FIELDS, time: 'time', columns: { time: 'timestamp', total: 'decimal(12,2)', seen: 'int64', note: 'string?' } } as const

    definePipeline({ ...base, transform: ({ time, price, id }) => ({ time, total: price, seen: id }) })
    definePipeline({ ...base, transform: ({ time, price }) => ({ time: time.toISOString(), total: Number(price), seen: 1, note: null }) })
    definePipeline({ ...base, transform: () => null })
    // @ts-expect-error a column is missing
    definePipeline({ ...base, transform: ({ time, price }) => ({ time, total: price }) })
    // @ts-expect-error a column is of another type
    definePipeline({ ...base, transform: ({ time, price }) => ({ time, total: price, seen: 'one' }) })
    // @ts-expect-error a promise is not an answer
    definePipeline({ ...base, transform: async ({ time, price, id }) => ({ time, total: price, seen: id }) })
    // @ts-expect-error there is no such store
    definePipeline({ ...base, route: () => ['redis'] })

    expect(definePipelines([definePipeline({ ...base, transform: () => null })])).toHaveLength(1)
  })
})

describe('definePipelines', () => {
  const simple = { topic: 'rides', fields: { time: 'timestamp', id: 'int64' }, time: 'time' }

  it('fills in what is left out', () => {
    expect(definePipelines([simple])[0]).toMatchObject({
      name: 'rides',
      table: 'rides',
      tables: { clickhouse: 'rides', timescaledb: 'rides' },
      columns: simple.fields,
      versions: [{ name: '', fields: simple.fields, rename: {}, upgrade: null }],
      versionFrom: null,
      transform: null,
      route: null,
      sinks: ['clickhouse', 'timescaledb'],
      partitions: 4,
      limits: { maxRows: 20_000, maxBytes: 4_194_304, maxAgeMs: 250 },
      clickhouse: { orderBy: ['time'], partitionBy: 'none', ttlDays: null },
      fingerprint: expect.stringMatching(/^[\w-]{24}$/) as string,
    })
  })

  it('tells definitions apart that may make other rows of the same events', () => {
    const fingerprintOf = (more: object, hashKeys = {}): string | undefined => definePipelines([{ ...simple, ...more }], { hashKeys })[0]?.fingerprint

    const plain = fingerprintOf({ transform: [{ copy: { id: 'other' } }] })
    expect(plain).toMatch(/^[\w-]{24}$/)
    expect(fingerprintOf({ transform: [{ copy: { id: 'other' } }], partitions: 9 })).toBe(plain)
    expect(fingerprintOf({ transform: [{ copy: { id: 'another' } }] })).not.toBe(plain)
    expect(fingerprintOf({ transform: (event: object) => event })).not.toBe(fingerprintOf({ transform: (event: object) => ({ ...event }) }))
    const hash = { transform: [{ hash: { field: 'id', key: 'k', into: 'hashed' } }] }
    expect(fingerprintOf(hash, { k: 'one' })).not.toBe(fingerprintOf(hash, { k: 'two' }))
  })

  it.each<[string, object]>([
    ['a field has another type', { fields: { ...simple.fields, id: 'string' } }],
    ['a field is more', { fields: { ...simple.fields, city: 'string?' } }],
    ['a field has another name', { rename: { id: 'number' } }],
    ['columns are declared', { columns: { ...simple.fields, id: 'int64?' } }],
    ['another column identifies an event', { id: 'id' }],
    ['rows go to one store', { sinks: ['clickhouse'] }],
    ['rows go to another table', { table: 'other' }],
  ])('tells definitions apart when %s', (_what, more) => {
    const [before, after] = [{}, more].map((each) => definePipelines([{ ...simple, ...each }])[0]?.fingerprint)

    expect(after).not.toBe(before)
  })

  it('takes definitions for the same that only say it otherwise', () => {
    const { id, time } = simple.fields
    const [before, after] = [{}, { fields: { time, id }, sinks: ['timescaledb', 'clickhouse'], table: simple.topic, limits: { maxRows: 5 } }].map((each) => definePipelines([{ ...simple, ...each }])[0]?.fingerprint)

    expect(after).toBe(before)
  })

  it.each([
    [[{ ...simple, fields: undefined, versions: {} }], 'pipelines[0].versions: must have at least one version'],
    [[{ ...simple, versions: { 1: { fields: simple.fields } } }], 'pipelines[0].fields: stands in each version'],
    [[{ ...simple, versionFrom: { header: 'v' } }], 'pipelines[0].versionFrom: says where the version is, but there are no versions'],
    [[{ ...simple, fields: { ...simple.fields, userId: 'string' } }], 'pipelines[0].fields.userId: can not be the name of a column'],
    [[{ ...simple, fields: { ...simple.fields, price: 'decimal(2,5)' } }], 'pipelines[0].fields.price: is not a field type: a decimal has'],
    [[{ ...simple, rename: { no: 'yes' } }], 'pipelines[0].rename.no: is not among the fields'],
    [[{ ...simple, rename: { id: 'time' } }], 'gives the name "time" to two fields'],
    [[{ ...simple, columns: { time: 'timestamp', id: 'int32' } }], 'has the field "id" of type int64, which does not fit the column\'s int32'],
    [[{ ...simple, clickhouse: { orderBy: ['city'] } }], 'pipelines[0].clickhouse.orderBy: names "city", which is no column'],
    [[simple, { ...simple, topic: 'other', table: 'x', tables: { clickhouse: 'rides' } }], 'two pipelines have the table "clickhouse.rides"'],
    [['rides'], 'pipelines[0]: must be an object'],
  ])('says what is wrong: %j', (input, message) => {
    expect(() => definePipelines(input)).toThrow(message)
  })
})
