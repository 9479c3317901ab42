import { type Clock, systemClock } from '@smart-whale/interfaces'
import { z } from 'zod'
import { refuseInput } from '../refuse-input.ts'
import { readTime, toTime } from './parse-time.ts'
import { addInterval, approximateMs, parseTimeInterval, stepAround, type TimeInterval } from './time-interval.ts'

/** A moment in any form that {@link TimeRange} takes. */
export type TimeInput = Date | string | number

/** What relative times are relative to. */
export interface TimeRangeOptions {
  /** Where "now" comes from. @default the machine's clock */
  clock?: Pick<Clock, 'now'>
}

const RELATIVE = /^(?:now\s*)?([+-])\s*(.+)$/i
const LAST = /^(?:last|past)\s+(.+)$/i
/** More pieces than this are a mistake, and would fill the memory. */
const MAX_PIECES = 100_000

/** A stretch of time, from `start` up to but without `end`. Immutable. */
export class TimeRange {
  readonly startMs: number
  readonly endMs: number

  /** @throws TimescaleValidationError when a time is none, or `start` isn't before `end` */
  constructor(start: TimeInput, end: TimeInput) {
    this.startMs = toTime(start, 'start').getTime()
    this.endMs = toTime(end, 'end').getTime()
    if (this.startMs >= this.endMs) refuseInput(['end'], 'must be after start')
    Object.freeze(this)
  }

  /**
   * Reads `2001-01-01/2001-02-01`, `2001-01-01/P1M`, `PT6H/2001-01-01`, `last 15 minutes`, or `-1d` (from then until now).
   *
   * @throws TimescaleValidationError when it is none of these
   */
  static parse(text: string, options: TimeRangeOptions = {}): TimeRange {
    const now = new Date((options.clock ?? systemClock).now())
    const trimmed = typeof text === 'string' ? text.trim() : ''
    const last = LAST.exec(trimmed)
    if (last) return new TimeRange(addInterval(now, parseTimeInterval(last[1] as string, 'range'), -1), now)
    const [from = '', to, ...rest] = trimmed.split('/')
    if (rest.length > 0 || from === '') refuseInput(['range'], 'must be like 2001-01-01/2001-02-01, 2001-01-01/P1M, "last 15 minutes" or -1d')
    if (to === undefined) return new TimeRange(parseMoment(from, 'range', options), now)
    if (/^p/i.test(to)) {
      const start = parseMoment(from, 'range', options)
      return new TimeRange(start, addInterval(start, parseTimeInterval(to, 'range')))
    }
    const end = parseMoment(to, 'range', options)
    return new TimeRange(/^p/i.test(from) ? addInterval(end, parseTimeInterval(from, 'range'), -1) : parseMoment(from, 'range', options), end)
  }

  /** The first moment, as a `Date` of its own. */
  get start(): Date {
    return new Date(this.startMs)
  }

  /** The first moment that no longer belongs to it, as a `Date` of its own. */
  get end(): Date {
    return new Date(this.endMs)
  }

  get durationMs(): number {
    return this.endMs - this.startMs
  }

  contains(time: Date): boolean {
    return time.getTime() >= this.startMs && time.getTime() < this.endMs
  }

  overlaps(other: TimeRange): boolean {
    return this.startMs < other.endMs && other.startMs < this.endMs
  }

  /** What both have; `null` when that is nothing. */
  intersect(other: TimeRange): TimeRange | null {
    return this.overlaps(other) ? new TimeRange(Math.max(this.startMs, other.startMs), Math.min(this.endMs, other.endMs)) : null
  }

  /** Consecutive pieces of a length, from `start` on; the last one may be shorter. Together they are the range. */
  split(interval: string | TimeInterval): TimeRange[] {
    const step = this.#stepOf(interval)
    const pieces: TimeRange[] = []
    for (let startMs = this.startMs; startMs < this.endMs; ) {
      // Counted from the start, so that the 31st doesn't become the 28th for good.
      const endMs = Math.min(this.endMs, addInterval(this.start, step, pieces.length + 1).getTime())
      pieces.push(new TimeRange(startMs, endMs))
      startMs = endMs
    }
    return pieces
  }

  /** The whole buckets (UTC, TimescaleDB's origins) that the range touches; the first and last may reach beyond it. */
  buckets(interval: string | TimeInterval): TimeRange[] {
    const step = this.#stepOf(interval)
    const buckets: TimeRange[] = []
    for (let { start, end } = stepAround(this.start, step); start.getTime() < this.endMs; { start, end } = stepAround(end, step)) {
      buckets.push(new TimeRange(start, end))
    }
    return buckets
  }

  equals(other: TimeRange): boolean {
    return this.startMs === other.startMs && this.endMs === other.endMs
  }

  /** `2001-01-01T00:00:00.000Z/2001-02-01T00:00:00.000Z`, which {@link TimeRange.parse} reads. */
  toString(): string {
    return `${this.start.toISOString()}/${this.end.toISOString()}`
  }

  toJSON(): { start: string; end: string } {
    return { start: this.start.toISOString(), end: this.end.toISOString() }
  }

  #stepOf(interval: string | TimeInterval): TimeInterval {
    const step = typeof interval === 'string' ? parseTimeInterval(interval) : interval
    if (this.durationMs / approximateMs(step) <= MAX_PIECES) return step
    return refuseInput(['interval'], `would cut the range into more than ${MAX_PIECES} pieces: take a longer one`)
  }
}

/**
 * One end of a range: an ISO 8601 time, `now`, or relative to now: `-1d`, `now-15m`.
 *
 * @throws TimescaleValidationError naming the field
 */
export function parseMoment(text: string, field: string, options: TimeRangeOptions = {}): Date {
  const trimmed = text.trim()
  const now = new Date((options.clock ?? systemClock).now())
  if (/^now$/i.test(trimmed)) return now
  const time = readTime(trimmed)
  if (time) return time
  const relative = RELATIVE.exec(trimmed)
  if (relative) return toTime(addInterval(now, parseTimeInterval(relative[2] as string, field), relative[1] === '-' ? -1 : 1), field)
  return refuseInput([field], 'must be an ISO 8601 time such as 2001-01-31T12:00:00Z (with at most milliseconds), now, or relative such as -1d')
}

/** A {@link TimeRange} from one, from its text, or from `{ start, end }`. */
export const timeRangeSchema = z
  .union([z.instanceof(TimeRange), z.string(), z.object({ start: timeInput(), end: timeInput() })])
  .transform((input, context) => {
    if (input instanceof TimeRange) return input
    try {
      return typeof input === 'string' ? TimeRange.parse(input) : new TimeRange(input.start, input.end)
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'is not a range of time' })
      return z.NEVER
    }
  })

function timeInput() {
  return z.union([z.date(), z.string(), z.number()])
}
