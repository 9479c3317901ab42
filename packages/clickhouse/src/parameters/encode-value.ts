import type { ColumnType } from '../row-binary/column-type.ts'
import { kindOf } from '../row-binary/cell-refusal.ts'
import { isTyped } from './typed-value.ts'

/** Why a value can't be bound as a type. */
export class UnfitValue {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/**
 * A value as the text from which ClickHouse reads a parameter of this type. At the top that is the escaped form of
 * tab-separated text (`a\tb`, `\N`), inside of arrays, tuples and maps the quoted form of literals (`'it\'s'`, `NULL`).
 */
export function encodeValue(type: ColumnType, value: unknown, nested = false): string | UnfitValue {
  if (isTyped(value)) return encodeValue(type, value.value, nested)
  const encode = ENCODERS[type.name]
  if (value === null && type.name !== 'Nullable' && type.name !== 'LowCardinality' && type.name !== 'Variant' && type.name !== 'Dynamic') {
    return new UnfitValue(`must not be null; its type is ${type.name}`)
  }
  if (value === undefined) return new UnfitValue('must have a value; give null for none')
  return encode ? encode(type, value, nested) : encodeText(type, value, nested)
}

type Encode = (type: ColumnType, value: unknown, nested: boolean) => string | UnfitValue

const integer =
  (bits: bigint, signed: boolean): Encode =>
  (type, value) => {
    const whole = integerOf(value)
    if (whole === undefined) return new UnfitValue(`must be an integer for ${type.name}, found ${kindOf(value)}`)
    const [low, high] = signed ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n]
    return whole < low || whole > high ? new UnfitValue(`must be from ${low} to ${high} for ${type.name}`) : String(whole)
  }

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  return typeof value === 'string' && /^[+-]?\d+$/.test(value) ? BigInt(value) : undefined
}

const float: Encode = (type, value) => {
  if (typeof value === 'bigint') return String(value)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number') return new UnfitValue(`must be a number for ${type.name}, found ${kindOf(value)}`)
  if (Number.isFinite(number)) return Object.is(number, -0) ? '-0' : String(number)
  return Number.isNaN(number) ? 'nan' : number > 0 ? 'inf' : '-inf'
}

const decimal: Encode = (type, value) => {
  const text = typeof value === 'string' || typeof value === 'bigint' ? String(value) : typeof value === 'number' && Number.isFinite(value) ? String(value) : ''
  return /^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text) ? text : new UnfitValue(`must be decimal digits for ${type.name}, found ${kindOf(value)}`)
}

const bool: Encode = (_type, value) => {
  if (typeof value === 'boolean') return String(value)
  if (value === 0 || value === 1 || value === 0n || value === 1n) return String(Boolean(value))
  return value === 'true' || value === 'false' ? value : new UnfitValue(`must be true or false for Bool, found ${kindOf(value)}`)
}

const nullable: Encode = (type, value, nested) => (value === null ? (nested ? 'NULL' : '\\N') : inner(type, value, nested))

const inner: Encode = (type, value, nested) => {
  const [first] = type.inner
  return first ? encodeValue(first, value, nested) : new UnfitValue(`has the incomplete type ${type.name}`)
}

const array: Encode = (type, value) => {
  const [element] = type.inner
  const values = Array.isArray(value) ? value : value instanceof Set ? [...(value as Set<unknown>)] : ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as unknown as ArrayLike<unknown>) : undefined
  if (!element || !values) return new UnfitValue(`must be an array for ${type.name}, found ${kindOf(value)}`)
  return list('[', values.map((item) => () => encodeValue(element, item, true)), ']')
}

const tuple: Encode = (type, value) => {
  const values = Array.isArray(value) ? value : type.names.length > 0 && typeof value === 'object' && value !== null ? type.names.map((name) => (value as Record<string, unknown>)[name]) : undefined
  if (values?.length !== type.inner.length) return new UnfitValue(`must be an array of ${type.inner.length} for ${type.name}, found ${kindOf(value)}`)
  return list('(', type.inner.map((element, index) => () => encodeValue(element, values[index], true)), ')')
}

const map: Encode = (type, value) => {
  const [keyType, valueType] = type.inner
  if (!keyType || !valueType || typeof value !== 'object' || value === null || Array.isArray(value)) return new UnfitValue(`must be a Map or an object for ${type.name}, found ${kindOf(value)}`)
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value)
  const parts = entries.map(([key, item]) => () => {
    const left = encodeValue(keyType, key, true)
    if (left instanceof UnfitValue) return left
    const right = encodeValue(valueType, item, true)
    return right instanceof UnfitValue ? right : `${left}:${right}`
  })
  return list('{', parts, '}')
}

/** A name is taken as it stands: here the server undoes no escapes. */
const identifier: Encode = (_type, value) => (typeof value === 'string' && value !== '' ? value : new UnfitValue(`must be a name, found ${value === '' ? 'an empty text' : kindOf(value)}`))

function list(open: string, parts: readonly (() => string | UnfitValue)[], close: string): string | UnfitValue {
  const texts: string[] = []
  for (const part of parts) {
    const text = part()
    if (text instanceof UnfitValue) return text
    texts.push(text)
  }
  return `${open}${texts.join(',')}${close}`
}

const ENCODERS: Readonly<Record<string, Encode>> = {
  ...Object.fromEntries([8n, 16n, 32n, 64n, 128n, 256n].flatMap((bits) => [[`Int${bits}`, integer(bits, true)] as const, [`UInt${bits}`, integer(bits, false)] as const])),
  Float32: float,
  Float64: float,
  BFloat16: float,
  Decimal: decimal,
  Decimal32: decimal,
  Decimal64: decimal,
  Decimal128: decimal,
  Decimal256: decimal,
  Bool: bool,
  Nullable: nullable,
  LowCardinality: inner,
  Array: array,
  Tuple: tuple,
  Map: map,
  Identifier: identifier,
}

/** Everything that ClickHouse reads from text: strings, enums, dates, addresses, and types not known here. */
function encodeText(type: ColumnType, value: unknown, nested: boolean): string | UnfitValue {
  // Bytes that may be no UTF-8 are spelled out one by one.
  if (value instanceof Uint8Array) return quoted(Array.from(value, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''), nested)
  const text = textOf(type, value)
  if (text instanceof UnfitValue) return text
  const escaped = text.replace(/[\\\t\n\r\0\b\f']/g, (character) => ESCAPES[character] ?? character)
  return quoted(escaped, nested)
}

const quoted = (escaped: string, nested: boolean): string => (nested ? `'${escaped}'` : escaped)

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0', '\b': '\\b', '\f': '\\f', "'": "\\'" }

function textOf(type: ColumnType, value: unknown): string | UnfitValue {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? new UnfitValue('is an invalid Date') : timeText(type, value)
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (type.name === 'JSON' && typeof value === 'object' && value !== null) return JSON.stringify(value)
  return new UnfitValue(`can't be bound as ${type.name}, found ${kindOf(value)}`)
}

/** Times are written in UTC; the binder gives a type without a time zone that of UTC. */
function timeText(type: ColumnType, value: Date): string | UnfitValue {
  const iso = value.toISOString()
  if (iso.length > 24) return new UnfitValue('is a Date beyond the year 9999, or before the year 0')
  const [day = '', time = ''] = iso.slice(0, -1).split('T')
  if (type.name === 'Date' || type.name === 'Date32') return day
  if (type.name === 'DateTime') return `${day} ${time.slice(0, 8)}`
  return `${day} ${time}`
}
