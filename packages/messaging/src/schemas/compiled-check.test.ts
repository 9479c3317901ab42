import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { compiledCheckOf } from './compiled-check.ts'
import { createDataRequest, createDataResponse } from './create-data-message.ts'
import { isExactInJsonSchema } from './exact-in-json-schema.ts'
import { dataRequestSchema, dataResponseSchema } from './message-schemas.ts'
import { checkMessage } from './wire-codec.ts'

const request = (): object => ({
  metadata: { ...createDataRequest({ operation: 'fetch_data', modelId: 'm', dataType: 'text', ttl: 5, traceId: 'abc', expiresAt: '2026-01-01T00:00:00+02:00' }).metadata },
  payload: { ...createDataRequest({ operation: 'search_data', modelId: 'm', dataType: 'text', dataSource: 'wiki', parameters: { q: 'x', n: [1, { a: null }] }, tags: ['a'], maxSize: 5 }).payload },
})
const response = (): object => {
  const { metadata, payload } = createDataResponse({ requestId: randomUUID(), modelId: 'm', data: [{ title: 'x', score: 0.5 }, null, true], totalItems: 3, pageInfo: { page: 1 }, cached: false })
  return { metadata: { ...metadata }, payload: { ...payload } }
}

/** Schemas of many kinds, each with values of which some are valid. */
const ZOO: readonly (readonly [z.ZodType, unknown])[] = [
  [dataRequestSchema, request()],
  [dataResponseSchema, response()],
  [z.string().min(2).max(3), 'abä'],
  [z.string().regex(/^[a-z]+$/), 'abc'],
  [z.iso.date(), '2024-02-29'],
  [z.number().int().min(-5).lt(5), 4],
  [z.number().gt(0.1), 0.2],
  [z.union([z.literal(['a', 1, true, null]), z.array(z.string()).max(2)]), ['x']],
  [z.record(z.string(), z.number()), { a: 1, b: 2 }],
  [z.object({ a: z.string(), b: z.number().nullable().optional() }), { a: 'x', b: null }],
  [z.looseObject({ a: z.enum({ X: 'x', Y: 2 }), deep: z.strictObject({ n: z.int().default(3) }).optional() }), { a: 2, more: 1, deep: {} }],
  [z.object({ a: z.unknown(), b: z.any() }), { a: 1, b: 2 }],
  [z.object({ a: z.boolean() }).catchall(z.string()), { a: true, b: 'x' }],
  [z.json(), { a: [1, 'x', null, { b: true }] }],
]

const INEXACT: readonly z.ZodType[] = [
  z.string().refine((text) => text.length % 2 === 0),
  z.object({ a: z.number() }).refine(({ a }) => a > 3),
  z.string().trim(),
  z.string().transform((text) => text.length),
  z.coerce.number(),
  z.url(),
  z.email(),
  z.string().regex(/^a$/i),
  z.number().multipleOf(0.1),
  z.date(),
  z.bigint(),
  z.string().catch('x'),
  z.array(z.string().toLowerCase()),
  z.record(z.string().min(2), z.unknown()),
  z.preprocess((value) => value, z.string()),
  z.tuple([z.string()]),
]

/** Things that JSON has not, and that are easily taken for something else. */
const oddity = fc.constantFrom<unknown>(
  undefined, null, Number.NaN, Infinity, -0, 2 ** 53, 1e400, 10n, '', '0', 'null', '🐳', '\ud800', [], {}, new Date(0), new Map(), new Set(), new Uint8Array(2), () => 1, Symbol('x'),
  Object.create(null), Object.create({ inherited: 1 }), new (class Odd {})(), JSON.parse('{"__proto__":1}'), { constructor: 1 }, { [Symbol('s')]: 1 }, [undefined], { a: undefined }, new Array(2), Object('boxed'),
)
const anything = fc.oneof(oddity, fc.jsonValue(), fc.anything({ withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true, withSparseArray: true, withBigInt: true, withBoxedValues: true }))

/** A copy of a value in which something was replaced, removed or added, somewhere. */
const mutated = (value: unknown): fc.Arbitrary<unknown> =>
  fc.array(fc.record({ steps: fc.array(fc.nat(20), { maxLength: 4 }), kind: fc.constantFrom('replace', 'remove', 'add', 'rename'), by: anything }), { maxLength: 3 }).map((changes) => {
    let copy = value
    for (const { steps, kind, by } of changes) copy = changed(copy, steps, kind, by)
    return copy
  })

function changed(value: unknown, [step, ...steps]: readonly number[], kind: string, by: unknown): unknown {
  const isContainer = Array.isArray(value) || (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
  if (step === undefined || !isContainer) return kind === 'replace' ? by : value
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>
  const names = Object.keys(copy)
  const name = names[step % (names.length + 1)]
  if (name === undefined) return Object.assign(copy, { [Array.isArray(value) ? value.length : `x${step}`]: by })
  if (steps.length > 0) copy[name] = changed(copy[name], steps, kind, by)
  else if (kind === 'remove') delete copy[name]
  else if (kind === 'rename') Object.assign(copy, { [`${name}s`]: copy[name] })
  else copy[name] = by
  return copy
}

const verdictOf = (work: () => boolean): boolean | 'throws' => {
  try {
    return work()
  } catch {
    return 'throws'
  }
}

describe('the compiled check', () => {
  it.each(ZOO.map(([schema, valid], index) => [index, schema, valid] as const))('of schema %i says yes to what is valid, and to nothing that zod refuses', (_, schema, valid) => {
    const check = compiledCheckOf(schema)
    expect(isExactInJsonSchema(schema)).toBe(true)
    expect(check(valid)).toBe(true)
    let [accepted, refused] = [0, 0]

    fc.assert(
      fc.property(fc.oneof({ weight: 3, arbitrary: mutated(valid) }, { weight: 1, arbitrary: anything }), (value) => {
        const isValid = verdictOf(() => schema.safeParse(value).success)
        if (check(value)) expect(isValid).toBe(true)
        if (isValid === true) accepted++
        else refused++
      }),
      { numRuns: 1_500 },
    )

    expect(Math.min(accepted, refused)).toBeGreaterThan(20)
  })

  it.each([
    ['DataRequest', dataRequestSchema, request],
    ['DataResponse', dataResponseSchema, response],
  ] as const)('gives a %s the verdict and the message that zod gives', (name, schema, valid) => {
    fc.assert(
      fc.property(mutated(valid()), (value) => {
        const zods = schema.safeParse(value)
        const ours = verdictOf(() => (checkMessage(name, schema, value), true))

        expect(ours === true).toBe(zods.success)
        if (zods.success) expect(checkMessage(name, schema, value)).toEqual(zods.data)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each(INEXACT.map((schema) => [schema.def.type, schema] as const))('leaves a %s to zod that JSON Schema can not say', (_, schema) => {
    const check = compiledCheckOf(z.object({ field: schema }))

    for (const field of ['a', 'ab', 'A', '', 1, 0.3, 5, new Date(), 5n, ['A'], { a: 5 }, 'https://x.y', 'a@b.cd']) expect(check({ field })).toBe(false)
  })

  it('gives defaults anew to each message', () => {
    let next = 0
    const schema = z.object({ id: z.number().default(() => next++), list: z.array(z.string()).default([]) })

    const [first, second] = [checkMessage('x', schema, {}), checkMessage('x', schema, {})]

    expect([first.id, second.id]).not.toEqual([first.id, first.id])
    expect(first.list).not.toBe(second.list)
  })

  it('refuses what is nested too deeply for any check, with a typed error', () => {
    let data: unknown = 1
    for (let depth = 0; depth < 100_000; depth++) data = [data]
    const { metadata, payload } = response() as { metadata: object; payload: object }

    expect(() => checkMessage('DataResponse', dataResponseSchema, { metadata, payload: { ...payload, data } })).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_INVALID_MESSAGE' }) as Error)
  })
})
