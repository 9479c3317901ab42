import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '@smart-whale/interfaces'
import { type Decoded, eventDecoder } from './decode-record.ts'
import { definePipelines } from './define-pipelines.ts'

const decoderOf = (fields: Record<string, string>): ((value: unknown) => Decoded) => {
  const [definition] = definePipelines([{ topic: 't', fields: { time: 'timestamp', ...fields }, time: 'time' }])
  const decode = eventDecoder(definition as NonNullable<typeof definition>)
  return (value) => decode(value instanceof Uint8Array || value === null ? (value as Uint8Array | null) : Buffer.from(value as string))
}
const time = '"time":"2001-01-31T12:00:00Z"'

describe('eventDecoder', () => {
  it('reads every field type into what both stores take', () => {
    const decode = decoderOf({ s: 'string', i: 'int32', l: 'int64', f: 'float64', d: 'decimal(10,3)', b: 'boolean', day: 'date', u: 'uuid', j: 'json', n: 'string?' })
    const event = `{${time},"s":"é🐳","i":-5,"l":9007199254740993,"f":0.1,"d":12.340,"b":true,"day":"2000-02-29","u":"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11","j":{"x":[12345678901234567890]}}`

    const { fields } = decode(event)

    expect(fields).toEqual({
      time: new Date('2001-01-31T12:00:00Z'),
      s: 'é🐳',
      i: -5,
      l: 9007199254740993n,
      f: 0.1,
      d: '12.34',
      b: true,
      day: '2000-02-29',
      u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      j: '{"x":[12345678901234567890]}',
      n: null,
    })
  })

  it.each([
    ['a tombstone', null, 'the message has no value'],
    ['a cut event', '{"time":', 'the message is not JSON'],
    ['an array', '[]', 'the message is not a JSON object'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'the message is not valid UTF-8'],
    ['a missing field', '{}', 'field "time" is missing'],
    ['a null', '{"time":null}', 'field "time" is null; declare the type with "?" to allow it'],
    ['year 0', '{"time":"0000-01-01T00:00:00Z"}', 'field "time" lies outside the years 1900 to 2299, which both stores can hold'],
    ['year 10000', '{"time":"10000-01-01T00:00:00Z"}', 'field "time" must be an ISO 8601 time with zone, like 2001-01-31T12:00:00Z, or milliseconds since 1970'],
    ['30 February', '{"time":"2001-02-30T00:00:00Z"}', 'field "time" is not a day of the calendar'],
    ['microseconds', '{"time":"2001-01-31T12:00:00.123456Z"}', 'field "time" is finer than a millisecond'],
  ])('refuses %s', (_name, value, reason) => {
    expect(decoderOf({})(value).refusal?.reason).toBe(reason)
  })

  it.each([
    ['int32', '2147483648', 'does not fit 32 bits'],
    ['int32', '1.5', 'must be an integer, is a fraction'],
    ['int64', '9223372036854775808', 'does not fit 64 bits'],
    ['int64', '1e30', 'must be an integer'],
    ['float64', '1e400', 'is too large for a 64-bit float'],
    ['float64', '"NaN"', 'must be a number, is a string'],
    ['decimal(5,2)', '1.005', 'has more than 2 digits behind the point'],
    ['decimal(5,2)', '1234.5', 'has more than 3 digits before the point'],
    ['string', '"a\\u0000b"', 'contains the character U+0000, which PostgreSQL does not store'],
    ['string', '"\\ud800"', 'contains half of a surrogate pair'],
    ['boolean', '1', 'must be true or false, is a number'],
    ['uuid', '"x"', 'must be a UUID'],
  ])('refuses, for a %s, the value %s', (type, value, reason) => {
    expect(decoderOf({ f: type })(`{${time},"f":${value}}`).refusal?.reason).toBe(`field "f" ${reason}`)
  })

  it('takes a field from the event itself, never from the prototype of objects', () => {
    expect(decoderOf({ constructor: 'string?' })(`{${time}}`).fields).toHaveProperty('constructor', null)
    expect(decoderOf({ f: 'string?' })(`{${time},"__proto__":{"f":"planted"}}`).fields).toHaveProperty('f', null)
  })

  it('answers, and never throws, for any bytes and any nesting', () => {
    const decode = decoderOf({ j: 'json?' })
    expect(decode(`{${time},"j":${'['.repeat(100_000)}${']'.repeat(100_000)}}`).refusal?.reason).toBe('the message nests more than 1000 levels deep')
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decode(bytes) !== undefined))
    fc.assert(fc.property(fc.json(), (text) => decode(text) !== undefined))
  })

  it('keeps every 64-bit integer and every decimal digit', () => {
    const decode = decoderOf({ l: 'int64', d: 'decimal(38,10)' })
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 28n) + 1n, max: 10n ** 28n - 1n }), fc.integer({ min: 1, max: 999_999_999 }))
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), decimal, fc.boolean(), (integer, [whole, fraction], quoted) => {
        const digits = `${whole}.${String(fraction).padStart(10, '0')}`
        const quote = quoted ? '"' : ''
        const { fields } = decode(`{${time},"l":${quote}${integer}${quote},"d":${quote}${digits}${quote}}`)
        expect(fields?.l).toBe(integer)
        expect(fields?.d).toBe(digits.replace(/0+$/, ''))
      }),
    )
  })
})

describe('definePipelines', () => {
  it.each([
    [{}, 'must hold an array'],
    [[{ topic: 't', time: 'time' }], 'pipelines[0].fields'],
    [[{ topic: 't', fields: { time: 'moment' }, time: 'time' }], 'pipelines[0].fields.time: is not a field type'],
    [[{ topic: 't', fields: { time: 'string' }, time: 'time' }], 'pipelines[0].time: must name a field of type timestamp'],
    [[{ topic: 't', fields: { time: 'timestamp', source_offset: 'int64' }, time: 'time' }], 'is a column that the pipeline itself writes'],
    [[{ topic: 't', fields: { time: 'timestamp' }, time: 'time', key: 'city' }], 'pipelines[0].key: names "city", which is not among the fields'],
    [[{ topic: 'My.Topic', fields: { time: 'timestamp' }, time: 'time' }], 'pipelines[0].table: must be given'],
    [[{ topic: 't', fields: { time: 'timestamp' }, time: 'time', tabel: 'x' }], 'tabel'],
    [[1, 2].map(() => ({ topic: 't', fields: { time: 'timestamp' }, time: 'time' })), 'two pipelines have the name "t"'],
  ])('says what is wrong in %j', (input, message) => {
    expect(() => definePipelines(input)).toThrow(ConfigurationError)
    expect(() => definePipelines(input)).toThrow(message)
  })
})
