import { ConnectionError, type CachingInterface, type Clock, type TimerHandle } from '@smart-whale/interfaces'
import type { FakeClock } from '@smart-whale/interfaces/testing'

/** What happens to what a process asks of the cache: `unheard` takes effect and fails all the same; `late` takes effect when it is let through. */
export type LinkMode = 'well' | 'fails' | 'unheard' | 'hangs' | 'late'

/** One process's own clock: begun at another time than the others', and its time of day wrong by any amount. */
export class SkewedClock implements Clock {
  skewMs = 0
  readonly #base: FakeClock
  readonly #beganMs: number

  constructor(base: FakeClock, beganMs: number) {
    this.#base = base
    this.#beganMs = beganMs
  }

  now(): number {
    return this.#base.now() + this.skewMs
  }

  monotonic(): number {
    return this.#base.monotonic() + this.#beganMs
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    return this.#base.setTimeout(callback, delayMs)
  }

  clearTimeout(handle: TimerHandle): void {
    this.#base.clearTimeout(handle)
  }
}

/** The one entry that all processes see, and when it is over. */
export class SharedEntry {
  #value: unknown = undefined
  #untilMs = 0
  readonly #clock: FakeClock
  /** What is on its way, in the order in which it was sent. */
  readonly late: (() => void)[] = []

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  get leftMs(): number {
    return Math.max(0, this.#untilMs - this.#clock.monotonic())
  }

  read(): unknown {
    return this.leftMs > 0 ? this.#value : undefined
  }

  write(value: unknown, forMs: number): void {
    this.#value = structuredClone(value)
    this.#untilMs = this.#clock.monotonic() + forMs
  }

  /** The cache as one process reaches it. */
  through(link: { mode: LinkMode }): Pick<CachingInterface, 'get' | 'set' | 'ttl'> {
    return {
      get: <T>() => this.#answer(link, () => this.read() as T | undefined),
      set: (_key, value, ttlSeconds) => this.#effect(link, () => this.write(value, ttlSeconds! * 1000)),
      ttl: async () => (this.leftMs > 0 ? this.leftMs / 1000 : null),
    }
  }

  /** What was read may be old when it arrives. */
  #answer<T>({ mode }: { mode: LinkMode }, read: () => T): Promise<T> {
    const value = read()
    if (mode === 'well') return Promise.resolve(value)
    if (mode === 'fails' || mode === 'unheard') return Promise.reject(new ConnectionError('the cache is away'))
    return new Promise((resolve) => mode === 'late' && this.late.push(() => resolve(value)))
  }

  async #effect({ mode }: { mode: LinkMode }, take: () => void): Promise<void> {
    if (mode === 'hangs') return new Promise(() => {})
    if (mode === 'late') return new Promise((resolve) => this.late.push(() => resolve(take())))
    if (mode !== 'fails') take()
    if (mode !== 'well') throw new ConnectionError('the cache is away')
  }
}
