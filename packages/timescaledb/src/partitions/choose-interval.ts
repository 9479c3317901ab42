import { approximateMs, parseTimeInterval, stepAround, type TimeInterval } from '../time-series/time-interval.ts'

/** Lengths that people cut time into, shortest first. */
const USUAL = ['1 hour', '6 hours', '1 day', '7 days', '1 month', '3 months', '1 year', '10 years', '100 years'] as const
/** A batch that spans more partitions than this leaves each of them almost empty. */
const MAX_NEW_PER_BATCH = 16

/** What the choice of a partition's length rests on. */
export interface IntervalChoice {
  /** What the table asks for; never shortened. */
  readonly interval: TimeInterval
  readonly existing: number
  readonly maxPartitions: number
  /** Moments that need a partition. */
  readonly timesMs: readonly number[]
}

/**
 * How long the next partitions should be: as the table asks, or longer when its history turns out to be long and thin.
 *
 * Twenty years of daily prices would make a thousand weekly partitions of five rows; a batch that needs many new ones at once,
 * or a table that nears its bound, gets longer ones for what comes. Partitions that exist stay.
 */
export function chooseInterval(choice: IntervalChoice): TimeInterval {
  const candidates = [choice.interval, ...usualAbove(choice.interval)]
  const used = choice.existing / choice.maxPartitions
  const crowded = used > 0.9 ? '10 years' : used > 0.7 ? '1 year' : used > 0.4 ? '1 month' : undefined
  const atLeastMs = crowded === undefined ? 0 : approximateMs(parseTimeInterval(crowded))
  // Beyond a year, many steps at once are scattered garbage rather than a long history.
  const sparse = candidates.filter((candidate) => candidate === choice.interval || approximateMs(candidate) <= approximateMs(parseTimeInterval('1 year')))
  const fitting = sparse.find((candidate) => countSteps(choice.timesMs, candidate) <= MAX_NEW_PER_BATCH) ?? sparse.at(-1) ?? choice.interval
  if (approximateMs(fitting) >= atLeastMs) return fitting
  return candidates.find((candidate) => approximateMs(candidate) >= atLeastMs) ?? choice.interval
}

/** The shortest usual interval that makes `factor` times fewer partitions. */
export function adviseLonger(interval: TimeInterval, factor: number): string {
  const wantedMs = approximateMs(interval) * factor
  return USUAL.find((text) => approximateMs(parseTimeInterval(text)) >= wantedMs) ?? '100 years'
}

function usualAbove(interval: TimeInterval): TimeInterval[] {
  return USUAL.map((text) => parseTimeInterval(text)).filter((usual) => approximateMs(usual) > approximateMs(interval))
}

function countSteps(timesMs: readonly number[], interval: TimeInterval): number {
  return new Set(timesMs.map((timeMs) => stepAround(new Date(timeMs), interval).start.getTime())).size
}
