import type { Clock, TimerHandle } from '@smart-whale/interfaces'
import type { UsageTracker } from '../usage/usage-tracker.ts'

/** Prefetching: what is foreseen is in memory before it is asked for. */
export interface PrefetchOptions {
  /** Whose forecasts it follows; the manager tells it of each read. @default none: required */
  usage: UsageTracker
  /** Loads that may be spent on forecasts, a minute. Bringing something up from a lower layer costs none. @default 60 */
  loadsPerMinute?: number | undefined
  /** How far it looks ahead, and how often it looks: half of that. @default 60 */
  horizonSeconds?: number | undefined
  /** Forecasts that have been wrong by more are not followed. @default 0.5 */
  maxErrorShare?: number | undefined
  /** Keys whose loaders are remembered. A loader holds what it refers to. @default 1_000 */
  maxLoaders?: number | undefined
}

/** What can be done for a key that is foreseen. */
export interface Prefetch {
  isInMemory(key: string): boolean
  promote(key: string): Promise<boolean>
}

type Load = () => Promise<unknown>

const MOST_FORECASTS = 100

/** Brings values into memory shortly before they are expected to be asked for. Nobody waits for it, and what fails is left to whoever asks. */
export class Prefetcher {
  readonly #options: Required<{ [Name in keyof PrefetchOptions]: NonNullable<PrefetchOptions[Name]> }>
  readonly #clock: Clock
  readonly #prefetch: Prefetch
  /** The latest loader of a key; in the order of their last use. */
  readonly #loaders = new Map<string, Load>()
  #budget: number
  #timer: TimerHandle | undefined
  #round: Promise<void> = Promise.resolve()
  #isOpen = false

  constructor(options: PrefetchOptions, clock: Clock, prefetch: Prefetch) {
    const { usage, loadsPerMinute = 60, horizonSeconds = 60, maxErrorShare = 0.5, maxLoaders = 1_000 } = options
    this.#options = { usage, loadsPerMinute, horizonSeconds, maxErrorShare, maxLoaders }
    this.#clock = clock
    this.#prefetch = prefetch
    this.#budget = loadsPerMinute
  }

  open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#wait()
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#clock.clearTimeout(this.#timer)
    this.#loaders.clear()
    await this.#round
  }

  /** Notes how a key can be loaded, should it be foreseen. */
  remember(key: string, load: Load): void {
    this.#loaders.delete(key)
    this.#loaders.set(key, load)
    if (this.#loaders.size > this.#options.maxLoaders) this.#loaders.delete(this.#loaders.keys().next().value as string)
  }

  #wait(): void {
    const everyMs = (this.#options.horizonSeconds * 1000) / 2
    this.#timer = this.#clock.setTimeout(() => {
      const { loadsPerMinute } = this.#options
      this.#budget = Math.min(loadsPerMinute, this.#budget + (loadsPerMinute * everyMs) / 60_000)
      this.#round = this.#runRound().finally(() => this.#isOpen && this.#wait())
    }, everyMs)
  }

  async #runRound(): Promise<void> {
    const { usage, horizonSeconds, maxErrorShare } = this.#options
    for (const { key, errorShare } of usage.predictUsage({ horizonSeconds, limit: MOST_FORECASTS })) {
      if (!this.#isOpen) return
      const isTrusted = errorShare !== null && errorShare <= maxErrorShare
      if (!isTrusted || this.#prefetch.isInMemory(key)) continue
      // One after another: a burst of loads would be what prefetching is to spare the source.
      if (!(await this.#prefetch.promote(key).catch(() => false))) await this.#load(key)
    }
  }

  async #load(key: string): Promise<void> {
    const load = this.#loaders.get(key)
    if (load === undefined || this.#budget < 1) return
    this.#budget -= 1
    await load().catch(() => {})
  }
}
