import type { FieldType } from '../field-type.ts'
import { daysInMonth, MAX_TIME, MIN_TIME } from '../read-time.ts'
import type { ColumnBuilder } from './column-builder.ts'
import { SHAPE } from './json-scanner.ts'

/** A value in an event's bytes. */
export interface FoundValue {
  readonly bytes: Uint8Array
  shape: number
  start: number
  end: number
  /** Whether a nested value stands there as it would be written again. */
  isClean: boolean
}

/** Adds a found value to its column; false, and nothing is added, when somebody slower has to decide on it. */
export type BytesReader = (found: FoundValue, column: ColumnBuilder) => boolean

const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const MAX_SAFE_DIGITS = 15
const MAX_DIGITS = 18
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)

/** The reader of a type that has one. Null and absence are handled by whoever calls. */
export function bytesReader(type: FieldType): BytesReader | null {
  if (type.kind === 'decimal') return type.precision <= MAX_DIGITS ? decimalReader(type) : null
  return READERS[type.kind]
}

const READERS: Readonly<Record<Exclude<FieldType['kind'], 'decimal'>, BytesReader>> = {
  string: ({ bytes, shape, start, end }, column) => {
    if (shape !== SHAPE.text) return false
    column.textBytes(bytes, start, end)
    return true
  },
  int32: readInt32,
  int64: readInt64,
  float64: readFloat64,
  boolean: ({ shape }, column) => {
    if (shape !== SHAPE.yes && shape !== SHAPE.no) return false
    column.byte(shape === SHAPE.yes ? 1 : 0)
    return true
  },
  timestamp: readTime,
  date: readDay,
  uuid: readUuid,
  json: readJson,
}

/** The digits from `start`, a minus before them included; only up to {@link MAX_SAFE_DIGITS}. */
function integerAt(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start
  let value = 0
  for (let at = first; at < end; at++) value = value * 10 + (bytes[at] as number) - ZERO
  return first === start ? value : -value
}

function readInt32({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  if (shape !== SHAPE.integer || end - start > 11) return false
  const value = integerAt(bytes, start, end)
  if (value < -2147483648 || value > 2147483647) return false
  column.int32(value)
  return true
}

function readInt64({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  if (shape === SHAPE.text ? !isPlainInteger(bytes, start, end) : shape !== SHAPE.integer) return false
  if (end - start <= MAX_SAFE_DIGITS) column.safeInt64(integerAt(bytes, start, end))
  else column.int64(BigInt(latin1(bytes, start, end)))
  return true
}

/** Digits in a text, as a number would have them. */
function isPlainInteger(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] === MINUS ? start + 1 : start
  if (end === first || end - first > MAX_DIGITS || (bytes[first] === ZERO && (end > first + 1 || first > start))) return false
  for (let at = first; at < end; at++) if ((bytes[at] as number) - ZERO > 9 || (bytes[at] as number) < ZERO) return false
  return true
}

/** Up to 15 digits divided by a power of ten that a double holds: both are exact, so the quotient is the nearest double. */
function readFloat64({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  if (shape !== SHAPE.integer && shape !== SHAPE.fraction) return false
  const first = bytes[start] === MINUS ? start + 1 : start
  if (end - first > MAX_SAFE_DIGITS + 1) return false
  let digits = 0
  let point = end - 1
  for (let at = first; at < end; at++) {
    if (bytes[at] === POINT) point = at
    else digits = digits * 10 + (bytes[at] as number) - ZERO
  }
  const value = digits / (POWERS_OF_TEN[end - 1 - point] as number)
  column.float64(first === start ? value : -value)
  return true
}

function decimalReader({ precision, scale }: FieldType): BytesReader {
  const narrow = precision <= 9
  return ({ bytes, shape, start, end }, column) => {
    if (shape !== SHAPE.integer && shape !== SHAPE.fraction && shape !== SHAPE.text) return false
    const first = bytes[start] === MINUS ? start + 1 : start
    if (end === first || end - first > MAX_SAFE_DIGITS + 1) return false
    let unscaled = 0
    let point = end
    for (let at = first; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO
      if (digit >= 0 && digit <= 9) unscaled = unscaled * 10 + digit
      else if (bytes[at] === POINT && point === end) point = at
      else return false
    }
    const whole = point - first
    const fraction = point === end ? 0 : end - point - 1
    if (whole === 0 || (point < end && fraction === 0) || (bytes[first] === ZERO && whole > 1)) return false
    if (fraction > scale || (bytes[first] === ZERO ? 0 : whole) > precision - scale) return false
    unscaled *= POWERS_OF_TEN[scale - fraction] as number
    if (unscaled > Number.MAX_SAFE_INTEGER) return false
    const signed = first === start || unscaled === 0 ? unscaled : -unscaled
    if (narrow) column.int32(signed)
    else column.safeInt64(signed)
    return true
  }
}

function readTime({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  const time = shape === SHAPE.integer && end - start <= MAX_SAFE_DIGITS ? integerAt(bytes, start, end) : shape === SHAPE.text ? usualTime(bytes, start, end) : Number.NaN
  if (!(time >= MIN_TIME && time <= MAX_TIME)) return false
  column.safeInt64(time)
  return true
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - ZERO
  const ones = (bytes[at + 1] as number) - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** Days since 1970 of a text like 2001-01-31; NaN for what is no day between 1900 and 2299. */
function dayAt(bytes: Uint8Array, start: number): number {
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return Number.NaN
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2)
  const month = twoDigits(bytes, start + 5)
  const day = twoDigits(bytes, start + 8)
  if (!(year >= 1900 && year <= 2299 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return Number.NaN
  return Date.UTC(year, month - 1, day) / 86_400_000
}

/** A time as `toISOString` writes it, with or without the fraction. */
function usualTime(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length !== 24 && length !== 20) return Number.NaN
  if (bytes[end - 1] !== 0x5a || bytes[start + 10] !== 0x54 || bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return Number.NaN
  const hour = twoDigits(bytes, start + 11)
  const minute = twoDigits(bytes, start + 14)
  const second = twoDigits(bytes, start + 17)
  const fraction = length === 20 ? 0 : bytes[start + 19] === POINT ? twoDigits(bytes, start + 20) * 10 + (twoDigits(bytes, start + 21) % 10) : Number.NaN
  // A comparison with NaN is false, so that a letter among the digits ends here too.
  if (!(hour <= 23 && minute <= 59 && second <= 59 && fraction <= 999)) return Number.NaN
  return dayAt(bytes, start) * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction
}

function readDay({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  const day = shape === SHAPE.text && end - start === 10 ? dayAt(bytes, start) : Number.NaN
  if (Number.isNaN(day)) return false
  column.int32(day)
  return true
}

const HEX_VALUES = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(value) ? 255 : value
})
/** Where each byte's two digits stand in the text of a UUID. */
const UUID_DIGITS = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34)
const uuid = new Uint8Array(16)

function readUuid({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  if (shape !== SHAPE.text || end - start !== 36) return false
  if (bytes[start + 8] !== MINUS || bytes[start + 13] !== MINUS || bytes[start + 18] !== MINUS || bytes[start + 23] !== MINUS) return false
  let wrong = 0
  for (let index = 0; index < 16; index++) {
    const place = start + (UUID_DIGITS[index] as number)
    const high = HEX_VALUES[bytes[place] as number] as number
    const low = HEX_VALUES[bytes[place + 1] as number] as number
    wrong |= (high | low) >> 4
    uuid[index] = (high << 4) | low
  }
  if (wrong !== 0) return false
  column.uuid(uuid)
  return true
}

function readJson({ bytes, shape, start, end, isClean }: FoundValue, column: ColumnBuilder): boolean {
  if (!isClean || shape === SHAPE.fraction) return false
  if (shape === SHAPE.text) column.textBytes(bytes, start - 1, end + 1)
  else column.textBytes(bytes, start, end)
  return true
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).latin1Slice()
}
