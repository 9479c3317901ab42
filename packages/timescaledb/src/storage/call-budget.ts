import type { CallOptions, Clock } from '@smart-whale/interfaces'
import { TimescaleTimeoutError } from '../errors.ts'

/** What is left of a call's time, over waits, statements and further attempts. */
export class CallBudget {
  readonly #clock: Clock
  readonly #timeoutMs: number | undefined
  readonly #endsAtMs: number

  constructor(options: CallOptions | undefined, clock: Clock) {
    this.#clock = clock
    this.#timeoutMs = options?.timeoutMs
    this.#endsAtMs = clock.monotonic() + (options?.timeoutMs ?? 0)
  }

  /** @throws TimescaleTimeoutError when nothing is left */
  left(signal: AbortSignal | undefined): CallOptions {
    if (this.#timeoutMs === undefined) return { signal }
    const leftMs = this.#endsAtMs - this.#clock.monotonic()
    if (leftMs > 0) return { signal, timeoutMs: leftMs }
    throw new TimescaleTimeoutError(`the call took longer than ${this.#timeoutMs} ms`, { context: { timeoutMs: this.#timeoutMs } })
  }

  /** Like {@link left}, but no longer than `capMs`. */
  leftWithin(capMs: number, signal: AbortSignal | undefined): { signal: AbortSignal | undefined; timeoutMs: number } {
    return { signal, timeoutMs: Math.min(this.left(signal).timeoutMs ?? capMs, capMs) }
  }
}
