import { type Codec, Unfit, wanted } from './codec.ts'

/** Milliseconds from 1970 to 2000, where PostgreSQL counts from. */
export const EPOCH_MS = 946_684_800_000
const DAY_MS = 86_400_000
const ISO_TIME = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i
const ISO_DAY = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)$/
/** PostgreSQL's calendar: from 4713 BC; its last year is beyond what a Date holds. */
export const EARLIEST_MS: number = Date.UTC(-4712, 0, 1)
const INFINITE: Readonly<Record<string, bigint>> = { infinity: 2n ** 63n - 1n, '-infinity': -(2n ** 63n) }
const INFINITE_DAY: Readonly<Record<string, number>> = { infinity: 2 ** 31 - 1, '-infinity': -(2 ** 31) }

/** timestamptz and timestamp: a Date, or ISO 8601 text with up to six digits of a second; without a zone it is UTC. */
export const timestampCodec: Codec = (value, writer) => {
  const microseconds = microsecondsOf(value)
  if (typeof microseconds !== 'bigint') return microseconds
  writer.int64(microseconds)
  return undefined
}

function microsecondsOf(value: unknown): bigint | Unfit {
  if (value instanceof Date) return fromMilliseconds(value.getTime(), 0)
  if (typeof value !== 'string') return wanted('a Date or ISO 8601 text', value)
  const infinite = INFINITE[value]
  if (infinite !== undefined) return infinite
  const match = ISO_TIME.exec(value)
  if (!match) return new Unfit('is no time in ISO 8601')
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match
  const dayMs = dayOf(Number(year), Number(month), Number(day))
  if (dayMs === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return new Unfit('is a time that does not exist')
  const micro = Math.round(Number(`0.${fraction.padEnd(1, '0')}`) * 1e6)
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second)
  return fromMilliseconds(dayMs + seconds * 1000 - offsetMs(zone), micro)
}

function fromMilliseconds(milliseconds: number, extraMicroseconds: number): bigint | Unfit {
  if (Number.isNaN(milliseconds)) return new Unfit('is an invalid Date')
  if (milliseconds < EARLIEST_MS) return new Unfit('is before 4713 BC, where the calendar of PostgreSQL begins')
  return BigInt(milliseconds - EPOCH_MS) * 1000n + BigInt(extraMicroseconds)
}

function offsetMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0
  const digits = zone.replace(':', '')
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3) || 0)
  return (digits.startsWith('-') ? -minutes : minutes) * 60_000
}

/** The day's first millisecond, unless there is no such day. */
function dayOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined
}

/** date: `YYYY-MM-DD`, or the UTC day of a Date. */
export const dateCodec: Codec = (value, writer) => {
  const days = daysOf(value)
  if (typeof days !== 'number') return days
  writer.int32(days)
  return undefined
}

function daysOf(value: unknown): number | Unfit {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? new Unfit('is an invalid Date') : dayNumber(value.getTime())
  if (typeof value !== 'string') return wanted('a day (YYYY-MM-DD) or a Date', value)
  const infinite = INFINITE_DAY[value]
  if (infinite !== undefined) return infinite
  const match = ISO_DAY.exec(value)
  const milliseconds = match ? dayOf(Number(match[1]), Number(match[2]), Number(match[3])) : undefined
  return milliseconds === undefined ? new Unfit('is no day: write YYYY-MM-DD') : dayNumber(milliseconds)
}

function dayNumber(milliseconds: number): number | Unfit {
  if (milliseconds < EARLIEST_MS) return new Unfit('is before 4713 BC, where the calendar of PostgreSQL begins')
  return Math.floor((milliseconds - EPOCH_MS) / DAY_MS)
}
