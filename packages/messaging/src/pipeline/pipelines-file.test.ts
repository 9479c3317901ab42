import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pipelineSchema, pipelinesJsonSchema } from './pipelines-file.ts'
import { STEP_NAMES } from './steps/step-schema.ts'

const isPipelinesFile = new Ajv2020({ strict: false }).compile(pipelinesJsonSchema())
const verdicts = (pipeline: unknown): { zod: boolean; jsonSchema: boolean } => ({ zod: pipelineSchema.safeParse(pipeline).success, jsonSchema: isPipelinesFile([pipeline]) })

const EVERY_STEP = [
  { rename: { a: 'b' } },
  { copy: { a: 'b' } },
  { remove: ['a'] },
  { constant: { into: 'a', value: 'x', type: 'string' } },
  { default: { a: 1 } },
  { cast: { a: 'decimal(10,2)?' } },
  { trim: ['a'] },
  { lower: ['a'] },
  { upper: ['a'] },
  { calculate: { into: 'a', left: 'b', operator: '*', right: { value: '1.5' }, type: 'int64' } },
  { truncateTime: { field: 'a', to: 'day' } },
  { mask: { field: 'a', keepLast: 4, with: '#' } },
  { hash: { field: 'a', key: 'pii', into: 'b' } },
  { keep: { field: 'a', equals: 1 } },
  { drop: { any: [{ all: [{ field: 'a', oneOf: ['x', 1] }] }, { not: { field: 'b', isNull: true } }] } },
  { split: { field: 'a', by: ',', into: ['b', 'c'] } },
  { join: { fields: ['a', 'b'], with: '', into: 'c' } },
  { coalesce: { fields: ['a', 'b'], into: 'c' } },
  { lookup: { field: 'a', table: { x: 'y' }, into: 'b', otherwise: null } },
]
const FILES = [
  { topic: 'rides', fields: { id: 'int64', time: 'timestamp' }, time: 'time', id: 'id', key: 'id' },
  { topic: 'rides', fields: { id: 'int64', userId: 'uuid?' }, rename: { userId: 'user_id' }, time: 'time', transform: EVERY_STEP, columns: { time: 'timestamp' } },
  {
    topic: 'my.topic',
    name: 'n',
    table: 't',
    tables: { clickhouse: 'c' },
    versions: { 1: { fields: { a: 'string' }, rename: { a: 'b' }, defaults: { c: true }, transform: [EVERY_STEP[0]] }, 2: { fields: { b: 'string' } } },
    versionFrom: { field: 'v', absent: '1' },
    route: [{ when: { field: 'a', less: 5 }, sinks: ['clickhouse'] }, { sinks: [] }],
    time: 'time',
    sinks: ['clickhouse'],
    partitions: 8,
    limits: { maxRows: 10 },
    clickhouse: { orderBy: ['a'], partitionBy: 'month', ttlDays: 30 },
  },
]

/** A copy of a document with something else at one of its places. */
function changed(document: unknown, place: number, change: (value: unknown) => unknown): unknown {
  let left = place
  const visit = (value: unknown): unknown => {
    if (left-- === 0) return change(value)
    if (Array.isArray(value)) return value.map(visit)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, visit(inner)]))
  }
  return visit(document)
}

describe('the JSON Schema of pipelines files', () => {
  it('knows every step', () => {
    expect(EVERY_STEP.map((step) => Object.keys(step)[0])).toEqual(STEP_NAMES)
    for (const file of FILES) expect(verdicts(file)).toEqual({ zod: true, jsonSchema: true })
  })

  it('has the verdict of the schema that files are read with', () => {
    const odd = fc.oneof(
      fc.constantFrom<unknown>({}, [], '', ' ', 'a', 'A', 'clickhouse', 'redis', 'timestamp', 'decimal(99,99)', 'decimal(1)', '__proto__', 0, -1, 1.5, 1e9, null, true, { a: 'b' }, { a: 1 }, ['a'], { field: 'a' }, { field: 'a', less: 1, all: [] }, { all: [{ field: 'a', equals: 1 }] }),
      fc.jsonValue({ maxDepth: 2 }),
      fc.string(),
    )
    const change = fc.oneof(
      odd.map((value) => () => value),
      fc.tuple(fc.constantFrom('topic', 'field', 'extra', 'all', 'into', 'equals', 'header', 'trim'), odd).map(([name, value]) => (before: unknown) => (typeof before === 'object' && before !== null && !Array.isArray(before) ? { ...before, [name]: value } : [before])),
      fc.nat({ max: 5 }).map((index) => (before: unknown) => (typeof before === 'object' && before !== null && !Array.isArray(before) ? Object.fromEntries(Object.entries(before).filter((_entry, at) => at !== index)) : undefined)),
    )
    fc.assert(
      fc.property(fc.constantFrom(...FILES), fc.array(fc.tuple(fc.nat({ max: 150 }), change), { minLength: 1, maxLength: 3 }), (file, changes) => {
        const document: unknown = JSON.parse(JSON.stringify(changes.reduce<unknown>((current, [place, how]) => changed(current, place, how), file)) ?? 'null')
        const { zod, jsonSchema } = verdicts(document)
        expect(jsonSchema).toBe(zod)
      }),
      { numRuns: 3000 },
    )
  })
})
