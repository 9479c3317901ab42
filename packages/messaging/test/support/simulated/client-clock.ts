import type { Clock, TimerHandle } from '@smart-whale/interfaces'
import type { FakeClock } from '@smart-whale/interfaces/testing'

interface ClientTimer {
  readonly callback: () => void
  handle: TimerHandle
}

/** The time of one process: it can be put to sleep, and what came due or came in meanwhile happens when it wakes. */
export class ClientClock implements Clock {
  readonly #clock: FakeClock
  readonly #timers = new Set<ClientTimer>()
  #missed: (() => void)[] = []
  #isAsleep = false
  #fellAsleepAt = 0
  #sleptMs = 0

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  /** Timers that wait; a client that was closed has none. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  get isAsleep(): boolean {
    return this.#isAsleep
  }

  /** How long it has slept in all. */
  get sleptMs(): number {
    return this.#sleptMs + (this.#isAsleep ? this.#clock.monotonic() - this.#fellAsleepAt : 0)
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer: ClientTimer = { callback, handle: undefined }
    timer.handle = this.#clock.setTimeout(() => this.whenAwake(() => this.#fire(timer)), delayMs)
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(handle: TimerHandle): void {
    const timer = handle as ClientTimer
    this.#clock.clearTimeout(timer.handle)
    this.#timers.delete(timer)
  }

  /** Runs it now, or when the process is awake again. */
  whenAwake(happen: () => void): void {
    if (this.#isAsleep) this.#missed.push(happen)
    else happen()
  }

  sleep(): void {
    if (!this.#isAsleep) this.#fellAsleepAt = this.#clock.monotonic()
    this.#isAsleep = true
  }

  wake(): void {
    this.#sleptMs = this.sleptMs
    this.#isAsleep = false
    for (const happen of this.#missed.splice(0)) happen()
  }

  #fire(timer: ClientTimer): void {
    if (this.#timers.delete(timer)) timer.callback()
  }
}
