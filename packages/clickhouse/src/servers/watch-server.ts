import { type Breaker, outsideOfCalls } from '@smart-whale/core-resilience'
import type { Clock } from '@smart-whale/interfaces'

/** What a watch goes by, and whom it tells. */
export interface WatchedServer {
  readonly breaker: Breaker
  /** Asks the server whether it is there. */
  readonly ask: () => Promise<void>
  /** Whether somebody waits for it. */
  readonly isAwaited: () => boolean
  /** Whether calls could go to another one: who gives up the last server that is merely silent wins nothing. */
  readonly isReplaceable: () => boolean
  /** Told when a server that was taken for well doesn't answer any more. */
  readonly onLost: (error: Error) => void
  /** Silence after which it is asked, and time between two questions to one that is away. */
  readonly everyMs: number
  /** How long a server that was lost is left alone. */
  readonly openMs: number
  readonly clock: Clock
}

/**
 * Looks after one server as long as somebody waits for it or it is away: tells a server that is slow from one that is gone, and lets one
 * back that answers again. A server that is well and that nobody waits for is not looked at: then there is no timer.
 */
export class ServerWatch {
  readonly #server: WatchedServer
  #heardAtMs = -Infinity
  #timer: unknown = null
  #isLooking = false
  #isClosed = false

  constructor(server: WatchedServer) {
    this.#server = server
  }

  /** The server has answered something. */
  heard(): void {
    this.#heardAtMs = this.#server.clock.monotonic()
  }

  /** Somebody waits for the server, or it failed. */
  wake(): void {
    if (this.#timer === null && !this.#isLooking) this.#lookIn(this.#server.everyMs)
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) this.#server.clock.clearTimeout(this.#timer)
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed) return
    this.#timer = outsideOfCalls(() => this.#server.clock.setTimeout(() => void this.#look(), delayMs))
  }

  async #look(): Promise<void> {
    const { breaker, isAwaited, everyMs } = this.#server
    this.#timer = null
    this.#isLooking = true
    if (breaker.state !== 'closed') await this.#askBack()
    else if (isAwaited() && this.#quietMs() >= everyMs) await this.#askSilent()
    this.#isLooking = false
    if (breaker.state !== 'closed') this.#lookIn(everyMs)
    // When it would have been quiet for so long: not so long from now, which may be twice as long.
    else if (isAwaited()) this.#lookIn(Math.min(everyMs, Math.max(1, everyMs - this.#quietMs())))
  }

  /** The question is the call that the breaker lets through on trial. */
  async #askBack(): Promise<void> {
    const { breaker, ask } = this.#server
    await breaker.execute(ask).catch(() => {})
  }

  async #askSilent(): Promise<void> {
    const { breaker, ask, openMs, isReplaceable, onLost } = this.#server
    try {
      await ask()
      this.heard()
    } catch (error) {
      if (this.#isClosed || !isReplaceable()) return this.heard()
      breaker.trip(openMs)
      onLost(error as Error)
    }
  }

  #quietMs(): number {
    return this.#server.clock.monotonic() - this.#heardAtMs
  }
}
