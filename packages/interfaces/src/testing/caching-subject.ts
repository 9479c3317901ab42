import type { CachingInterface } from '../caching.ts'
import { pause, uniqueName, within } from './contract-case.ts'

/** A {@link CachingInterface} as `cachingContract` checks it. */
export interface CachingSubject {
  /** A cache that isn't connected yet, with room for a few thousand small entries. It may hold what other cases left. */
  create(): Promise<CachingInterface>
  /** Runs after each case, once it is disconnected. */
  dispose?(cache: CachingInterface): Promise<void>
  /** Life of an entry that is set without one; `null` when it never expires. */
  readonly defaultTtlSeconds: number | null
  /** Lets the cache's time pass, for a cache on a fake clock. Without it the suite waits in real time. */
  passTime?(ms: number): Promise<void>
}

/** A connected cache for as long as `use` takes, with a prefix for keys that no other case uses. */
export async function withCache(subject: CachingSubject, use: (cache: CachingInterface, prefix: string) => Promise<void>): Promise<void> {
  const cache = await subject.create()
  try {
    await cache.connect()
    await use(cache, `${uniqueName('contract')}:`)
  } finally {
    await within(30_000, 'disconnect', cache.disconnect())
    await subject.dispose?.(cache)
  }
}

/** Lets time pass for the cache. */
export function passTime(subject: CachingSubject, ms: number): Promise<void> {
  return subject.passTime ? subject.passTime(ms) : pause(ms)
}

/** The keys of a scan. */
export async function scan(cache: CachingInterface, pattern: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of cache.scanKeys(pattern)) keys.push(key)
  return keys
}
