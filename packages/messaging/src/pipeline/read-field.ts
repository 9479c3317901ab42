import { ExactNumber, stringifyExact } from './exact-json.ts'
import { FieldRefusal } from './field-refusal.ts'
import type { FieldType } from './field-type.ts'
import { readDate, readTimestamp } from './read-time.ts'

export { FieldRefusal }

/** Turns a JSON value into what both stores take, or says why not. */
export type FieldReader = (value: unknown) => unknown

/** Decimals and 64-bit integers need the digits as they were written: `JSON.parse` gives them only for what fits a double. */
export function needsExactNumbers(type: FieldType): boolean {
  return type.kind === 'int64' || type.kind === 'decimal'
}

/**
 * What is known of the text that the values were parsed from. `plain`: it is well-formed UTF-8 without a backslash and holds no
 * {@link ExactNumber}, so that no string in it can have a character that a store refuses. `any`: nothing.
 */
export type Origin = 'plain' | 'any'

/** Makes the reader of one field type. Null and absence are handled here, once for all types. */
export function fieldReader(type: FieldType, origin: Origin = 'any'): FieldReader {
  const read = origin === 'plain' && type.kind in PLAIN_READERS ? (PLAIN_READERS[type.kind] as FieldReader) : READERS[type.kind](type)
  return (value) => {
    if (value !== null && value !== undefined) return read(value)
    return type.nullable ? null : new FieldRefusal(value === null ? 'is null; declare the type with "?" to allow it' : 'is missing')
  }
}

const found = (value: unknown): string => {
  if (value instanceof ExactNumber) return 'number'
  if (Array.isArray(value)) return 'array'
  return typeof value
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

function readString(value: unknown): unknown {
  if (typeof value !== 'string') return new FieldRefusal(`must be a string, is a ${found(value)}`)
  if (value.includes('\u0000')) return new FieldRefusal('contains the character U+0000, which PostgreSQL does not store')
  // A lone surrogate has no UTF-8 form: storing it would silently change it.
  return value.isWellFormed() ? value : new FieldRefusal('contains half of a surrogate pair')
}

function readInt32(value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value)) return new FieldRefusal(`must be an integer, is a ${typeof value === 'number' ? 'fraction' : found(value)}`)
  return value >= -2147483648 && value <= 2147483647 ? value : new FieldRefusal('does not fit 32 bits')
}

function readInt64(value: unknown): unknown {
  const digits = value instanceof ExactNumber ? value.digits : value
  if (typeof digits === 'number') return Number.isSafeInteger(digits) ? BigInt(digits) : new FieldRefusal('must be an integer')
  if (typeof digits !== 'string' || !/^-?\d{1,19}$/.test(digits)) return new FieldRefusal(`must be an integer of at most 64 bits, or its digits in a string; is a ${found(value)}`)
  const exact = BigInt(digits)
  return exact >= INT64_MIN && exact <= INT64_MAX ? exact : new FieldRefusal('does not fit 64 bits')
}

function readFloat64(value: unknown): unknown {
  const number = value instanceof ExactNumber ? Number(value.digits) : value
  if (typeof number !== 'number') return new FieldRefusal(`must be a number, is a ${found(value)}`)
  return Number.isFinite(number) ? number : new FieldRefusal('is too large for a 64-bit float')
}

/** Longer than the most digits with sign, point and zeros around them that anybody writes; beyond it the search for zeros would take its time. */
const MAX_DECIMAL_TEXT = 200

function decimalReader(type: FieldType): FieldReader {
  return (value) => {
    if (typeof value === 'string') {
      const usual = usualDecimal(value, type)
      if (usual !== null) return usual
    }
    const text = value instanceof ExactNumber ? value.digits : typeof value === 'number' ? plainDigits(value) : value
    const parts = typeof text === 'string' && text.length <= MAX_DECIMAL_TEXT ? /^(-?)0*(\d+?)(?:\.(\d*?)0*)?$/.exec(text) : null
    if (parts === null) return new FieldRefusal(`must be a decimal number without exponent, or its digits in a string; is a ${found(value)}`)
    const [, sign, whole = '0', fraction = ''] = parts
    if (fraction.length > type.scale) return new FieldRefusal(`has more than ${type.scale} digits behind the point`)
    if ((whole === '0' ? 0 : whole.length) > type.precision - type.scale) return new FieldRefusal(`has more than ${type.precision - type.scale} digits before the point`)
    const digits = fraction === '' ? whole : `${whole}.${fraction}`
    return digits === '0' ? digits : `${sign}${digits}`
  }
}

/**
 * The digits of a decimal as most are written, like 12.50; null for every other text, right or wrong: that goes the long way. By hand,
 * because a regular expression takes several times as long.
 */
function usualDecimal(text: string, { precision, scale }: FieldType): string | null {
  const { length } = text
  if (length > MAX_USUAL_DECIMAL) return null
  let point = length
  let end = length
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code === POINT && point === length) point = index
    else if (code < ZERO || code > ZERO + 9) return null
  }
  if (point < length) {
    while (end > point + 1 && text.charCodeAt(end - 1) === ZERO) end--
    if (end === point + 1) end = point
  }
  const startsWithZero = text.charCodeAt(0) === ZERO
  if (point === 0 || point === length - 1 || (startsWithZero && point > 1)) return null
  if (end - point - 1 > scale || (startsWithZero ? 0 : point) > precision - scale) return null
  return end === length ? text : text.slice(0, end)
}

const MAX_USUAL_DECIMAL = 40
const ZERO = 0x30
const POINT = 0x2e

/** A number's digits without an exponent: 1e-7 is 0.0000001. */
export function plainDigits(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e')
  if (exponent === undefined) return mantissa
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(mantissa) ?? []
  const shift = Number(exponent)
  if (shift < 0) return `${sign}0.${'0'.repeat(-shift - whole.length)}${whole}${fraction}`
  return `${sign}${whole}${fraction.padEnd(shift, '0')}`
}

/** What each character of a UUID is, by its code: 1 a digit or a small letter, 2 a capital, 0 anything else. */
const HEX_KIND = Uint8Array.from({ length: 128 }, (_, code) => (/[0-9a-f]/.test(String.fromCharCode(code)) ? 1 : /[A-F]/.test(String.fromCharCode(code)) ? 2 : 0))
const DASH = 0x2d

/** By hand: a regular expression and a copy in small letters take several times as long, and most events have such fields. */
function readUuid(value: unknown): unknown {
  if (typeof value !== 'string' || value.length !== 36) return new FieldRefusal('must be a UUID')
  let kinds = 0
  for (let index = 0; index < 36; index++) {
    const code = value.charCodeAt(index)
    const isDash = index === 8 || index === 13 || index === 18 || index === 23
    const kind = isDash ? Number(code === DASH) : code < 128 ? (HEX_KIND[code] as number) : 0
    if (kind === 0) return new FieldRefusal('must be a UUID')
    kinds |= kind
  }
  return kinds === 1 ? value : value.toLowerCase()
}

function readJson(value: unknown): unknown {
  const text = jsonText(value, stringifyExact)
  if (text instanceof FieldRefusal) return text
  return readString(text) instanceof FieldRefusal || /\\u0000|\\u[dD][89a-fA-F]/.test(text) ? new FieldRefusal('contains a character that PostgreSQL does not store') : text
}

function jsonText(value: unknown, write: (value: unknown) => string): string | FieldRefusal {
  try {
    const text = write(value)
    // JSON has no word for a number beyond a double's range: `JSON.stringify` writes null, and PostgreSQL would refuse its digits.
    const suspicious = text.includes('null') || (write === stringifyExact && /\d[eE]/.test(text))
    return !suspicious || isFinite(value) ? text : new FieldRefusal('holds a number that is too large for a 64-bit float')
  } catch {
    return new FieldRefusal('is nested too deeply')
  }
}

/** Of a value that could be written as JSON, so that its depth is bounded. */
function isFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (value instanceof ExactNumber) return Number.isFinite(Number(value.digits))
  return typeof value !== 'object' || value === null || Object.values(value).every(isFinite)
}

/** Readers that do less when the origin is plain; the others have nothing to save. */
const PLAIN_READERS: Partial<Readonly<Record<FieldType['kind'], FieldReader>>> = {
  string: (value) => (typeof value === 'string' ? value : readString(value)),
  json: (value) => jsonText(value, JSON.stringify),
}

const READERS: Readonly<Record<FieldType['kind'], (type: FieldType) => FieldReader>> = {
  string: () => readString,
  int32: () => readInt32,
  int64: () => readInt64,
  float64: () => readFloat64,
  decimal: decimalReader,
  boolean: () => (value) => (typeof value === 'boolean' ? value : new FieldRefusal(`must be true or false, is a ${found(value)}`)),
  timestamp: () => readTimestamp,
  date: () => readDate,
  uuid: () => readUuid,
  json: () => readJson,
}
