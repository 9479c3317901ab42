import type { Clock } from '@smart-whale/interfaces'

/** How long a handler is let go on after its partition was revoked: its signal aborts when that time is up. */
export class Patience implements Disposable {
  readonly #revoked: AbortSignal
  readonly #clock: Clock
  readonly #end = new AbortController()
  readonly #onRevoked: () => void
  #timer: unknown

  constructor(revoked: AbortSignal, timeoutMs: number, clock: Clock) {
    this.#revoked = revoked
    this.#clock = clock
    this.#onRevoked = () => {
      this.#timer = clock.setTimeout(() => this.#end.abort(revoked.reason), timeoutMs)
    }
    if (revoked.aborted) this.#onRevoked()
    else revoked.addEventListener('abort', this.#onRevoked, { once: true })
  }

  get signal(): AbortSignal {
    return this.#end.signal
  }

  [Symbol.dispose](): void {
    this.#revoked.removeEventListener('abort', this.#onRevoked)
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
  }
}
