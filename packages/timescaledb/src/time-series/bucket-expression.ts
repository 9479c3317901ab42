import { quoteLiteral } from '../quote-identifier.ts'
import { intervalToSql, type TimeInterval } from './time-interval.ts'

/** How time is cut into buckets in SQL. */
export interface BucketOptions {
  /** IANA zone in which days and months begin; without it UTC. @default none */
  timeZone?: string | undefined
  /** Whether the server has TimescaleDB's `time_bucket`. @default false */
  timeBucket?: boolean | undefined
}

/**
 * SQL for the start of the bucket that holds a timestamptz expression.
 *
 * Fixed lengths count from Monday 2000-01-03, months from 2000-01-01, in UTC or in the wall-clock time of the zone: those of TimescaleDB's
 * `time_bucket`, on every server. Fixed lengths in a zone are cut by our own SQL there too, because versions of `time_bucket` disagree
 * where clocks change: this is what 2.31 gives, while 2.19 takes both passes of an hour that comes twice for one.
 */
export function bucketExpression(time: string, interval: TimeInterval, options: BucketOptions = {}): string {
  const { timeZone } = options
  const byWallClock = timeZone !== undefined && interval.months === 0
  if (options.timeBucket && !byWallClock) {
    const zone = timeZone === undefined ? '' : `, ${quoteLiteral(timeZone)}`
    return `time_bucket(${intervalLiteral(interval)}, ${time}${zone})`
  }
  if (timeZone === undefined && interval.months === 0) return `date_bin(${intervalLiteral(interval)}, ${time}, timestamptz '2000-01-03 00:00:00+00')`
  const zone = quoteLiteral(timeZone ?? 'UTC')
  const start = `(${localBucket(`(${time} at time zone ${zone})`, interval)} at time zone ${zone})`
  // A wall-clock start that is skipped, or comes twice, may be read as a moment after the one that it is the start for.
  return byWallClock ? `least(${start}, date_bin(${intervalLiteral(interval)}, ${time}, ${start}))` : start
}

/** The start of the bucket that holds a timestamp without zone. */
export function localBucket(local: string, interval: TimeInterval): string {
  if (interval.months === 0) return `date_bin(${intervalLiteral(interval)}, ${local}, timestamp '2000-01-03')`
  const months = `((extract(year from ${local}) - 2000) * 12 + extract(month from ${local}) - 1)`
  return `(timestamp '2000-01-01' + (floor(${months} / ${interval.months})::int * ${interval.months}) * interval '1 month')`
}

/** The interval as a literal; it comes from numbers alone. */
export function intervalLiteral(interval: TimeInterval): string {
  return `interval '${intervalToSql(interval)}'`
}
