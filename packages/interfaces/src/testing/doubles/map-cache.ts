import type { CachingInterface } from '../../caching.ts'
import type { Clock } from '../../clock.ts'
import { ValidationError } from '../../errors.ts'
import { compileGlob } from '../../glob.ts'
import type { CachingSubject } from '../caching-subject.ts'
import { FakeClock } from '../fake-clock.ts'

/** A small cache that keeps the whole contract, to try the suite on. */
export class MapCache implements CachingInterface {
  protected readonly entries = new Map<string, { value: unknown; expiresAt: number }>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async connect(): Promise<void> {}

  async disconnect(): Promise<void> {}

  async get<T>(key: string): Promise<T | undefined> {
    return structuredClone(this.#live(key)?.value) as T | undefined
  }

  async set(key: string, value: unknown, ttlSeconds = Infinity): Promise<void> {
    if (!(ttlSeconds > 0)) throw new ValidationError('a life must be above 0')
    if (value === undefined) throw new ValidationError('undefined is no value')
    this.entries.set(key, { value: this.copy(value), expiresAt: this.#clock.monotonic() + ttlSeconds * 1000 })
  }

  async delete(key: string): Promise<boolean> {
    return this.#live(key) !== undefined && this.entries.delete(key)
  }

  async exists(key: string): Promise<boolean> {
    return this.#live(key) !== undefined
  }

  async ttl(key: string): Promise<number | null> {
    const entry = this.#live(key)
    return entry === undefined || entry.expiresAt === Infinity ? null : (entry.expiresAt - this.#clock.monotonic()) / 1000
  }

  async *scanKeys(pattern: string): AsyncIterable<string> {
    const matches = compileGlob(pattern)
    for (const key of [...this.entries.keys()]) if (this.#live(key) !== undefined && matches(key)) yield key
  }

  protected copy(value: unknown): unknown {
    try {
      return structuredClone(value)
    } catch (cause) {
      throw new ValidationError('the value can’t be copied', { cause })
    }
  }

  #live(key: string): { value: unknown; expiresAt: number } | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && entry.expiresAt > this.#clock.monotonic() ? entry : undefined
  }
}

/** The subject that the suite runs on; `create` may make a cache that breaks a promise. */
export function mapSubject(create: (clock: Clock) => CachingInterface = (clock) => new MapCache(clock)): CachingSubject {
  const clock = new FakeClock()
  return { create: async () => create(clock), defaultTtlSeconds: null, passTime: (ms) => clock.advance(ms) }
}
