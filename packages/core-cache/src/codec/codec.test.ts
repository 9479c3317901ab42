import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue } from './decode-value.ts'
import { encodeValue } from './encode-value.ts'
import { type EnvelopeFacts, openEnvelope, sealEnvelope } from './envelope.ts'

const plainText = fc.oneof(fc.string(), fc.constantFrom('$', 'v', '__proto__', 'constructor', '\ud800', '🐳'))
const leaf = fc.oneof(
  plainText,
  fc.double(),
  fc.constantFrom(-0, Number.NaN, Infinity, -Infinity, undefined, null, true, false),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.float64Array(),
  fc.int16Array(),
)
const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(plainText, tie('value'), { maxKeys: 4 }),
    fc.array(fc.tuple(leaf, tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 4 }).map((members) => new Set(members)),
  ),
}))
const facts: EnvelopeFacts = { token: 't'.repeat(22), run: 'r', followed: 3, loadedAtMs: 5, freshMs: 1, staleMs: 0, loadMs: 2.5, tags: ['a|b\n'], isNothing: false }

describe('A value as text', () => {
  it('comes back as what it was, whatever it is', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(structuredClone(decodeValue(encodeValue(value)))).toEqual(structuredClone({ value }))
      }),
      { numRuns: 500 },
    )
  })

  it('keeps what plain JSON loses', () => {
    const value = { at: new Date(5), none: undefined, big: 2n ** 70n, part: new Uint8Array([1, 2, 3]).subarray(1), zero: -0, $: 'Date', invalid: new Date(Number.NaN), raw: new Uint8Array([7]).buffer }

    expect(decodeValue(encodeValue(value))).toStrictEqual({ value })
  })

  it('gives no object another prototype', () => {
    const value = decodeValue('{"__proto__":{"admin":true},"a":{"__proto__":{"b":{"$":"Date","v":1}}}}')?.value as Record<string, unknown>

    expect((value as { admin?: boolean }).admin).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'a'])
  })

  it.each([
    ['a function', { a: [() => 1] }, ['value', 'a', 0]],
    ['a symbol', Symbol('s'), ['value']],
    ['an instance of a class', { a: new (class Ship {})() }, ['value', 'a']],
  ])('refuses %s and says where it stands', (_what, value, path) => {
    expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_VALUE', issues: [expect.objectContaining({ path })] }) as Error)
  })

  it('refuses a circle and what is nested without end', () => {
    const circle: unknown[] = []
    circle.push(circle)
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level++) deep = [deep]

    expect(() => encodeValue(circle)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_VALUE' }) as Error)
    expect(() => encodeValue(deep)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_VALUE' }) as Error)
  })

  it.each([
    ['', '{', '[1', 'nonsense', '{"$":"Function","v":"x"}', '{"$":"bigint","v":"1n"}', '{"$":"bigint","v":5}', '{"$":"Map","v":[[1]]}', '{"$":"Map","v":5}', '{"$":"constructor","v":""}'],
    ['{"$":"Date","v":"x"}', '{"$":"number","v":"toString"}', '{"$":"Float64Array","v":"AA=="}', '{"$":"Uint8Array","v":5}', '{"$":"object","v":[]}', '['.repeat(100_000), '[['.repeat(3000) + ']]'.repeat(3000)],
  ])('is nothing when nobody of ours wrote it', (...texts) => {
    for (const text of texts) expect(decodeValue(text), text.slice(0, 40)).toBeUndefined()
  })
})

describe('An envelope', () => {
  it('gives back what was put into it', () => {
    expect(openEnvelope(sealEnvelope(facts, 'body|\nmore'))).toEqual({ ...facts, body: 'body|\nmore' })
  })

  it('is none when it is cut off anywhere, or longer than it was', () => {
    const whole = sealEnvelope(facts, encodeValue({ a: [1, 2, 3] }))

    for (let length = 0; length < whole.length; length++) expect(openEnvelope(whole.slice(0, length))).toBeUndefined()
    expect(openEnvelope(`${whole}x`)).toBeUndefined()
  })

  it('never throws, whatever it is given', () => {
    const broken = fc.tuple(fc.nat(200), fc.string({ maxLength: 3 })).map(([at, put]) => {
      const whole = sealEnvelope(facts, encodeValue({ a: new Date(1) }))
      return whole.slice(0, at) + put + whole.slice(at + put.length)
    })
    fc.assert(
      fc.property(fc.oneof(fc.string(), broken, fc.string().map((text) => `SWC1${text}`)), (payload) => {
        const opened = openEnvelope(payload)
        if (opened !== undefined) decodeValue(opened.body)
      }),
      { numRuns: 2000 },
    )
  })
})
