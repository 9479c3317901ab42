import { FieldRefusal } from './field-refusal.ts'

/** The first and the last moment that both stores can hold, in milliseconds since 1970. */
export const MIN_TIME: number = Date.UTC(1900, 0, 1)
/** The latest moment that both stores can hold. */
export const MAX_TIME: number = Date.UTC(2299, 11, 31)
const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})$/
const ISO_DAY = /^(\d{4})-(\d{2})-(\d{2})$/
const OUT_OF_RANGE = 'lies outside the years 1900 to 2299, which both stores can hold'

/** Reads a `timestamp`: ISO 8601 with a zone, or milliseconds since 1970. */
export function readTimestamp(value: unknown): unknown {
  if (typeof value === 'number') return timeWithin(value, value)
  if (typeof value !== 'string') return notATime()
  const usual = usualTime(value)
  return Number.isNaN(usual) ? readAnyTime(value) : timeWithin(usual, null)
}

const ZERO = 0x30

/**
 * Milliseconds of a time as `toISOString` writes it, with or without the fraction; NaN for every other one, right or wrong: that goes the
 * long way. Without a regular expression and a text made of its parts: most events have such a time, and this is several times faster.
 */
function usualTime(text: string): number {
  const { length } = text
  if (length !== 24 && length !== 20) return Number.NaN
  if (text.charCodeAt(length - 1) !== 0x5a || text.charCodeAt(10) !== 0x54) return Number.NaN
  if (text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d || text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return Number.NaN
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2)
  const month = twoDigits(text, 5)
  const day = twoDigits(text, 8)
  const hour = twoDigits(text, 11)
  const minute = twoDigits(text, 14)
  const second = twoDigits(text, 17)
  const fraction = length === 20 ? 0 : text.charCodeAt(19) === 0x2e ? twoDigits(text, 20) * 10 + twoDigits(text, 21) % 10 : Number.NaN
  // A comparison with NaN is false, so a letter among the digits ends here too.
  if (!(year >= 1900 && year <= 2299 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month) && hour <= 23 && minute <= 59 && second <= 59 && fraction <= 999)) return Number.NaN
  return Date.UTC(year, month - 1, day, hour, minute, second, fraction)
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** How many days a month has. @param month from 1 */
export function daysInMonth(year: number, month: number): number {
  return month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : (DAYS[month - 1] as number)
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO
  const ones = text.charCodeAt(at + 1) - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

function readAnyTime(value: string): unknown {
  const parts = ISO_TIME.exec(value)
  if (parts === null) return notATime()
  if (/[1-9]/.test((parts[7] ?? '').slice(3))) return new FieldRefusal('is finer than a millisecond')
  if (!isCalendarDay(parts[1] ?? '', parts[2] ?? '', parts[3] ?? '')) return new FieldRefusal('is not a day of the calendar')
  const zone = parts[8] ?? 'Z'
  const text = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6] ?? '00'}.${(parts[7] ?? '').slice(0, 3).padEnd(3, '0')}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`
  return timeWithin(Date.parse(text), null)
}

function notATime(): FieldRefusal {
  return new FieldRefusal('must be an ISO 8601 time with zone, like 2001-01-31T12:00:00Z, or milliseconds since 1970')
}

function timeWithin(milliseconds: number, given: number | null): unknown {
  const time = new Date(milliseconds)
  if (Number.isNaN(time.getTime())) return new FieldRefusal('is not a time')
  if (given !== null && !Number.isInteger(given)) return new FieldRefusal('is finer than a millisecond')
  return milliseconds >= MIN_TIME && milliseconds <= MAX_TIME ? time : new FieldRefusal(OUT_OF_RANGE)
}

function isCalendarDay(year: string, month: string, day: string): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

/** Reads a `date`: a day like 2001-01-31. */
export function readDate(value: unknown): unknown {
  const parts = typeof value === 'string' ? ISO_DAY.exec(value) : null
  if (parts === null) return new FieldRefusal('must be a day like 2001-01-31')
  if (!isCalendarDay(parts[1] ?? '', parts[2] ?? '', parts[3] ?? '')) return new FieldRefusal('is not a day of the calendar')
  const year = Number(parts[1])
  return year >= 1900 && year <= 2299 ? value : new FieldRefusal(OUT_OF_RANGE)
}
