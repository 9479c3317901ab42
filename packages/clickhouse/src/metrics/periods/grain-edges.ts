import type { Grain } from '../definition/metric-definition.ts'
import { toInstant, toLocal } from './zoned-time.ts'

const DAY_MS = 86_400_000
/** Lengths of the grains that are shorter than a day. */
const LENGTH_MS: Partial<Record<Grain, number>> = { minute: 60_000, fifteen_minutes: 900_000, hour: 3_600_000 }

/** Whether buckets of the grain are days or longer, whose names are dates. */
export function isCalendar(grain: Grain): boolean {
  return LENGTH_MS[grain] === undefined
}

/** A time span: from its first instant to the one after its last. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** The start of the grain's bucket that a local time lies in, for grains from day on; local. */
export function floorLocal(localMs: number, grain: Grain): number {
  const date = new Date(localMs)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (grain) {
    case 'year':
      return Date.UTC(year, 0)
    case 'quarter':
      return Date.UTC(year, month - (month % 3))
    case 'month':
      return Date.UTC(year, month)
    case 'week':
      return Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7))
    default:
      return Date.UTC(year, month, day)
  }
}

/** A bucket's local start, so many buckets on, for grains from day on. */
export function addLocal(startMs: number, grain: Grain, count: number): number {
  const date = new Date(startMs)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (grain) {
    case 'year':
      return Date.UTC(year + count, month, day)
    case 'quarter':
      return Date.UTC(year, month + 3 * count, day)
    case 'month':
      return Date.UTC(year, month + count, day)
    case 'week':
      return Date.UTC(year, month, day + 7 * count)
    default:
      return Date.UTC(year, month, day + count)
  }
}

/** The start of the bucket that an instant lies in. */
export function floorInstant(instantMs: number, grain: Grain, zone: string): number {
  const local = toLocal(instantMs, zone)
  const length = LENGTH_MS[grain]
  if (length === undefined) return toInstant(floorLocal(local, grain), zone)
  // Hours are counted from the day's start, as ClickHouse counts them: in a zone of half hours they begin at half past in UTC.
  const dayStart = toInstant(floorLocal(local, 'day'), zone)
  return dayStart + Math.floor((instantMs - dayStart) / length) * length
}

/** Whether a bucket begins at the instant. */
export function isEdge(instantMs: number, grain: Grain, zone: string): boolean {
  const length = LENGTH_MS[grain]
  if (zone === 'UTC' && length !== undefined) return instantMs % length === 0
  return floorInstant(instantMs, grain, zone) === instantMs
}

/** The starts of all buckets that a span touches; the first may lie before it. Undefined when there are more than `most`. */
export function bucketStarts(span: Span, grain: Grain, zone: string, most: number): number[] | undefined {
  const starts: number[] = []
  for (let start = floorInstant(span.fromMs, grain, zone); start < span.toMs; start = nextStart(start, grain, zone)) {
    starts.push(start)
    if (starts.length > most) return undefined
  }
  return starts
}

function nextStart(startMs: number, grain: Grain, zone: string): number {
  const length = LENGTH_MS[grain]
  const local = toLocal(startMs, zone)
  if (length === undefined) return toInstant(addLocal(floorLocal(local, grain), grain, 1), zone)
  // The last bucket of a day may be cut short where a clock was put back or forward by half an hour.
  const nextDay = toInstant(floorLocal(local, 'day') + DAY_MS, zone)
  return Math.min(startMs + length, nextDay)
}

/** What a bucket is called: a date for days and longer. */
export function dateOf(startMs: number, zone: string): string {
  return new Date(toLocal(startMs, zone)).toISOString().slice(0, 10)
}
