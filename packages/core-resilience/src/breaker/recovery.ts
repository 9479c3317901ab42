import { durationOption, rateOption, shareOption } from '../check-options.ts'

/** How an open breaker finds its way back. */
export interface RecoveryStrategy {
  /** How long it stays open, by how often it has opened since it was last closed; the first time is 1. */
  openMs(timesOpened: number): number
  /** Asked, when the time is over, in place of letting a call through, with the breaker's name or key: only `true` lets probes in. @default calls are the probes */
  isHealthy?: ((signal: AbortSignal, key: string) => Promise<boolean>) | undefined
  /** How long `isHealthy` may take. @default 5_000 */
  checkTimeoutMs?: number | undefined
}

/** The same time whenever it opens. */
export function fixedRecovery(openMs: number): RecoveryStrategy {
  const checked = durationOption('openMs', openMs)
  return { openMs: () => checked }
}

/** How the time grows; see {@link exponentialRecovery}. */
export interface ExponentialRecoveryOptions {
  /** How long it stays open the first time. @default 1_000 */
  baseMs?: number | undefined
  /** Upper bound. @default 60_000 */
  maxMs?: number | undefined
  /** What the time is multiplied by each time it opens again without having been closed. @default 2 */
  factor?: number | undefined
  /** Share of the time that is random, so that many processes don't probe at once. @default 0.2 */
  jitter?: number | undefined
  /** Numbers from 0 up to 1. @default Math.random */
  random?: (() => number) | undefined
}

/** A longer time each time it opens again without having been closed. */
export function exponentialRecovery(options: ExponentialRecoveryOptions = {}): RecoveryStrategy {
  const baseMs = durationOption('baseMs', options.baseMs ?? 1_000)
  const maxMs = durationOption('maxMs', options.maxMs ?? 60_000)
  const factor = rateOption('factor', options.factor ?? 2)
  const jitter = shareOption('jitter', options.jitter ?? 0.2)
  const { random = Math.random } = options
  return {
    openMs: (timesOpened) => {
      const wholeMs = Math.min(maxMs, baseMs * factor ** (timesOpened - 1))
      return wholeMs * (1 - jitter) + wholeMs * jitter * random()
    },
  }
}

/** How the other side is asked; see {@link healthProbe}. */
export interface HealthProbeOptions {
  /** Asks the other side whether it is there; a rejection says no. Its signal aborts when the time is over; the key says which side, where a manager keeps many. */
  isHealthy: (signal: AbortSignal, key: string) => Promise<boolean>
  /** Time between two questions. @default 1_000 */
  everyMs?: number | undefined
  /** How long an answer may take. @default 5_000 */
  checkTimeoutMs?: number | undefined
}

/**
 * Asks before any caller's request is risked. It is asked when a call comes and the time is over: without calls
 * nothing runs, and the call that asked is still refused.
 */
export function healthProbe(options: HealthProbeOptions): RecoveryStrategy {
  const everyMs = durationOption('everyMs', options.everyMs ?? 1_000)
  const checkTimeoutMs = durationOption('checkTimeoutMs', options.checkTimeoutMs ?? 5_000, 1)
  const { isHealthy } = options
  return { openMs: () => everyMs, checkTimeoutMs, isHealthy }
}
