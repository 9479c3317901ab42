import { ExactNumber, stringifyExact } from './exact-json.ts'
import type { FieldType } from './field-type.ts'

/** What a field reader answers when the value isn't of the field's type. */
export class FieldRefusal {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** Turns a JSON value into what both stores take, or says why not. */
export type FieldReader = (value: unknown) => unknown

/** Decimals and 64-bit integers need the digits as they were written: `JSON.parse` gives them only for what fits a double. */
export function needsExactNumbers(type: FieldType): boolean {
  return type.kind === 'int64' || type.kind === 'decimal'
}

/** Makes the reader of one field type. Null and absence are handled here, once for all types. */
export function fieldReader(type: FieldType): FieldReader {
  const read = READERS[type.kind](type)
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

const MIN_TIME = Date.UTC(1900, 0, 1)
const MAX_TIME = Date.UTC(2299, 11, 31)
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

function decimalReader(type: FieldType): FieldReader {
  return (value) => {
    const text = value instanceof ExactNumber ? value.digits : typeof value === 'number' ? plainDigits(value) : value
    const parts = typeof text === 'string' ? /^(-?)0*(\d+?)(?:\.(\d*?)0*)?$/.exec(text) : null
    if (parts === null) return new FieldRefusal(`must be a decimal number without exponent, or its digits in a string; is a ${found(value)}`)
    const [, sign, whole = '0', fraction = ''] = parts
    if (fraction.length > type.scale) return new FieldRefusal(`has more than ${type.scale} digits behind the point`)
    if ((whole === '0' ? 0 : whole.length) > type.precision - type.scale) return new FieldRefusal(`has more than ${type.precision - type.scale} digits before the point`)
    const digits = fraction === '' ? whole : `${whole}.${fraction}`
    return digits === '0' ? digits : `${sign}${digits}`
  }
}

/** A number's digits without an exponent: 1e-7 is 0.0000001. */
function plainDigits(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e')
  if (exponent === undefined) return mantissa
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(mantissa) ?? []
  const shift = Number(exponent)
  if (shift < 0) return `${sign}0.${'0'.repeat(-shift - whole.length)}${whole}${fraction}`
  return `${sign}${whole}${fraction.padEnd(shift, '0')}`
}

const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})$/

function readTimestamp(value: unknown): unknown {
  if (typeof value === 'number') return timeWithin(new Date(value), value)
  const parts = typeof value === 'string' ? ISO_TIME.exec(value) : null
  if (parts === null) return new FieldRefusal('must be an ISO 8601 time with zone, like 2001-01-31T12:00:00Z, or milliseconds since 1970')
  if (/[1-9]/.test((parts[7] ?? '').slice(3))) return new FieldRefusal('is finer than a millisecond')
  if (!isCalendarDay(parts[1] ?? '', parts[2] ?? '', parts[3] ?? '')) return new FieldRefusal('is not a day of the calendar')
  const zone = parts[8] ?? 'Z'
  const text = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6] ?? '00'}.${(parts[7] ?? '').slice(0, 3).padEnd(3, '0')}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`
  return timeWithin(new Date(text), null)
}

function timeWithin(time: Date, given: number | null): unknown {
  const milliseconds = time.getTime()
  if (Number.isNaN(milliseconds)) return new FieldRefusal('is not a time')
  if (given !== null && !Number.isInteger(given)) return new FieldRefusal('is finer than a millisecond')
  return milliseconds >= MIN_TIME && milliseconds <= MAX_TIME ? time : new FieldRefusal('lies outside the years 1900 to 2299, which both stores can hold')
}

function isCalendarDay(year: string, month: string, day: string): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

function readDate(value: unknown): unknown {
  const parts = typeof value === 'string' ? /^(\d{4})-(\d{2})-(\d{2})$/.exec(value) : null
  if (parts === null) return new FieldRefusal('must be a day like 2001-01-31')
  if (!isCalendarDay(parts[1] ?? '', parts[2] ?? '', parts[3] ?? '')) return new FieldRefusal('is not a day of the calendar')
  const year = Number(parts[1])
  return year >= 1900 && year <= 2299 ? value : new FieldRefusal('lies outside the years 1900 to 2299, which both stores can hold')
}

function readUuid(value: unknown): unknown {
  const fits = typeof value === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value)
  return fits ? value.toLowerCase() : new FieldRefusal('must be a UUID')
}

function readJson(value: unknown): unknown {
  let text: string
  try {
    text = stringifyExact(value)
  } catch {
    return new FieldRefusal('is nested too deeply')
  }
  return readString(text) instanceof FieldRefusal || /\\u0000|\\u[dD][89a-fA-F]/.test(text) ? new FieldRefusal('contains a character that PostgreSQL does not store') : text
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
