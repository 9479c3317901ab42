import fc from 'fast-check'
import { typed } from '../../src/index.ts'

/** A type of ClickHouse's with values, what comes of them when they are read, and what the server itself says that they are. */
export interface TypeCase {
  readonly type: string
  /** What is inserted. */
  readonly value: fc.Arbitrary<unknown>
  /** What is read, for an inserted value. */
  readonly back: (value: never) => unknown
  /** The value in words of plain ASCII, worked out here … */
  readonly text: (value: never) => string
  /** … and the expression by which the server says the same of its own reading. */
  readonly sql: (expression: string) => string
}

interface Described<V> {
  type: string
  value: fc.Arbitrary<V>
  back?: (value: V) => unknown
  text: (value: V) => string
  sql?: (expression: string) => string
}

const asText = (expression: string): string => `toString(${expression})`
const typeCase = <V>({ back = (value) => value, sql = asText, ...rest }: Described<V>): TypeCase => ({ ...rest, back, sql }) as unknown as TypeCase

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()
const two = (part: number): string => String(part).padStart(2, '0')

function integer(bits: number, signed: boolean): TypeCase {
  const min = signed ? -(2n ** BigInt(bits - 1)) : 0n
  const max = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n
  const large = fc.oneof({ arbitrary: fc.bigInt({ min, max }), weight: 6 }, fc.constantFrom(min, max, 0n, min + 1n, max - 1n), fc.bigInt({ min: signed ? -300n : 0n, max: max < 300n ? max : 300n }).map((value) => (value < min ? min : value)))
  const value = bits < 64 ? large.map(Number) : large
  return typeCase<number | bigint>({ type: `${signed ? '' : 'U'}Int${bits}`, value, text: String })
}

const bitsOf = (value: number, bits: 32 | 64): string => {
  const view = new DataView(new ArrayBuffer(8))
  if (bits === 64) view.setFloat64(0, value)
  else view.setFloat32(0, value)
  return String(bits === 64 ? view.getBigUint64(0) : view.getUint32(0))
}
const float64 = typeCase<number>({ type: 'Float64', value: fc.double(), text: (value) => bitsOf(value, 64), sql: (expression) => `toString(reinterpretAsUInt64(${expression}))` })
const float32 = typeCase<number>({ type: 'Float32', value: fc.float(), text: (value) => bitsOf(value, 32), sql: (expression) => `toString(reinterpretAsUInt32(${expression}))` })
const bfloat16 = typeCase<number>({
  type: 'BFloat16',
  value: fc.nat(0xffff).map((upper) => new DataView(Uint8Array.of(upper >> 8, upper & 0xff, 0, 0).buffer).getFloat32(0)),
  text: (value) => bitsOf(value, 32),
  sql: (expression) => `toString(reinterpretAsUInt32(toFloat32(${expression})))`,
})

function decimal(precision: number, scale: number): TypeCase {
  const limit = 10n ** BigInt(precision) - 1n
  const value = fc.oneof(fc.bigInt({ min: -limit, max: limit }), fc.constantFrom(0n, limit, -limit)).map((unscaled) => {
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
    const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
    return unscaled < 0n ? `-${text}` : text
  })
  const plain = (text: string): string => (text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text)
  return typeCase<string>({ type: `Decimal(${precision}, ${scale})`, value, text: plain })
}

const wellFormed = fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => text.isWellFormed())
const bytes = fc.uint8Array({ maxLength: 40 })
const readAsText = (value: string | Uint8Array): string | Uint8Array => {
  if (typeof value === 'string') return value
  const text = Buffer.from(value).toString('utf8')
  return Buffer.from(text, 'utf8').equals(Buffer.from(value)) ? text : value
}
const utf8 = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? Buffer.from(value) : value)
const string = typeCase<string | Uint8Array>({ type: 'String', value: fc.oneof(wellFormed, bytes, fc.constant('�')), back: readAsText, text: (value) => hex(utf8(value)), sql: (expression) => `hex(${expression})` })
const fixedString = (length: number): TypeCase =>
  typeCase<string | Uint8Array>({
    type: `FixedString(${length})`,
    value: fc.oneof(fc.uint8Array({ maxLength: length }), fc.uint8Array({ minLength: length, maxLength: length }), wellFormed.filter((text) => Buffer.byteLength(text) <= length)),
    back: (value) => {
      const full = Buffer.concat([utf8(value)], length)
      let end = length
      while (end > 0 && full[end - 1] === 0) end--
      const text = readAsText(Uint8Array.from(full.subarray(0, end)))
      return typeof text === 'string' ? text : Uint8Array.from(full)
    },
    text: (value) => hex(Buffer.concat([utf8(value)], length)),
    sql: (expression) => `hex(${expression})`,
  })

const DAY_MS = 86_400_000
const day = (type: string, first: string, last: string): TypeCase =>
  typeCase<string>({ type, value: fc.integer({ min: Date.parse(first) / DAY_MS, max: Date.parse(last) / DAY_MS }).map((days) => new Date(days * DAY_MS).toISOString().slice(0, 10)), text: (value) => value })
const seconds = (type: string): TypeCase =>
  typeCase<Date>({ type, value: fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 0xffff_ffff)).map((time) => new Date(time * 1000)), text: (value) => String(value.getTime() / 1000), sql: (expression) => `toString(toUnixTimestamp(${expression}))` })

function ticks(precision: number, zone?: string): TypeCase {
  const perSecond = 10n ** BigInt(precision)
  const lastSecond = precision === 9 ? 9_223_372_035n : BigInt(Date.UTC(2300, 0, 1) / 1000) - 1n
  const moment = fc.tuple(fc.bigInt({ min: BigInt(Date.UTC(1900, 0, 1) / 1000), max: lastSecond }), fc.bigInt({ min: 0n, max: perSecond - 1n }))
  const iso = ([second, fraction]: readonly [bigint, bigint]): string =>
    `${new Date(Number(second) * 1000).toISOString().slice(0, 19)}${precision === 0 ? '' : `.${String(fraction).padStart(precision, '0')}`}Z`
  return typeCase<string>({
    type: `DateTime64(${precision}${zone === undefined ? '' : `, '${zone}'`})`,
    value: moment.map(iso),
    back: (value) => (precision > 3 ? value : new Date(value)),
    text: (value) => value.slice(0, -1).replace('T', ' '),
    sql: (expression) => `toString(${expression}, 'UTC')`,
  })
}

function clock(precision: number): TypeCase {
  const value = fc.tuple(fc.boolean(), fc.nat(3_599_998), fc.nat(10 ** precision - 1)).map(([negative, second, fraction]) => {
    const text = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}${precision === 0 ? '' : `.${String(fraction).padStart(precision, '0')}`}`
    return negative && second + fraction > 0 ? `-${text}` : text
  })
  return typeCase<string>({ type: precision === 0 ? 'Time' : `Time64(${precision})`, value, text: (text) => text })
}

const ENUM8 = new Map([['one', 1], ["it's", -2], ['back\\slash', 3], ['line\nbreak', 4], ['', 5], ['ü)', 127]])
const ENUM16 = new Map([['x = 1', -32_768], ["', 'y' = 2", 300], ['tab\there', 32_767]])
function enumeration(type: string, values: ReadonlyMap<string, number>): TypeCase {
  const declared = [...values].sort(([, left], [, right]) => left - right).map(([name, number]) => `'${name.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}' = ${number}`)
  return typeCase<string>({ type: `${type}(${declared.join(', ')})`, value: fc.constantFrom(...values.keys()), text: (name) => String(values.get(name)), sql: (expression) => `toString(CAST(${expression} AS Int16))` })
}

const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
const ipv6 = typeCase<string>({
  type: 'IPv6',
  value: groups.map((numbers) => numbers.map((number) => number.toString(16)).join(':')),
  back: (value) => new URL(`http://[${value}]`).hostname.slice(1, -1),
  text: (value) => value.split(':').map((group) => group.padStart(4, '0')).join('').toUpperCase(),
  sql: (expression) => `hex(IPv6StringToNum(toString(${expression})))`,
})

/** Types that hold one thing. */
export const SCALARS: readonly TypeCase[] = [
  ...[8, 16, 32, 64, 128, 256].flatMap((bits) => [integer(bits, true), integer(bits, false)]),
  float32, float64, bfloat16,
  ...([[9, 0], [9, 4], [9, 9], [18, 6], [38, 0], [38, 20], [76, 38], [76, 76], [5, 2]] as const).map(([precision, scale]) => decimal(precision, scale)),
  string, fixedString(1), fixedString(16),
  typeCase<boolean>({ type: 'Bool', value: fc.boolean(), text: String }),
  typeCase<string>({ type: 'UUID', value: fc.uuid(), text: (value) => value }),
  typeCase<string>({ type: 'IPv4', value: fc.ipV4(), text: (value) => value }),
  ipv6,
  day('Date', '1970-01-01', '2149-06-06'), day('Date32', '1900-01-01', '2299-12-31'),
  seconds('DateTime'), seconds("DateTime('Asia/Kathmandu')"),
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((precision) => ticks(precision, precision % 2 === 0 ? undefined : 'America/New_York')),
  ...[0, 3, 6, 9].map(clock),
  enumeration('Enum8', ENUM8), enumeration('Enum16', ENUM16),
]

/** Intervals, which a table may have, though nothing holds them in it. */
export const INTERVALS: readonly TypeCase[] = ['Nanosecond', 'Microsecond', 'Millisecond', 'Second', 'Minute', 'Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year'].map((unit) =>
  typeCase<bigint>({ type: `Interval${unit}`, value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), text: String }),
)

const NULL = 'null'
const joined = (parts: readonly string[]): string => `(${parts.join('|')})`

export const nullable = (inner: TypeCase): TypeCase =>
  typeCase<unknown>({
    type: `Nullable(${inner.type})`,
    value: fc.option(inner.value),
    back: (value) => (value === null ? null : inner.back(value as never)),
    text: (value) => (value === null ? NULL : inner.text(value as never)),
    sql: (expression) => `if(isNull(${expression}), '${NULL}', ${inner.sql(`assumeNotNull(${expression})`)})`,
  })

export const lowCardinality = (inner: TypeCase): TypeCase => ({ ...inner, type: `LowCardinality(${inner.type})`, sql: (expression) => inner.sql(`CAST(${expression} AS ${inner.type})`) })

let lambdas = 0
export const array = (inner: TypeCase): TypeCase =>
  typeCase<unknown[]>({
    type: `Array(${inner.type})`,
    value: fc.array(inner.value, { maxLength: 5 }),
    back: (values) => values.map((value) => inner.back(value as never)),
    text: (values) => joined(values.map((value) => inner.text(value as never))),
    sql: (expression) => arraySql(inner, expression),
  })

function arraySql(inner: TypeCase, expression: string): string {
  const element = `x${lambdas++}`
  return `concat('(', arrayStringConcat(arrayMap(${element} -> ${inner.sql(element)}, ${expression}), '|'), ')')`
}

export const tuple = (inner: readonly TypeCase[], names?: readonly string[]): TypeCase => {
  const quoted = (index: number): string => (names === undefined ? '' : `\`${(names[index] as string).replace(/[\\`]/g, '\\$&')}\` `)
  return typeCase<unknown[]>({
    type: `Tuple(${inner.map(({ type }, index) => `${quoted(index)}${type}`).join(', ')})`,
    value: fc.tuple(...inner.map(({ value }) => value)),
    back: (values) => {
      const back = values.map((value, index) => inner[index]?.back(value as never))
      return names === undefined ? back : Object.fromEntries(back.map((value, index) => [names[index], value]))
    },
    text: (values) => joined(values.map((value, index) => (inner[index] as TypeCase).text(value as never))),
    sql: (expression) => `concat('(', ${inner.map((element, index) => element.sql(`tupleElement(${expression}, ${index + 1})`)).join(", '|', ")}, ')')`,
  })
}

export const map = (key: TypeCase, value: TypeCase): TypeCase =>
  typeCase<Map<unknown, unknown>>({
    type: `Map(${key.type}, ${value.type})`,
    value: fc.uniqueArray(fc.tuple(key.value, value.value), { maxLength: 4, selector: ([name]) => key.text(name as never) }).map((entries) => new Map(entries)),
    back: (entries) => {
      const back = [...entries].map(([name, held]) => [key.back(name as never), value.back(held as never)] as const)
      return /String|Enum/.test(key.type) && back.every(([name]) => typeof name === 'string') ? Object.fromEntries(back) : new Map(back)
    },
    text: (entries) => joined([[...entries.keys()].map((name) => key.text(name as never)), [...entries.values()].map((held) => value.text(held as never))].map(joined)),
    sql: (expression) => `concat('(', ${arraySql(key, `mapKeys(${expression})`)}, '|', ${arraySql(value, `mapValues(${expression})`)}, ')')`,
  })

interface Chosen {
  readonly place: number
  readonly value: unknown
}

export const variant = (inner: readonly TypeCase[]): TypeCase => {
  const sorted = [...inner].sort((left, right) => (left.type < right.type ? -1 : 1))
  const chosen = fc.oneof(fc.constant(null), ...sorted.map(({ value }, place) => value.map((given): Chosen => ({ place, value: given }))))
  const caseOf = (choice: Chosen): TypeCase => sorted[choice.place] as TypeCase
  return {
    type: `Variant(${sorted.map(({ type }) => type).join(', ')})`,
    value: chosen.map((choice) => (choice === null ? null : Object.assign(typed(caseOf(choice).type, choice.value), choice))),
    back: (choice: Chosen | null) => (choice === null ? null : caseOf(choice).back(choice.value as never)),
    text: (choice: Chosen | null) => (choice === null ? NULL : `${choice.place}:${caseOf(choice).text(choice.value as never)}`),
    sql: (expression) =>
      `multiIf(${sorted.map((candidate, place) => `variantType(${expression}) = ${quote(candidate.type)}, concat('${place}:', ${candidate.sql(`assumeNotNull(variantElement(${expression}, ${quote(candidate.type)}))`)})`).join(', ')}, '${NULL}')`,
  } as TypeCase
}

const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`

const renamed = (type: string, of: TypeCase): TypeCase => ({ ...of, type })
const point = renamed('Point', tuple([float64, float64]))
const ring = renamed('Ring', array(point))
const line = renamed('LineString', array(point))
const polygon = renamed('Polygon', array(ring))

/** Geometric types, each made of the ones before it. */
export const GEOMETRIES: readonly TypeCase[] = [point, ring, line, polygon, renamed('MultiLineString', array(line)), renamed('MultiPolygon', array(polygon))]

/** A list of named fields, as one column. */
export const nested = (names: readonly string[], inner: readonly TypeCase[]): TypeCase => {
  const rows = array(tuple(inner, names))
  return renamed(rows.type.replace(/^Array\(Tuple/, 'Nested').slice(0, -1), rows)
}

const wholeVector = (type: string): TypeCase =>
  typeCase<number[]>({ type: `QBit(${type}, 3)`, value: fc.array(fc.integer({ min: -40, max: 40 }).map((quarters) => quarters / 4), { minLength: 3, maxLength: 3 }), text: (values) => `[${values.join(',')}]` })
const inUse = (name: string, inner: TypeCase): TypeCase => renamed(`SimpleAggregateFunction(${name}, ${inner.type})`, inner)

/** Types that stand in a table alone, or hold what the server makes: vectors, shapes of any kind, values that are merged. */
export const SPECIALS: readonly TypeCase[] = [...['Float32', 'Float64', 'BFloat16'].map(wholeVector), renamed('Geometry', variant([line, renamed('MultiLineString', array(line)), renamed('MultiPolygon', array(polygon)), point, polygon, ring])), inUse('max', integer(64, true)), inUse('anyLast', nullable(string))]

const keyable = SCALARS.filter(({ type }) => !/Float|Decimal|Time64|^Time|Enum|Bool|DateTime64/.test(type))
const lowCardinalities = SCALARS.filter(({ type }) => /^(String|FixedString|U?Int(8|16|32|64)$|Date$|DateTime$|UUID)/.test(type))
const scalar = fc.constantFrom(...SCALARS)

/** Any type, made of others up to a depth. */
export function randomType(depth = 3): fc.Arbitrary<TypeCase> {
  if (depth === 0) return scalar
  const inner = randomType(depth - 1)
  const several = fc.array(inner, { minLength: 1, maxLength: 3 })
  return fc.oneof(
    { arbitrary: scalar, weight: 3 },
    { arbitrary: scalar.map(nullable), weight: 2 },
    fc.constantFrom(...lowCardinalities).map(lowCardinality),
    fc.constantFrom(...lowCardinalities).map((type) => lowCardinality(nullable(type))),
    { arbitrary: inner.map(array), weight: 2 },
    several.map((types) => tuple(types)),
    several.map((types) => tuple(types, ['a', 'b c', '`\\'].slice(0, types.length))),
    fc.tuple(fc.constantFrom(...keyable), inner).map(([key, value]) => map(key, value)),
    fc.uniqueArray(scalar, { minLength: 1, maxLength: 4, selector: ({ type }) => type }).map(variant),
    several.map((types) => nested(['p', 'q', 'r'].slice(0, types.length), types)),
    fc.constantFrom(...GEOMETRIES),
  )
}
