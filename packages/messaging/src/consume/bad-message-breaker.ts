import { type Clock, systemClock } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { optionError } from '../errors.ts'

/** When a subscription halts instead of filling retry topics and dead letters. */
export interface BadMessageBreakerOptions {
  /** Share of messages that can't be handled, from which the subscription halts. @default 0.5 */
  maxBadShare?: number | undefined
  /** How many of the latest messages the share is taken of; fewer never halt. @default 100 */
  window?: number | undefined
  /** How long it halts before one message is tried again, in milliseconds. @default 60_000 */
  pauseMs?: number | undefined
}

/** What a {@link BadMessageBreaker} tells of its state. */
export interface BadMessageBreakerEvents {
  /** Too many were bad: nothing is put elsewhere any more. */
  onHalt(share: number): void
  /** A message was handled again. */
  onResume(): void
}

/**
 * Many messages in a row that can't be handled are no bad messages but a broken handler or a wrong sender: to dead-letter
 * them all would hide that, and would have to be undone by hand. So the subscription halts with its messages where they are, and
 * tries one of them from time to time.
 */
export class BadMessageBreaker {
  readonly #settings: { readonly maxBadShare: number; readonly window: number; readonly pauseMs: number }
  readonly #clock: Clock
  readonly #events: BadMessageBreakerEvents
  /** The latest outcomes, as a ring: whether each was bad. */
  #outcomes: boolean[] = []
  #next = 0
  #bad = 0
  #haltedUntilMs: number | undefined
  #isProbing = false

  constructor(options: BadMessageBreakerOptions, events: BadMessageBreakerEvents, clock: Clock = systemClock) {
    const { maxBadShare = 0.5, window = 100, pauseMs = 60_000 } = options
    if (!(maxBadShare > 0 && maxBadShare <= 1)) throw optionError('breaker.maxBadShare', maxBadShare, 'a number above 0, at most 1')
    if (!Number.isInteger(window) || window < 1 || window > 100_000) throw optionError('breaker.window', window, 'a whole number from 1 to 100000')
    if (!(pauseMs >= 1 && pauseMs <= 2 ** 31 - 1)) throw optionError('breaker.pauseMs', pauseMs, `milliseconds from 1 to ${2 ** 31 - 1}`)
    this.#settings = { maxBadShare, window, pauseMs }
    this.#events = events
    this.#clock = clock
  }

  get isHalted(): boolean {
    return this.#haltedUntilMs !== undefined
  }

  /**
   * Waits as long as the subscription halts. Resolves 'probe' for the one that is to try whether it may go on.
   *
   * @throws OperationError `ERR_ABORTED` when the signal aborts
   */
  async enter(signal: AbortSignal): Promise<'free' | 'probe'> {
    while (this.#haltedUntilMs !== undefined) {
      const leftMs = this.#haltedUntilMs - this.#clock.monotonic()
      if (leftMs <= 0 && !this.#isProbing) {
        this.#isProbing = true
        return 'probe'
      }
      await sleep(Math.max(leftMs, 1, this.#isProbing ? PROBE_POLL_MS : 0), { signal, clock: this.#clock })
    }
    return 'free'
  }

  /** What the probe showed. */
  probed(isBad: boolean): void {
    this.#isProbing = false
    if (isBad) {
      this.#haltedUntilMs = this.#clock.monotonic() + this.#settings.pauseMs
      return
    }
    this.#haltedUntilMs = undefined
    this.#outcomes = []
    this.#next = this.#bad = 0
    this.#events.onResume()
  }

  /** The probe came to no result. */
  probeEnded(): void {
    this.#isProbing = false
  }

  /** Counts messages that were handled. */
  countGood(messages: number): void {
    for (let i = 0; i < messages; i++) this.#count(false)
  }

  /** Whether a bad message may be put elsewhere; false when there are too many, and the subscription halts. */
  admitBad(): boolean {
    if (this.isHalted) return false
    this.#count(true)
    const share = this.#bad / this.#outcomes.length
    if (this.#outcomes.length < this.#settings.window || share <= this.#settings.maxBadShare) return true
    this.#haltedUntilMs = this.#clock.monotonic() + this.#settings.pauseMs
    this.#events.onHalt(share)
    return false
  }

  #count(isBad: boolean): void {
    if (this.#outcomes[this.#next] === true) this.#bad--
    this.#outcomes[this.#next] = isBad
    this.#next = (this.#next + 1) % this.#settings.window
    if (isBad) this.#bad++
  }
}

/** How often those that wait look whether the probe has come to its end. */
const PROBE_POLL_MS = 100
