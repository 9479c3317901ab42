import type { Grain } from '../definition/metric-definition.ts'
import { addLocal, floorInstant, floorLocal, type Span } from './grain-edges.ts'
import { toInstant, toLocal } from './zoned-time.ts'

/** A period by name; whole days, weeks and so on of the question's time zone. `last_7_days` are the seven before today. */
export type PeriodName =
  | 'today'
  | 'yesterday'
  | `this_${PeriodUnit}`
  | `last_${PeriodUnit}`
  | `last_${number}_${'minutes' | 'hours' | 'days' | 'weeks' | 'months' | 'quarters' | 'years'}`

type PeriodUnit = 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'

/** Where a period lies, and how the one before it is found. */
export interface ResolvedPeriod extends Span {
  /** The period that comparisons go to, so many periods back. */
  previous(): Span
}

const NAMED = /^(this|last)(?:_(\d{1,5}))?_(minute|hour|day|week|month|quarter|year)(s?)$/

/** What is wrong with a period or a point in time. */
export interface PeriodProblem {
  readonly problem: string
}

/** Where a named period lies, seen from now. */
export function resolvePeriod(name: string, nowMs: number, zone: string): ResolvedPeriod | PeriodProblem {
  if (name === 'today') return spanOf('day', 0, 1, nowMs, zone)
  if (name === 'yesterday') return spanOf('day', -1, 1, nowMs, zone)
  const [, which, count, unit, plural] = NAMED.exec(name) ?? []
  const wellFormed = which !== undefined && (count === undefined) === (plural === '') && !(which === 'this' && count !== undefined) && Number(count ?? 1) >= 1
  if (!wellFormed) return { problem: `must be a period such as today, this_month, last_week or last_7_days, got "${name}"` }
  const length = Number(count ?? 1)
  return spanOf(unit as Grain, which === 'this' ? 0 : -length, length, nowMs, zone)
}

/** `count` buckets of the grain, from the one that lies `first` from the present one. */
function spanOf(grain: Grain, first: number, count: number, nowMs: number, zone: string): ResolvedPeriod {
  const [fromMs, toMs] = [move(nowMs, grain, first, zone), move(nowMs, grain, first + count, zone)]
  return { fromMs, toMs, previous: () => ({ fromMs: move(nowMs, grain, first - count, zone), toMs: fromMs }) }
}

/** The start of the bucket that lies so many from the one of an instant. */
function move(instantMs: number, grain: Grain, count: number, zone: string): number {
  const length = { minute: 60_000, hour: 3_600_000 }[grain as string]
  if (length !== undefined) return floorInstant(floorInstant(instantMs, grain, zone) + count * length, grain, zone)
  return toInstant(addLocal(floorLocal(toLocal(instantMs, zone), grain), grain, count), zone)
}

/** A period between two points in time; the one before it has as many days, or is as long when it isn't made of days. */
export function periodBetween(fromMs: number, toMs: number, zone: string): ResolvedPeriod {
  const [fromLocal, toLocalMs] = [toLocal(fromMs, zone), toLocal(toMs, zone)]
  const wholeDays = fromLocal % 86_400_000 === 0 && toLocalMs % 86_400_000 === 0
  return {
    fromMs,
    toMs,
    previous: () => ({ fromMs: wholeDays ? toInstant(fromLocal - (toLocalMs - fromLocal), zone) : fromMs - (toMs - fromMs), toMs: fromMs }),
  }
}

/** The same span a year before. */
export function aYearBefore({ fromMs, toMs }: Span, zone: string): Span {
  const back = (instantMs: number): number => {
    const local = toLocal(instantMs, zone)
    const date = new Date(local)
    const moved = new Date(local)
    moved.setUTCFullYear(date.getUTCFullYear() - 1)
    // 29 February becomes 1 March: half-open, so that the 28th is in.
    return toInstant(moved.getTime(), zone)
  }
  return { fromMs: back(fromMs), toMs: back(toMs) }
}

const POINT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/

/** A point in time: a `Date`, or ISO text; without an offset it is local time of the zone, a day alone is its midnight. */
export function resolvePoint(point: Date | string, zone: string): number | PeriodProblem {
  if (point instanceof Date) return Number.isNaN(point.getTime()) ? { problem: 'is an invalid Date' } : point.getTime()
  const [, day, time = '00:00', offset] = POINT.exec(point) ?? []
  const local = day === undefined ? Number.NaN : Date.parse(`${day}T${time}Z`)
  // A day such as 2026-02-30 is taken for another one, which nobody meant.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== day)
    return { problem: `must be a day such as 2026-01-31 or a time such as 2026-01-31T12:00:00+01:00, got "${point}"` }
  return offset === undefined ? toInstant(local, zone) : Date.parse(`${day}T${time}${offset}`)
}
