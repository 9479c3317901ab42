import type { FieldType } from '../field-type.ts'
import { daysInMonth, MAX_TIME, MIN_TIME } from '../read-time.ts'
import type { ColumnBuilder } from './column-builder.ts'
import { SHAPE } from './value-shapes.ts'

/** A value in an event's bytes. */
export interface FoundValue {
  readonly bytes: Uint8Array
  /** Of the same bytes. */
  readonly view: DataView
  shape: number
  start: number
  end: number
  /** Whether a nested value stands there as it would be written again. */
  isClean: boolean
}

const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const MAX_SAFE_DIGITS = 15
const MAX_DIGITS = 18
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)

/** Whether values of a type can be read here at all. */
export function isReadFromBytes({ kind, precision }: FieldType): boolean {
  return kind !== 'decimal' || precision <= MAX_DIGITS
}

/** How long the usual text of a type is, where its reader looks at every byte of it. */
export const USUAL_TEXT_LENGTHS: Partial<Readonly<Record<FieldType['kind'], readonly number[]>>> = { uuid: [36], timestamp: [24, 20], date: [10] }

/**
 * Adds a found value to its column; false, and nothing is added, when somebody slower has to decide on it. Null and absence are handled by
 * whoever calls. One function for all types: a call through a table of them costs more than most values do.
 */
export function readValue(type: FieldType, found: FoundValue, column: ColumnBuilder): boolean {
  switch (type.kind) {
    case 'string':
      return readText(found, column)
    case 'uuid':
      return readUuid(found, column)
    case 'timestamp':
      return readTime(found, column)
    case 'int32':
      return readInt32(found, column)
    case 'int64':
      return readInt64(found, column)
    case 'float64':
      return readFloat64(found, column)
    case 'decimal':
      return readDecimal(type, found, column)
    case 'boolean':
      return readBoolean(found, column)
    case 'date':
      return readDay(found, column)
    case 'json':
      return readJson(found, column)
  }
}

function readText({ view, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  if (shape !== SHAPE.text) return false
  column.textBytes(view, start, end)
  return true
}

function readBoolean({ shape }: FoundValue, column: ColumnBuilder): boolean {
  if (shape !== SHAPE.yes && shape !== SHAPE.no) return false
  column.byte(shape === SHAPE.yes ? 1 : 0)
  return true
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

function readDecimal({ precision, scale }: FieldType, { bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
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
  if (precision <= 9) column.int32(signed)
  else column.safeInt64(signed)
  return true
}

function readTime({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  const time = shape === SHAPE.integer && end - start <= MAX_SAFE_DIGITS ? integerAt(bytes, start, end) : shape === SHAPE.text ? usualTime(bytes, start, end) : Number.NaN
  if (!(time >= MIN_TIME && time <= MAX_TIME)) return false
  column.safeInt64(time)
  return true
}

/** Far from every number of one or two digits, and from every day; and small enough that nothing has to be made for it. */
const NONE = -(2 ** 30)

/** The number of two digits; {@link NONE} for anything else. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - ZERO
  const ones = (bytes[at + 1] as number) - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NONE
}

/** The number of three digits; below zero for anything else. */
function threeDigits(bytes: Uint8Array, at: number): number {
  const last = twoDigits(bytes, at + 1)
  return last < 0 ? NONE : twoDigits(bytes, at) * 10 + (last % 10)
}

/** Days since 1970 of a text like 2001-01-31; {@link NONE} for what is no day between 1900 and 2299. */
function dayAt(bytes: Uint8Array, start: number): number {
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return NONE
  const century = twoDigits(bytes, start)
  const year = century * 100 + twoDigits(bytes, start + 2)
  const month = twoDigits(bytes, start + 5)
  const day = twoDigits(bytes, start + 8)
  if (century < 19 || year < 1900 || year > 2299 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return NONE
  return daysSince1970(year, month, day)
}

/** Of years from 1900 on, by whole numbers alone. The year is counted from March, so that its odd day is the last one. */
function daysSince1970(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1
  const months = month > 2 ? month - 3 : month + 9
  const leapDays = ((years / 4) | 0) - ((years / 100) | 0) + ((years / 400) | 0)
  return years * 365 + leapDays + (((153 * months + 2) / 5) | 0) + day - DAYS_TO_1970
}

/** From the first of March of the year 0. */
const DAYS_TO_1970 = 719_469

/** A time as `toISOString` writes it, with or without the fraction, in milliseconds; NaN for anything else. */
function usualTime(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length !== 24 && length !== 20) return Number.NaN
  if (bytes[end - 1] !== 0x5a || bytes[start + 10] !== 0x54 || bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return Number.NaN
  const days = dayAt(bytes, start)
  const hour = twoDigits(bytes, start + 11)
  const minute = twoDigits(bytes, start + 14)
  const second = twoDigits(bytes, start + 17)
  const fraction = length === 20 ? 0 : bytes[start + 19] === POINT ? threeDigits(bytes, start + 20) : NONE
  if (days === NONE || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || fraction < 0) return Number.NaN
  return days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction
}

function readDay({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  const day = shape === SHAPE.text && end - start === 10 ? dayAt(bytes, start) : NONE
  if (day === NONE) return false
  column.int32(day)
  return true
}

/** Beyond four digits, wherever among them it is added. */
const NO_DIGIT = 0x1_0000

/** By character; {@link NO_DIGIT} for those that are no digits. */
const HEX_VALUES = Int32Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(value) ? NO_DIGIT : value
})

function readUuid({ bytes, shape, start, end }: FoundValue, column: ColumnBuilder): boolean {
  if (shape !== SHAPE.text || end - start !== 36) return false
  if (bytes[start + 8] !== MINUS || bytes[start + 13] !== MINUS || bytes[start + 18] !== MINUS || bytes[start + 23] !== MINUS) return false
  const first = hexWord(bytes, start, start + 4)
  const second = hexWord(bytes, start + 9, start + 14)
  const third = hexWord(bytes, start + 19, start + 24)
  const fourth = hexWord(bytes, start + 28, start + 32)
  if (first < 0 || second < 0 || third < 0 || fourth < 0) return false
  column.uuid(first, second, third, fourth)
  return true
}

/** The number of four hexadecimal digits here and four there; negative when one of them is none. */
function hexWord(bytes: Uint8Array, high: number, low: number): number {
  const upper = hexDigits(bytes, high)
  const lower = hexDigits(bytes, low)
  return upper > 0xffff || lower > 0xffff ? -1 : upper * 0x1_0000 + lower
}

/** The number of four hexadecimal digits; more than that can be when one of them is none. */
function hexDigits(bytes: Uint8Array, at: number): number {
  const first = HEX_VALUES[bytes[at] as number] as number
  const second = HEX_VALUES[bytes[at + 1] as number] as number
  const third = HEX_VALUES[bytes[at + 2] as number] as number
  const fourth = HEX_VALUES[bytes[at + 3] as number] as number
  return (first << 12) | (second << 8) | (third << 4) | fourth
}

function readJson({ view, shape, start, end, isClean }: FoundValue, column: ColumnBuilder): boolean {
  if (!isClean || shape === SHAPE.fraction) return false
  if (shape === SHAPE.text) column.textBytes(view, start - 1, end + 1)
  else column.textBytes(view, start, end)
  return true
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).latin1Slice()
}
