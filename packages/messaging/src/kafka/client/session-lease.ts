import type { Clock } from '@smart-whale/interfaces'

/** When a word to the group was sent, by both clocks. */
export interface Moment {
  readonly monotonic: number
  readonly wall: number
}

/** For how long the group bears a member's silence. */
export interface LeaseTerms {
  /** How long it waits for a word, in milliseconds. @default none, required */
  readonly sessionTimeoutMs: number
  /** How long it waits in a rebalance for the member to take part, in milliseconds. @default none, required */
  readonly rebalanceTimeoutMs: number
}

const NEVER: Moment = { monotonic: -Infinity, wall: -Infinity }

/**
 * Until when the group surely counts on a member. It gives up whom it hasn't heard of for the length of the session, and who hasn't taken part
 * in a rebalance for the time that is given for that. Counted here from when the last word that was answered was *sent*, the lease is over here
 * before it is over there, also when this process was asleep.
 */
export class SessionLease {
  readonly #clock: Clock
  readonly #terms: LeaseTerms
  #heardAt = NEVER
  /** When the group surely wasn't rebalancing. */
  #settledAt = NEVER

  constructor(clock: Clock, terms: LeaseTerms) {
    this.#clock = clock
    this.#terms = terms
  }

  get isRunning(): boolean {
    return this.#since(this.#heardAt) <= this.#terms.sessionTimeoutMs && this.#since(this.#settledAt) <= this.#terms.rebalanceTimeoutMs
  }

  now(): Moment {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.now() }
  }

  /** The group has answered to what was sent then, and `isSettled` tells whether that it isn't rebalancing. */
  renew(sentAt: Moment, isSettled: boolean): void {
    if (sentAt.monotonic > this.#heardAt.monotonic) this.#heardAt = sentAt
    if (isSettled && sentAt.monotonic > this.#settledAt.monotonic) this.#settledAt = sentAt
  }

  /** A machine that slept may not have counted that time; a clock that was set forward costs a heartbeat at most. */
  #since({ monotonic, wall }: Moment): number {
    const now = this.now()
    return Math.max(now.monotonic - monotonic, now.wall - wall)
  }
}
