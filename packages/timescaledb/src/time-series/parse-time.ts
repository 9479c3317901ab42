import { refuseInput } from '../refuse-input.ts'

const ISO_TIME = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i

/**
 * Reads an ISO 8601 date or date-time. Without an offset it is UTC, on every machine.
 * Finer parts than milliseconds must be zero, since a `Date` can't hold them, unless the caller wants them cut off.
 *
 * @returns undefined when the text isn't such a time, or names a day that doesn't exist
 */
export function parseIsoTime(text: string, finer: 'refuse' | 'cut' = 'refuse'): Date | undefined {
  const match = ISO_TIME.exec(text.trim())
  if (!match) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  if (finer === 'refuse' && /[1-9]/.test(fraction.slice(3))) return undefined
  const utc = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  // A day such as 31 April doesn't parse or moves on into May, depending on the engine.
  if (Number.isNaN(utc.getTime()) || utc.getUTCDate() !== Number(day)) return undefined
  const offsetMinutes = offsetOf(zone)
  return offsetMinutes === undefined ? undefined : new Date(utc.getTime() - offsetMinutes * 60_000)
}

/**
 * The moment that a value stands for: a `Date`, an ISO 8601 text, or milliseconds since the epoch.
 *
 * @throws TimescaleValidationError naming the field
 */
export function toTime(value: unknown, field: string): Date {
  const time = readTime(value)
  if (time) return time
  return refuseInput([field], `must be a Date, an ISO 8601 time with at most milliseconds, or milliseconds since the epoch; found ${kindOf(value)}`)
}

/** Like {@link toTime}, with `undefined` for what is none. */
export function readTime(value: unknown): Date | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value
  if (typeof value === 'string') return parseIsoTime(value)
  if (typeof value !== 'number') return undefined
  const time = new Date(value)
  return Number.isNaN(time.getTime()) ? undefined : time
}

/** What kind of value it is, without the value. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return 'an invalid Date'
  if (typeof value === 'string') return 'another text'
  if (typeof value === 'number') return Number.isFinite(value) ? 'a number' : String(value)
  return typeof value
}

function offsetOf(zone: string): number | undefined {
  if (/^z$/i.test(zone)) return 0
  const digits = zone.slice(1).replace(':', '')
  const hours = Number(digits.slice(0, 2))
  const minutes = Number(digits.slice(2) || '0')
  if (hours > 18 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}
