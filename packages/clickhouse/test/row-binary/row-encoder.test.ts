import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Row, toWire } from '@smart-whale/interfaces'
import { RowDecoder } from '../../src/row-binary/row-decoder.ts'
import { compileRowEncoder, type RowEncoder } from '../../src/row-binary/row-encoder.ts'

const { url, owner } = inject('clickhouse')
const database = `row_binary_${process.pid}`

async function askBytes(query: string, body?: Uint8Array): Promise<Uint8Array> {
  const target = new URL(url)
  target.searchParams.set('query', query)
  target.searchParams.set('async_insert', '0')
  const authorization = `Basic ${Buffer.from(`${owner.username}:${owner.password}`).toString('base64')}`
  const response = await fetch(target, { method: 'POST', headers: { authorization }, ...(body === undefined ? {} : { body: Uint8Array.from(body) }) })
  const bytes = Buffer.from(await response.arrayBuffer())
  if (!response.ok) expect.fail(String(bytes))
  return bytes
}

const ask = async (query: string, body?: Uint8Array): Promise<string> => String(await askBytes(query, body))

/** Stores rows in a table of the given columns and reads them back as the server prints them. */
async function roundTrip(name: string, columns: Record<string, string>, rows: readonly Row[]): Promise<unknown[]> {
  const table = `${database}.${name}`
  await ask(`CREATE OR REPLACE TABLE ${table} (row_number UInt32, ${Object.entries(columns).map(([column, type]) => `\`${column}\` ${type}`).join(', ')}) ENGINE = MergeTree ORDER BY row_number`)
  const described = [{ name: 'row_number', type: 'UInt32' }, ...Object.entries(columns).map(([column, type]) => ({ name: column, type }))]
  const bytes = (compileRowEncoder(name, described) as RowEncoder).encode(rows.map((row, index) => ({ row_number: index, ...row })))
  await ask(`INSERT INTO ${table} FORMAT RowBinaryWithNamesAndTypes`, bytes)
  const text = await ask(`SELECT * EXCEPT row_number FROM ${table} ORDER BY row_number FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1, output_format_json_quote_denormals = 1`)
  return text.trim() === '' ? [] : text.trim().split('\n').map((line) => JSON.parse(line) as unknown)
}

beforeAll(async () => void (await ask(`CREATE DATABASE ${database}`)))
afterAll(async () => void (await ask(`DROP DATABASE ${database} SYNC`)))

const integer = (bits: number, signed: boolean): fc.Arbitrary<bigint> =>
  signed ? fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n }) : fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n })
const small = (bits: number, signed: boolean): fc.Arbitrary<number> => integer(bits, signed).map(Number)
const decimal = (precision: number, scale: number): fc.Arbitrary<string> =>
  fc.tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** BigInt(precision) - 1n })).map(([negative, digits]) => {
    const text = String(digits).padStart(scale + 1, '0')
    const value = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`
    return negative && digits > 0n ? `-${value}` : value
  })
const plainDecimal = (text: unknown): string => String(text).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
const wellFormed = fc.string({ unit: 'binary', maxLength: 80 }).filter((text) => text.isWellFormed())

describe('compileRowEncoder, read back by the server', () => {
  it('keeps every integer of every width, as number, bigint or digits', async () => {
    const columns = { a: 'Int8', b: 'UInt8', c: 'Int16', d: 'UInt16', e: 'Int32', f: 'UInt32', g: 'Int64', h: 'UInt64', i: 'Int128', j: 'UInt128', k: 'Int256', l: 'UInt256' }
    const row = fc.record({ a: small(8, true), b: small(8, false), c: small(16, true), d: small(16, false), e: small(32, true), f: small(32, false), g: integer(64, true), h: integer(64, false), i: integer(128, true), j: integer(128, false), k: integer(256, true), l: integer(256, false) })
    const safe = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
    const asNumber = fc.tuple(row, safe).map(([values, number]) => ({ ...values, g: number, i: number, k: number }))
    const asDigits = row.map((values) => ({ ...values, g: String(values.g), l: String(values.l) }))
    const rows = fc.sample(fc.oneof(row, asNumber, asDigits), 400)

    const back = await roundTrip('integers', columns, rows)

    expect(back.map((values) => Object.values(values as Row).map(String))).toEqual(rows.map((values) => Object.values(values).map(String)))
  })

  it('keeps decimals and floats', async () => {
    const columns = { a: 'Decimal(9, 2)', b: 'Decimal(18, 0)', c: 'Decimal(38, 10)', d: 'Decimal(76, 38)', e: 'Float64' }
    const rows = fc.sample(fc.record({ a: decimal(9, 2), b: decimal(18, 0), c: decimal(38, 10), d: decimal(76, 38), e: fc.double({ noNaN: true, noDefaultInfinity: true }) }), 300)

    const back = (await roundTrip('decimals', columns, rows)) as typeof rows

    expect(back.map(({ a, b, c, d }) => [a, b, c, d].map(plainDecimal))).toEqual(rows.map(({ a, b, c, d }) => [a, b, c, d].map(plainDecimal)))
    expect(back.map(({ e }) => Number(e))).toEqual(rows.map(({ e }) => (Object.is(e, -0) ? -0 : e)))
  })

  it('takes a decimal in whatever way it is written', async () => {
    const written = ['1.5', '1.500', '007.25', '-0.00', '12.', 5, -2.25, 7n, '-9999999.99', '0.01']
    const rows = written.map((value) => ({ short: value, long: value }))

    const back = (await roundTrip('written_decimals', { short: 'Decimal(9, 2)', long: 'Decimal(18, 2)' }, rows)) as Record<string, string>[]

    const expected = ['1.5', '1.5', '7.25', '0', '12', '5', '-2.25', '7', '-9999999.99', '0.01']
    expect(back.map(({ short, long }) => [short, long].map(plainDecimal))).toEqual(expected.map((text) => [text, text]))
  })

  it('takes text of any length around where lengths get wider and shortcuts end', async () => {
    const lengths = [0, 1, 35, 36, 37, 42, 43, 63, 64, 126, 127, 128, 129, 5461, 5462, 16_383, 16_384, 70_000]
    const rows = lengths.flatMap((length) => ['a', 'ø', '海'].map((character) => ({ s: character.repeat(length) })))

    expect(await roundTrip('lengths', { s: 'String' }, rows)).toEqual(rows)
  })

  it('takes a UUID in capitals too', async () => {
    expect(await roundTrip('capitals', { u: 'UUID' }, [{ u: '5B6F1A52-8A1F-4A1C-9F0E-0D8F0C6F2A11' }])).toEqual([{ u: '5b6f1a52-8a1f-4a1c-9f0e-0d8f0c6f2a11' }])
  })

  it('keeps text, bytes, identifiers and addresses', async () => {
    const columns = { s: 'String', n: 'Nullable(String)', l: 'LowCardinality(String)', ln: 'LowCardinality(Nullable(String))', u: 'UUID', v4: 'IPv4', v6: 'IPv6', b: 'Bool', e: "Enum8('one' = 1, 'it\\'s' = 2)" }
    const row = fc.record({ s: wellFormed, n: fc.option(wellFormed), l: wellFormed, ln: fc.option(wellFormed), u: fc.uuid(), v4: fc.ipV4(), v6: fc.ipV6(), b: fc.boolean(), e: fc.constantFrom('one', "it's") })
    const rows = fc.sample(row, 300)

    const back = (await roundTrip('texts', columns, rows)) as typeof rows

    const canonical = (address: string): string => new URL(`http://[${address}]`).hostname
    expect(back.map(({ v6, ...rest }) => ({ ...rest, v6: canonical(v6) }))).toEqual(rows.map(({ v6, ...rest }) => ({ ...rest, v6: canonical(v6) })))
  })

  it('keeps times to the last digit', async () => {
    const columns = { day: 'Date', wide: 'Date32', at: "DateTime('UTC')", ms: "DateTime64(3, 'UTC')", us: "DateTime64(6, 'UTC')", s: "DateTime64(0, 'UTC')" }
    const date = (min: string, max: string): fc.Arbitrary<Date> => fc.date({ min: new Date(min), max: new Date(max), noInvalidDate: true })
    const seconds = (time: Date): Date => new Date(Math.floor(time.getTime() / 1000) * 1000)
    const row = fc.record({
      day: date('1970-01-01', '2149-06-06').map((time) => time.toISOString().slice(0, 10)),
      wide: date('1900-01-01', '2299-12-31').map((time) => time.toISOString().slice(0, 10)),
      at: date('1970-01-01', '2106-02-07').map(seconds),
      ms: date('1900-01-01', '2299-12-31'),
      us: fc.tuple(date('1900-01-01', '2299-12-31'), fc.integer({ min: 0, max: 999 })).map(([time, micros]) => time.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`)),
      s: date('1900-01-01', '2299-12-31').map(seconds),
    })
    const rows = fc.sample(row, 400)

    const back = (await roundTrip('times', columns, rows)) as Record<string, string>[]

    const printed = (time: Date | string, digits: number): string => (typeof time === 'string' ? time : time.toISOString()).replace('T', ' ').slice(0, digits === 0 ? 19 : 20 + digits)
    expect(back).toEqual(rows.map(({ day, wide, at, ms, us, s }) => ({ day, wide, at: printed(at, 0), ms: printed(ms, 3), us: printed(us, 6), s: printed(s, 0) })))
  })

  it('keeps arrays, maps and tuples in each other', async () => {
    const columns = { a: 'Array(Nullable(Int32))', m: 'Map(String, Array(UInt8))', t: 'Tuple(Int32, String)', named: 'Tuple(x UInt8, `a b` Nullable(String))' }
    const row = fc.record({ a: fc.array(fc.option(fc.integer())), m: fc.dictionary(fc.string({ unit: 'grapheme-ascii' }), fc.array(fc.nat(255))), t: fc.tuple(fc.integer(), wellFormed), named: fc.record({ x: fc.nat(255), 'a b': fc.option(wellFormed) }) })
    const rows = fc.sample(row, 300)

    expect(JSON.parse(JSON.stringify(await roundTrip('nested', columns, rows)))).toEqual(JSON.parse(JSON.stringify(rows)))
  })

  it('gives, decoded again from chunks cut anywhere, the same as the server printed', async () => {
    const types = ['Int8', 'UInt16', 'Int32', 'Int64', 'UInt256', 'Decimal(18, 4)', 'Float64', 'String', 'UUID', 'IPv4', 'Date32', "DateTime64(3, 'UTC')", 'Nullable(Int64)', "DateTime64(6, 'UTC')", "DateTime64(9, 'UTC')", 'LowCardinality(String)', 'Array(Int64)', 'Map(String, UInt8)', 'Tuple(a Int8, b String)', 'Bool', "Enum8('a' = 1, 'b' = 2)"]
    const structure = types.map((type, index) => `c${index} ${type}`).join(', ').replaceAll("'", "\\'")
    const query = `SELECT * FROM generateRandom('${structure}', 7, 12, 3) LIMIT 300`
    const bytes = await askBytes(`${query} FORMAT RowBinaryWithNamesAndTypes`)
    const printed = (await ask(`${query} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1, date_time_output_format = 'iso'`)).trim().split('\n')

    const decoder = new RowDecoder()
    const rows: Row[] = []
    for (let at = 0, cut = 1; at < bytes.length; at += cut, cut = 1 + ((at * 31) % 700)) rows.push(...decoder.push(bytes.subarray(at, at + cut)))

    expect(decoder.columns?.map(({ type }) => type)).toEqual(types)
    expect(decoder.pendingBytes).toBe(0)
    const trimmed = (row: Row): Row => ({ ...row, c5: Number(row.c5) })
    expect(rows.map((row) => trimmed(toWire(row) as Row))).toEqual(printed.map((line) => trimmed(JSON.parse(line) as Row)))
  })

  it.each([
    ['UInt8', 256, 'does not fit 8 bits without a sign'],
    ['Int64', 2 ** 60, 'is an integer beyond 2^53 as a number; give a bigint or its digits'],
    ['Int32', '12x', 'must be an integer, is a string'],
    ['String', 5, 'must be a string or bytes, is a number'],
    ['String', null, 'must be a string or bytes, is a null'],
    ['String', 'half \ud83d', 'contains half of a surrogate pair'],
    ['UUID', '5b6f1a52-8a1f-4a1c-9f0e-0d8f0c6f2a1g', 'must be a UUID, is a string'],
    ['UUID', '5b6f1a52-8a1f-4a1c-9f0e-0d8f0c6f2aı1', 'must be a UUID, is a string'],
    ['UUID', '5b6f1a5228a1f-4a1c-9f0e-0d8f0c6f2a11', 'must be a UUID, is a string'],
    ['Decimal(5, 2)', '.5', 'must be a decimal without exponent, is a string'],
    ['Decimal(5, 2)', '1234', 'has more than 5 digits'],
    ['Decimal(18, 2)', '-', 'must be a decimal without exponent, is a string'],
    ['Decimal(5, 2)', '1.005', 'has more than 2 digits behind the point'],
    ["DateTime64(3, 'UTC')", 1, 'must be a Date or an ISO 8601 time with zone, is a number'],
    ["DateTime64(3, 'UTC')", '2001-01-01T00:00:00.0001Z', 'is finer than the column, which holds 3 digits of a second'],
    ['DateTime', new Date('1969-12-31'), 'lies outside what DateTime (1970 to 2106) holds'],
    ['Date', '2001-02-30', 'is not a day of the calendar'],
    ['Array(UInt8)', [1, -1], 'element 1 does not fit 8 bits without a sign'],
    ["Enum8('a' = 1)", 'b', 'is not among the values of the enum; give one of "a"'],
  ])('refuses, for a %s, the value %s and says why', (type, value, reason) => {
    const encoder = compileRowEncoder('t', [{ name: 'c', type }]) as RowEncoder

    expect(() => encoder.encode([{ c: value }])).toThrow(`row 0 does not fit table "t": column "c" of type ${type} ${reason}; nothing was sent`)
  })

  it.each([
    ['BFloat16', 1e39, 'does not fit a float of 16 bits'],
    ['Float32', -1e39, 'does not fit a float of 32 bits'],
    ['Time', '12:60:00', 'must be a time like 12:34:56, or whole seconds, is a string'],
    ['Time', 3_600_000, 'lies outside what Time (-999:59:59 to 999:59:59) holds'],
    ['Time64(3)', '00:00:00.0001', 'is finer than the column, which holds 3 digits of a second'],
    ['IntervalDay', 1.5, 'must be an integer, is a fraction'],
    ['Point', [1], 'must be an array of 2, is a array'],
    ['Variant(Date, UInt8)', 'x', 'fits none of Date, UInt8, is a string; name one with typed(…)'],
    ['Dynamic', [1, 'a'], "mixes Int64 and String; bind it with typed('Array(…)', …)"],
    ['JSON', 'text', 'must be an object, or the JSON text of one, is a string'],
    ['JSON', { a: [NaN] }, 'holds NaN under "0", which JSON has no word for; leave it out, or give text'],
    ['QBit(Float32, 2)', [1], 'must have 2 elements, has 1'],
    ['AggregateFunction(sum, UInt8)', 5, 'must be the bytes of a state, as CAST(… AS String) gives them, is a number'],
  ])('refuses, for a %s, the value %j and says why', (type, value, reason) => {
    const encoder = compileRowEncoder('t', [{ name: 'c', type }]) as RowEncoder

    expect(() => encoder.encode([{ c: value }])).toThrow(`row 0 does not fit table "t": column "c" of type ${type} ${reason}; nothing was sent`)
  })

  it('has no encoder for types that nobody knows', () => {
    for (const type of ['Nonsense', 'Array(AggregateFunction(sum, Int8))', 'Tuple(a Nonsense)']) expect(compileRowEncoder('t', [{ name: 'c', type }])).toBeNull()
  })
})
