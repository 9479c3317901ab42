import type { Clock } from '@smart-whale/interfaces'

/** Notices when whoever reads a stream takes nothing any more. */
export class ReaderWatch {
  readonly #maxIdleMs: number
  readonly #clock: Clock
  readonly #onIdle: () => void
  #handedOverAtMs: number | undefined
  #timer: unknown

  /** @param onIdle called once, when the reader has had something for that long and has not come back */
  constructor(maxIdleMs: number, clock: Clock, onIdle: () => void) {
    this.#maxIdleMs = maxIdleMs
    this.#clock = clock
    this.#onIdle = onIdle
    this.#lookAfter(maxIdleMs)
  }

  /** The reader has something. */
  handOver(): void {
    this.#handedOverAtMs = this.#clock.monotonic()
  }

  /** The reader wants more. */
  takeBack(): void {
    this.#handedOverAtMs = undefined
  }

  end(): void {
    this.#clock.clearTimeout(this.#timer)
  }

  /** One timer now and then, and none for each thing that is read. */
  #lookAfter(pauseMs: number): void {
    this.#timer = this.#clock.setTimeout(() => {
      const idleMs = this.#handedOverAtMs === undefined ? 0 : this.#clock.monotonic() - this.#handedOverAtMs
      if (idleMs >= this.#maxIdleMs) this.#onIdle()
      else this.#lookAfter(this.#maxIdleMs - idleMs)
    }, pauseMs)
  }
}
