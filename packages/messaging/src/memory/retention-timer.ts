import type { Clock, Logger, TimerHandle } from '@smart-whale/interfaces'
import type { Topic } from './topic.ts'

const CHECK_EVERY_MS = 5_000
/** While senders wait for room. */
const CHECK_FULL_EVERY_MS = 100

/** What the timer looks after. */
export interface RetentionTimerOptions {
  /** The topics as they are now; asked at each check. @default none, required */
  readonly topics: () => Iterable<Topic>
  /** Paces the checks. @default none, required */
  readonly clock: Clock
  /** Told when records could not be removed. @default none, required */
  readonly logger: Logger
}

/** Removes records whose time has come, of topics that have an age limit; without such topics there is no timer. */
export class RetentionTimer {
  readonly #options: RetentionTimerOptions
  #timer: TimerHandle | undefined
  #isRunning = false

  constructor(options: RetentionTimerOptions) {
    this.#options = options
  }

  /** Begins, if it hasn't and there is something to look after. */
  start(): void {
    this.#isRunning = true
    if (this.#timer !== undefined) return
    const topics = this.#aging()
    if (topics.length === 0) return
    const delayMs = topics.some((topic) => topic.isFull) ? CHECK_FULL_EVERY_MS : CHECK_EVERY_MS
    this.#timer = this.#options.clock.setTimeout(() => void this.#check(), delayMs)
  }

  stop(): void {
    this.#isRunning = false
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #check(): Promise<void> {
    for (const topic of this.#aging()) {
      await topic.enforceRetention().catch((error: unknown) => this.#options.logger.error({ error, topic: topic.name }, 'old records could not be removed'))
    }
    this.#timer = undefined
    if (this.#isRunning) this.start()
  }

  #aging(): Topic[] {
    return [...this.#options.topics()].filter((topic) => topic.hasAgeLimit)
  }
}
