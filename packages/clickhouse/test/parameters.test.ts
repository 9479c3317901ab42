import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { bindParameters } from '../src/parameters/bind-parameters.ts'
import { typed } from '../src/parameters/typed-value.ts'

const { url, owner } = inject('clickhouse')

/** What the server makes of a query and its values: the first row. */
async function ask(query: string, values: Record<string, unknown>): Promise<unknown[]> {
  const bound = bindParameters(query, values)
  const search = new URLSearchParams({ ...bound.parameters, default_format: 'JSONCompactEachRow', output_format_json_quote_64bit_integers: '1', output_format_json_quote_decimals: '1', output_format_json_quote_denormals: '1' })
  const authorization = `Basic ${Buffer.from(`${owner.username}:${owner.password}`).toString('base64')}`
  const response = await fetch(`${url}/?${search}`, { method: 'POST', body: bound.query, headers: { authorization } })
  const text = await response.text()
  return response.ok ? (JSON.parse(text) as unknown[]) : expect.fail(text)
}

/** Asks for many values in one query, each as its own parameter. */
async function echo(values: readonly unknown[], wrap = (place: string) => place): Promise<unknown[]> {
  const named = Object.fromEntries(values.map((value, index) => [`v${index}`, value]))
  return ask(`SELECT ${values.map((_value, index) => wrap(`:v${index}`)).join(', ')}`, named)
}

const wellFormed = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed())
const awkward = fc.string({ unit: fc.constantFrom("'", '\\', '\t', '\n', '\r', '\0', '"', '`', '{', '}', ':', 'a', 'é', '😀', 'N'), maxLength: 20 })
const text = fc.oneof(wellFormed, awkward)
const sample = <T>(arbitrary: fc.Arbitrary<T>): T[] => fc.sample(arbitrary, 150)

describe('bound values, as the server reads them', () => {
  it('keeps every text', async () => {
    const values = sample(text)
    expect(await echo(values)).toEqual(values)
  })

  it('keeps every integer', async () => {
    const values = sample(fc.oneof(fc.bigInt({ min: -(2n ** 255n), max: 2n ** 256n - 1n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.maxSafeInteger()))
    expect((await echo(values, (place) => `toString(${place})`))).toEqual(values.map(String))
  })

  it('keeps every double', async () => {
    const values = sample(fc.double())
    const special = (value: number): number | string => (Number.isNaN(value) ? 'nan' : value === Infinity ? 'inf' : value === -Infinity ? '-inf' : value)
    const numbers = (await echo(values, (place) => `toFloat64(${place})`)) as (number | string)[]
    expect(numbers.map((value) => (value === 0 ? 0 : value))).toEqual(values.map(special).map((value) => (value === 0 ? 0 : value)))
  })

  it('keeps every time that DateTime64 holds, to the millisecond', async () => {
    const values = sample(fc.date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('2299-12-31T23:59:59.999Z'), noInvalidDate: true }))
    expect(await echo(values, (place) => `toUnixTimestamp64Milli(${place})`)).toEqual(values.map((value) => String(value.getTime())))
    expect(await echo(values.map((value) => typed('DateTime64(6)', value)), (place) => `toUnixTimestamp64Milli(${place})`)).toEqual(values.map((value) => String(value.getTime())))
  })

  it('keeps every byte', async () => {
    const values = sample(fc.uint8Array({ maxLength: 30 }))
    expect(await echo(values, (place) => `hex(${place})`)).toEqual(values.map((bytes) => Buffer.from(bytes).toString('hex').toUpperCase()))
  })

  it('keeps lists, lists of lists and gaps', async () => {
    const lists = sample(fc.array(fc.option(text), { maxLength: 5 }))
    expect(await echo(lists)).toEqual(lists)
    const nested = sample(fc.array(fc.array(fc.boolean(), { maxLength: 3 }), { minLength: 1, maxLength: 3 }))
    expect(await echo(nested.map((list) => typed('Array(Array(Bool))', list)))).toEqual(nested)
  })

  it('keeps maps and tuples', async () => {
    const maps = sample(fc.dictionary(text.filter((key) => key !== '__proto__'), fc.integer(), { maxKeys: 4 })).map((map) => ({ ...map }))
    expect(await echo(maps.map((map) => typed('Map(String, Int32)', map)))).toEqual(maps)
    const tuples = sample(fc.tuple(text, fc.integer(), fc.option(text)))
    expect(await echo(tuples.map((tuple) => typed('Tuple(String, Int32, Nullable(String))', tuple)))).toEqual(tuples)
  })

  it('compares, filters and limits', async () => {
    expect(await ask('SELECT groupArray(number) FROM (SELECT number FROM numbers(100) WHERE number IN :list AND number BETWEEN :low AND :high LIMIT :limit)', { list: [1, 5, 7, 70], low: 2, high: 90, limit: 2 })).toEqual([['5', '7']])
    expect(await ask('SELECT 1 IN :none, :absent IS NULL, :yes ? :one : :two', { none: [], absent: null, yes: true, one: 'a', two: 'b' })).toEqual([0, 1, 'a'])
  })

  it('skips what the server skips', async () => {
    const query = "SELECT ':a', \"x:b\", `y:c`, $t$ :d $t$, /* :e /* :f */ :g */ 1::Int8, {'k':2}, :real -- :h\n FROM (SELECT 3 AS `x:b`, 4 AS `y:c`) // :i"
    expect(await ask(query.replace("{'k':2}", "map('k', 2)"), { real: 'here' })).toEqual([':a', 3, 4, ' :d ', 1, { k: 2 }, 'here'])
  })

  it('cannot be broken out of', async () => {
    const attacks = ["' OR 1=1 --", "\\' OR 1", '} UNION ALL SELECT 1 {', '{x:UInt8}', "'); DROP TABLE t; --", '\\N', 'NULL', '\\']
    expect(await echo(attacks)).toEqual(attacks)
    expect(await ask('SELECT :all', { all: attacks })).toEqual([attacks])
  })
})
