import { type Breaker, outsideOfCalls } from '@smart-whale/core-resilience'
import type { Clock } from '@smart-whale/interfaces'

/** What a watch goes by, and whom it tells. */
export interface WatchedServer {
  readonly breaker: Breaker
  /** Asks the server whether it is there. */
  readonly ask: () => Promise<void>
  /** Whether somebody waits for it. */
  readonly isAwaited: () => boolean
  /** Told when a server that was taken for well doesn't answer any more. */
  readonly onLost: (error: Error) => void
  /** Time between two looks; a server that was heard of since is not asked. */
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
    if (this.#timer !== null || this.#isLooking || this.#isClosed) return
    const { clock, everyMs } = this.#server
    this.#timer = outsideOfCalls(() => clock.setTimeout(() => void this.#look(), everyMs))
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) this.#server.clock.clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    this.#timer = null
    this.#isLooking = true
    if (this.#server.breaker.state !== 'closed') await this.#askBack()
    else if (this.#server.isAwaited() && this.#isSilent()) await this.#askSilent()
    this.#isLooking = false
    if (this.#server.isAwaited() || this.#server.breaker.state !== 'closed') this.wake()
  }

  /** The question is the call that the breaker lets through on trial. */
  async #askBack(): Promise<void> {
    const { breaker, ask } = this.#server
    await breaker.execute(ask).catch(() => {})
  }

  async #askSilent(): Promise<void> {
    const { breaker, ask, openMs, onLost } = this.#server
    try {
      await ask()
      this.heard()
    } catch (error) {
      if (this.#isClosed) return
      breaker.trip(openMs)
      onLost(error as Error)
    }
  }

  #isSilent(): boolean {
    const { clock, everyMs } = this.#server
    return clock.monotonic() - this.#heardAtMs >= everyMs
  }
}
