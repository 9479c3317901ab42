import { type Clock, systemClock } from '@smart-whale/interfaces'
import { optionError } from '../errors.ts'

/** How much a {@link UsageTracker} watches. */
export interface UsageTrackerOptions {
  /** Keys that are watched one by one, those that are asked for most; each takes four bytes an interval. @default 1_000 */
  maxKeys?: number | undefined
  /** Counters in each of the four rows of the sketch by which these keys are found. @default 16_384 */
  sketchWidth?: number | undefined
  /** Different keys that count as seen lately. @default 65_536 */
  recentKeys?: number | undefined
  /** Length of the intervals in which demand is counted, and that forecasts are made of. @default 60 */
  intervalSeconds?: number | undefined
  /** Intervals that are remembered: a period is found when three of it are among them. @default 240 */
  intervals?: number | undefined
  /** After this time a read counts half. @default 3_600 */
  halveEverySeconds?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** The options with every default filled in. */
export type UsageTrackerSettings = ReturnType<typeof usageSettings>

/** @throws ConfigurationError naming the option that is wrong */
export function usageSettings(options: UsageTrackerOptions) {
  const { maxKeys = 1_000, sketchWidth = 16_384, recentKeys = 65_536, intervalSeconds = 60, intervals = 240, halveEverySeconds = 3_600, clock = systemClock } = options
  for (const [name, value] of Object.entries({ maxKeys, sketchWidth, recentKeys })) {
    if (!(Number.isInteger(value) && value >= 1 && value <= 2 ** 24)) throw optionError(name, value, 'a whole number from 1 to 16_777_216')
  }
  if (!(Number.isInteger(intervals) && intervals >= 8 && intervals <= 10_000)) throw optionError('intervals', intervals, 'a whole number from 8 to 10_000')
  for (const [name, value] of Object.entries({ intervalSeconds, halveEverySeconds })) if (!(value > 0 && value < Infinity)) throw optionError(name, value, 'a number of seconds above 0')
  return { maxKeys, sketchWidth, recentKeys, intervals, intervalMs: intervalSeconds * 1000, halveEveryMs: halveEverySeconds * 1000, clock }
}
