import { CellRefusal, kindOf } from './cell-refusal.ts'
import type { CellEncoder } from './encode-number.ts'

const DAY_MS = 86_400_000
const ISO_DAY = /^(\d{4})-(\d{2})-(\d{2})$/
const ISO_TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/

/** `Date` (16 bits from 1970) and `Date32` (32 bits, from 1900), from ISO days or from a `Date` at midnight UTC. */
export function dayEncoder(wide: boolean): CellEncoder {
  const min = wide ? -25_567 : 0
  const max = wide ? 120_529 : 65_535
  return (writer, value) => {
    const day = dayOf(value)
    if (day instanceof CellRefusal) return day
    if (day < min || day > max) return new CellRefusal(`lies outside what ${wide ? 'Date32 (1900 to 2299)' : 'Date (1970 to 2149)'} holds`)
    if (wide) writer.int32(day)
    else writer.int16(day)
    return undefined
  }
}

function dayOf(value: unknown): number | CellRefusal {
  if (value instanceof Date) {
    const day = value.getTime() / DAY_MS
    return Number.isInteger(day) ? day : new CellRefusal('is a Date that is not midnight UTC; give the day as text, like 2001-01-31')
  }
  const parts = typeof value === 'string' ? ISO_DAY.exec(value) : null
  if (parts === null) return new CellRefusal(`must be a day like 2001-01-31, is a ${kindOf(value)}`)
  const time = Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]))
  return new Date(time).toISOString().startsWith(value as string) ? time / DAY_MS : new CellRefusal('is not a day of the calendar')
}

/** `DateTime`: whole seconds from 1970 to 2106, from a `Date` or an ISO time with zone. */
export function secondsEncoder(): CellEncoder {
  return (writer, value) => {
    const ticks = ticksOf(value, 0)
    if (ticks instanceof CellRefusal) return ticks
    if (ticks < 0n || ticks > 4_294_967_295n) return new CellRefusal('lies outside what DateTime (1970 to 2106) holds')
    writer.int32(Number(ticks))
    return undefined
  }
}

/** What ClickHouse holds at most, in milliseconds since 1970. */
const MIN_TIME_MS = Date.UTC(1900, 0, 1)
const MAX_TIME_MS = Date.UTC(2300, 0, 1)

/** `DateTime64(precision)`, from a `Date` or an ISO time with zone; a finer time than the column holds is refused, not cut. */
export function ticksEncoder(precision: number): CellEncoder {
  const perMillisecond = precision >= 3 ? 10 ** (precision - 3) : 0
  const min = BigInt(MIN_TIME_MS / 1000)
  // Nanoseconds in 64 bits end in 2262.
  const max = precision === 9 ? 9_223_372_036n : BigInt(MAX_TIME_MS / 1000)
  const scale = 10n ** BigInt(precision)
  return (writer, value) => {
    if (value instanceof Date && perMillisecond > 0) {
      const time = value.getTime()
      // Also false for an invalid Date. Milliseconds and microseconds of any usual year are safe integers.
      if (time >= MIN_TIME_MS && time < MAX_TIME_MS && Number.isSafeInteger(time * perMillisecond)) {
        writer.safeInt64(time * perMillisecond)
        return undefined
      }
    }
    const ticks = ticksOf(value, precision)
    if (ticks instanceof CellRefusal) return ticks
    if (ticks < min * scale || ticks >= max * scale) return new CellRefusal('lies outside the years that DateTime64 holds')
    writer.int64(ticks)
    return undefined
  }
}

/** A time in units of 10^-precision seconds since 1970. */
function ticksOf(value: unknown, precision: number): bigint | CellRefusal {
  if (value instanceof Date) {
    const time = value.getTime()
    return Number.isNaN(time) ? new CellRefusal('is an invalid Date') : scaled(BigInt(Math.floor(time / 1000)), String(((time % 1000) + 1000) % 1000).padStart(3, '0'), precision)
  }
  const parts = typeof value === 'string' ? ISO_TIME.exec(value) : null
  if (parts === null) return new CellRefusal(`must be a Date or an ISO 8601 time with zone, is a ${kindOf(value)}`)
  const [, day = '', clock = '', fraction = '', zone = 'Z'] = parts
  if (dayOf(day) instanceof CellRefusal) return new CellRefusal('is not a day of the calendar')
  const time = Date.parse(`${day}T${clock}${zone}`)
  return Number.isNaN(time) ? new CellRefusal('is not a time') : scaled(BigInt(time / 1000), fraction, precision)
}

function scaled(seconds: bigint, fraction: string, precision: number): bigint | CellRefusal {
  if (/[1-9]/.test(fraction.slice(precision))) return new CellRefusal(`is finer than the column, which holds ${precision} digits of a second`)
  return seconds * 10n ** BigInt(precision) + BigInt(fraction.slice(0, precision).padEnd(precision, '0') || '0')
}

const CLOCK = /^(-?)(\d{1,3}):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/

/** `Time`: whole seconds from -999:59:59 to 999:59:59, from text or from a number of seconds. */
export function clockEncoder(): CellEncoder {
  return (writer, value) => {
    const ticks = clockTicks(value, 0)
    if (ticks instanceof CellRefusal) return ticks
    writer.int32(Number(ticks))
    return undefined
  }
}

/** `Time64(precision)`: the same with fractions of a second; a finer one than the column holds is refused, not cut. */
export function fineClockEncoder(precision: number): CellEncoder {
  return (writer, value) => {
    const ticks = clockTicks(value, precision)
    if (ticks instanceof CellRefusal) return ticks
    writer.int64(ticks)
    return undefined
  }
}

const MAX_CLOCK_SECONDS = 3_599_999

function clockTicks(value: unknown, precision: number): bigint | CellRefusal {
  if (typeof value === 'number' && Number.isInteger(value)) {
    return Math.abs(value) > MAX_CLOCK_SECONDS ? new CellRefusal('lies outside what Time (-999:59:59 to 999:59:59) holds') : BigInt(value) * 10n ** BigInt(precision)
  }
  const parts = typeof value === 'string' ? CLOCK.exec(value) : null
  if (parts === null) return new CellRefusal(`must be a time like 12:34:56, or whole seconds, is a ${kindOf(value)}`)
  const [, sign, hours, minutes, seconds, fraction = ''] = parts
  const ticks = scaled(BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)), fraction, precision)
  return ticks instanceof CellRefusal || sign === '' ? ticks : -ticks
}
