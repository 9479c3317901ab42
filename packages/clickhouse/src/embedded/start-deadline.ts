import { abortedError, type Clock, TimeoutError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/** How long one start may go on, and how much of that it may spend waiting for its predecessor to leave. */
export class StartDeadline {
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  readonly #startTimeoutMs: number
  readonly #startEnds: number
  readonly #busyEnds: number

  constructor(startTimeoutMs: number, busyTimeoutMs: number, clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock
    this.#signal = signal
    this.#startTimeoutMs = startTimeoutMs
    this.#startEnds = clock.monotonic() + startTimeoutMs
    this.#busyEnds = clock.monotonic() + busyTimeoutMs
  }

  /** @throws OperationError `ERR_ABORTED`; TimeoutError `ERR_CLICKHOUSE_START_TIMEOUT` */
  check(): void {
    if (this.#signal?.aborted) throw abortedError('starting the embedded ClickHouse', this.#signal)
    if (this.leftMs() > 0) return
    throw new TimeoutError<ClickHouseErrorCode>(
      `the embedded ClickHouse did not answer within ${this.#startTimeoutMs} ms; raise startTimeoutMs if the machine is busy or the data large`,
      { code: 'ERR_CLICKHOUSE_START_TIMEOUT', context: { startTimeoutMs: this.#startTimeoutMs } },
    )
  }

  elapsedMs(): number {
    return this.#startTimeoutMs - this.leftMs()
  }

  leftMs(): number {
    return this.#startEnds - this.#clock.monotonic()
  }

  mayWaitForPredecessor(): boolean {
    return this.#clock.monotonic() < this.#busyEnds && this.leftMs() > 0
  }

  /** Waits, but not beyond an abort. */
  async pause(delayMs: number): Promise<void> {
    if (this.#signal?.aborted) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#clock.clearTimeout(timer)
        this.#signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = this.#clock.setTimeout(done, delayMs)
      this.#signal?.addEventListener('abort', done, { once: true })
    })
  }
}
