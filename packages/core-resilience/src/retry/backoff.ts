import { durationOption, rateOption } from '../check-options.ts'

/** How long to wait before each further attempt. */
export interface Backoff {
  /** Upper bound of any wait. */
  readonly maxDelayMs: number
  /**
   * @param attempt the attempt that failed; the first is 1
   * @param previousMs what was waited before it; 0 before the first
   * @param random numbers from 0 up to 1
   */
  delayMs(attempt: number, previousMs: number, random: () => number): number
}

/**
 * How chance comes in (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). `full`: anything below the wait;
 * `equal`: the upper half of it; `decorrelated`: from the base to three times the wait before; `none`: all callers come back at once.
 */
export type Jitter = 'full' | 'equal' | 'decorrelated' | 'none'

/** How waits grow; see {@link exponentialBackoff} and {@link linearBackoff}. */
export interface BackoffOptions {
  /** The first wait before chance comes in. @default 100 */
  baseMs?: number | undefined
  /** Upper bound of any wait. @default 10_000 */
  maxMs?: number | undefined
  /** What a wait is multiplied by for the next one; exponential only. @default 2 */
  factor?: number | undefined
  /** How chance comes in. @default 'full' */
  jitter?: Jitter | undefined
}

/** The same wait each time. */
export function constantBackoff(delayMs: number, jitter: Exclude<Jitter, 'decorrelated'> = 'none'): Backoff {
  const checked = durationOption('delayMs', delayMs)
  return { maxDelayMs: checked, delayMs: (_attempt, _previousMs, random) => spread(checked, jitter, random) }
}

/** Each wait longer than the one before by `baseMs`. */
export function linearBackoff(options: Omit<BackoffOptions, 'factor'> = {}): Backoff {
  const { baseMs, maxMs, jitter } = checked(options)
  return growing(baseMs, maxMs, jitter, (attempt) => baseMs * attempt)
}

/** Each wait longer than the one before by `factor`. */
export function exponentialBackoff(options: BackoffOptions = {}): Backoff {
  const { baseMs, maxMs, jitter } = checked(options)
  const factor = rateOption('factor', options.factor ?? 2)
  return growing(baseMs, maxMs, jitter, (attempt) => baseMs * factor ** (attempt - 1))
}

function checked(options: BackoffOptions): { baseMs: number; maxMs: number; jitter: Jitter } {
  const baseMs = durationOption('baseMs', options.baseMs ?? 100)
  return { baseMs, maxMs: durationOption('maxMs', options.maxMs ?? 10_000), jitter: options.jitter ?? 'full' }
}

function growing(baseMs: number, maxMs: number, jitter: Jitter, ceilingOf: (attempt: number) => number): Backoff {
  return {
    maxDelayMs: maxMs,
    delayMs: (attempt, previousMs, random) => {
      if (jitter !== 'decorrelated') return spread(Math.min(maxMs, ceilingOf(attempt)), jitter, random)
      return Math.min(maxMs, baseMs + random() * Math.max(0, 3 * Math.max(baseMs, previousMs) - baseMs))
    },
  }
}

function spread(ceilingMs: number, jitter: Exclude<Jitter, 'decorrelated'>, random: () => number): number {
  if (jitter === 'none') return ceilingMs
  return jitter === 'full' ? random() * ceilingMs : ceilingMs / 2 + (random() * ceilingMs) / 2
}
