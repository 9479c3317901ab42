import { refuseInput } from '../refuse-input.ts'

/**
 * A length of time that can cut a time line into equal steps: whole months, or milliseconds (a day is 24 hours).
 * Exactly one of the two is more than 0, since a month has no fixed length.
 */
export interface TimeInterval {
  readonly months: number
  readonly milliseconds: number
}

/** A step of a time line, half-open. */
export interface TimeStep {
  readonly start: Date
  readonly end: Date
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Where TimescaleDB begins to count: a Monday for fixed lengths, a first of January for months. */
const FIXED_ORIGIN_MS = Date.UTC(2000, 0, 3)
const MONTHS_ORIGIN_YEAR = 2000

const milliseconds = (amount: number): TimeInterval => ({ months: 0, milliseconds: amount })
const months = (amount: number): TimeInterval => ({ months: amount, milliseconds: 0 })

const UNITS: Readonly<Record<string, TimeInterval>> = Object.assign(Object.create(null) as Record<string, TimeInterval>, {
  ms: milliseconds(1),
  millisecond: milliseconds(1),
  s: milliseconds(SECOND),
  sec: milliseconds(SECOND),
  second: milliseconds(SECOND),
  m: milliseconds(MINUTE),
  min: milliseconds(MINUTE),
  minute: milliseconds(MINUTE),
  h: milliseconds(HOUR),
  hour: milliseconds(HOUR),
  d: milliseconds(DAY),
  day: milliseconds(DAY),
  w: milliseconds(7 * DAY),
  week: milliseconds(7 * DAY),
  mo: months(1),
  mon: months(1),
  month: months(1),
  quarter: months(3),
  y: months(12),
  year: months(12),
})

const PART = /(\d{1,15})\s*([a-z]+)/y
const ISO = /^p(?=.)(?:(\d+)y)?(?:(\d+)m)?(?:(\d+)w)?(?:(\d+)d)?(?:t(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?$/
/** Longer steps than this (1,000 years) are a slip of the pen. */
const MAX_MONTHS = 12_000
const MAX_MILLISECONDS = 1000 * 366 * DAY

/**
 * Reads `15 minutes`, `1h30m`, `7 days`, `1 month`, `PT15M`, `P1D`. `m` is minutes, `mo` is months.
 *
 * @throws TimescaleValidationError when it isn't a length of time, is zero, or mixes months with fixed lengths
 */
export function parseTimeInterval(text: string, field = 'interval'): TimeInterval {
  const refuse = (message: string): never => refuseInput([field], message)
  if (typeof text !== 'string') return refuse(`must be a text such as "15 minutes", found ${text === null ? 'null' : typeof text}`)
  const total = sumOfParts(text.trim().toLowerCase())
  if (!total) return refuse('must be a length of time such as "15 minutes", "1 day", "1 month" or "PT15M"')
  if (total.months > 0 && total.milliseconds > 0) return refuse('must not mix months or years with shorter units: a month has no fixed length')
  if (total.months === 0 && total.milliseconds === 0) return refuse('must be longer than nothing')
  if (total.months > MAX_MONTHS || total.milliseconds > MAX_MILLISECONDS) return refuse('must not be longer than 1000 years')
  return total
}

/** The interval as PostgreSQL reads it: `900000 milliseconds`, `3 months`. */
export function intervalToSql(interval: TimeInterval): string {
  return interval.months > 0 ? `${interval.months} months` : `${interval.milliseconds} milliseconds`
}

/** The interval as a reader would write it: `7 days`, `3 months`. */
export function formatTimeInterval(interval: TimeInterval): string {
  if (interval.months > 0) return interval.months % 12 === 0 ? counted(interval.months / 12, 'year') : counted(interval.months, 'month')
  const [name, length] = ([['day', DAY], ['hour', HOUR], ['minute', MINUTE], ['second', SECOND]] as const).find(
    ([, unit]) => interval.milliseconds % unit === 0,
  ) ?? ['millisecond', 1]
  return counted(interval.milliseconds / length, name)
}

/** The step of the time line (UTC, TimescaleDB's origins) that holds a moment. */
export function stepAround(time: Date, interval: TimeInterval): TimeStep {
  if (interval.months === 0) {
    const length = interval.milliseconds
    const start = FIXED_ORIGIN_MS + Math.floor((time.getTime() - FIXED_ORIGIN_MS) / length) * length
    return { start: new Date(start), end: new Date(start + length) }
  }
  const month = (time.getUTCFullYear() - MONTHS_ORIGIN_YEAR) * 12 + time.getUTCMonth()
  const first = Math.floor(month / interval.months) * interval.months
  return { start: firstOfMonth(first), end: firstOfMonth(first + interval.months) }
}

/** About how long it is; a month counts as 30.44 days. For comparisons and estimates only. */
export function approximateMs(interval: TimeInterval): number {
  return interval.milliseconds + interval.months * 30.436875 * DAY
}

/** A moment moved by an interval. The 31st of a shorter month becomes its last day. */
export function addInterval(time: Date, interval: TimeInterval, times = 1): Date {
  if (interval.months === 0) return new Date(time.getTime() + interval.milliseconds * times)
  const moved = new Date(time.getTime())
  moved.setUTCDate(1)
  moved.setUTCMonth(moved.getUTCMonth() + interval.months * times)
  const lastDay = new Date(moved.getTime())
  lastDay.setUTCMonth(lastDay.getUTCMonth() + 1, 0)
  moved.setUTCDate(Math.min(time.getUTCDate(), lastDay.getUTCDate()))
  return moved
}

function sumOfParts(text: string): TimeInterval | undefined {
  const iso = ISO.exec(text)
  if (iso) return addUp([12, 1, 0, 0, 0, 0, 0], [0, 0, 7 * DAY, DAY, HOUR, MINUTE, SECOND], iso.slice(1))
  const total = { months: 0, milliseconds: 0 }
  let position = 0
  while (position < text.length) {
    PART.lastIndex = position
    const [whole, amount, word] = PART.exec(text) ?? []
    const unit = word === undefined ? undefined : (UNITS[word] ?? UNITS[word.replace(/s$/, '')])
    if (whole === undefined || !unit) return undefined
    total.months += Number(amount) * unit.months
    total.milliseconds += Number(amount) * unit.milliseconds
    position += whole.length
    while (text[position] === ' ') position++
  }
  return position === 0 ? undefined : total
}

function addUp(monthUnits: readonly number[], millisecondUnits: readonly number[], amounts: readonly (string | undefined)[]): TimeInterval {
  const sum = (units: readonly number[]) => amounts.reduce((total, amount, index) => total + Number(amount ?? 0) * (units[index] as number), 0)
  return { months: sum(monthUnits), milliseconds: sum(millisecondUnits) }
}

function firstOfMonth(monthsSinceOrigin: number): Date {
  const start = new Date(0)
  start.setUTCFullYear(MONTHS_ORIGIN_YEAR, monthsSinceOrigin, 1)
  return start
}

function counted(amount: number, unit: string): string {
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`
}
