import type { Clock, TimerHandle } from '../clock.ts'
import { ValidationError } from '../errors.ts'

interface FakeTimer {
  readonly dueAt: number
  readonly callback: () => void
}

/** Where a {@link FakeClock} begins. */
export interface FakeClockOptions {
  /** Milliseconds since the epoch at the start. @default 2026-01-01T00:00:00Z */
  startMs?: number
}

/**
 * A clock that stands still until the test moves it. Timers run in the order in which they are due,
 * and what they set free (promises, further timers) has run before the next one is looked at.
 */
export class FakeClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  readonly #timers = new Set<FakeTimer>()

  constructor(options: FakeClockOptions = {}) {
    this.#wallMs = options.startMs ?? Date.UTC(2026, 0, 1)
  }

  now(): number {
    return this.#wallMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer: FakeTimer = { dueAt: this.#monotonicMs + Math.max(0, delayMs || 0), callback }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(handle: TimerHandle): void {
    this.#timers.delete(handle as FakeTimer)
  }

  /** Timers that wait; a test that ends with one has found a leak. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Moves the wall clock alone, as an administrator or NTP would; durations and timers don't notice. */
  jumpWallClock(ms: number): void {
    this.#wallMs += ms
  }

  /** Lets time pass, running each timer when it is due. */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) {
      throw new ValidationError(`advance needs milliseconds ≥ 0, got ${ms}; use jumpWallClock to set the wall clock back`, {
        issues: [{ path: ['ms'], message: 'must be ≥ 0' }],
      })
    }
    const target = this.#monotonicMs + ms
    await settle()
    for (let next = this.#nextTimer(); next !== undefined && next.dueAt <= target; next = this.#nextTimer()) {
      await this.#fire(next)
    }
    this.#moveTo(target)
    await settle()
  }

  /** Passes time from timer to timer until the promise is settled, and hands its result or error on. */
  async runUntilSettled<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    await settle()
    while (!settled) {
      const next = this.#nextTimer()
      // Without a timer only real I/O can settle it; the clock has nothing to add.
      if (next === undefined) break
      await this.#fire(next)
    }
    return promise
  }

  async #fire(timer: FakeTimer): Promise<void> {
    this.#timers.delete(timer)
    this.#moveTo(timer.dueAt)
    timer.callback()
    await settle()
  }

  #nextTimer(): FakeTimer | undefined {
    let earliest: FakeTimer | undefined
    // A set keeps insertion order, so among equals the one that was set first wins.
    for (const timer of this.#timers) if (earliest === undefined || timer.dueAt < earliest.dueAt) earliest = timer
    return earliest
  }

  #moveTo(monotonicMs: number): void {
    if (monotonicMs <= this.#monotonicMs) return
    this.#wallMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}

/** A turn of the real event loop: every promise chain that can go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
