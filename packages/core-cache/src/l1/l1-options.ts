import { type Clock, systemClock } from '@smart-whale/interfaces'
import { optionError } from '../errors.ts'
import type { MemoryPressure } from './memory-pressure.ts'

/** How large an `L1Cache` may grow and how long its entries live. */
export interface L1CacheOptions {
  /** Entries that it holds at most. @default 10_000 */
  maxEntries?: number | undefined
  /** Memory that keys and values may take, as estimated; a single entry above it is not kept. @default 67_108_864 (64 MiB) */
  maxBytes?: number | undefined
  /** Life of an entry that is set without one; `null` for until it is evicted. @default 60 */
  defaultTtlSeconds?: number | null | undefined
  /** Share of its life that is left when an entry becomes due for refresh, see `checkVitality`. @default 0.2 */
  refreshShare?: number | undefined
  /** Who lowers and raises the memory that it may take. @default nobody: it may take `maxBytes` at all times */
  memoryPressure?: MemoryPressure | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Bounds of a cache. */
export interface CacheSize {
  readonly maxEntries: number
  readonly maxBytes: number
}

/** The options with every default filled in. */
export interface L1CacheSettings {
  /** Entries that the cache holds at most. @default see {@link L1CacheOptions} */
  readonly maxEntries: number
  /** Memory that keys and values may take, as estimated, in bytes. @default see {@link L1CacheOptions} */
  readonly maxBytes: number
  /** Life of an entry that is set without one, in milliseconds; Infinity for until it is evicted. @default see {@link L1CacheOptions.defaultTtlSeconds} */
  readonly defaultTtlMs: number
  /** Share of its life, 0 to 1, that is left when an entry becomes due for refresh. @default see {@link L1CacheOptions} */
  readonly refreshShare: number
  /** Who lowers and raises the memory that it may take. @default see {@link L1CacheOptions} */
  readonly memoryPressure: MemoryPressure | undefined
  /** Whose time passes. @default see {@link L1CacheOptions} */
  readonly clock: Clock
}

/** Slots are numbered by 32-bit integers, and a Map holds no more. */
const MOST_ENTRIES = 16_000_000

/** @throws ConfigurationError naming the option that is wrong */
export function settingsOf(options: L1CacheOptions): L1CacheSettings {
  const { maxEntries = 10_000, maxBytes = 67_108_864, defaultTtlSeconds = 60, refreshShare = 0.2, memoryPressure, clock = systemClock } = options
  requireSize({ maxEntries, maxBytes })
  if (defaultTtlSeconds !== null && !(typeof defaultTtlSeconds === 'number' && defaultTtlSeconds > 0)) {
    throw optionError('defaultTtlSeconds', defaultTtlSeconds, 'a number of seconds above 0, or null')
  }
  if (!(typeof refreshShare === 'number' && refreshShare >= 0 && refreshShare <= 1)) throw optionError('refreshShare', refreshShare, 'a share from 0 to 1')
  return { maxEntries, maxBytes, defaultTtlMs: defaultTtlSeconds === null ? Infinity : defaultTtlSeconds * 1000, refreshShare, memoryPressure, clock }
}

/** @throws ConfigurationError naming the bound that is wrong */
export function requireSize({ maxEntries, maxBytes }: CacheSize): void {
  if (!(Number.isInteger(maxEntries) && maxEntries >= 1 && maxEntries <= MOST_ENTRIES)) throw optionError('maxEntries', maxEntries, `a whole number from 1 to ${MOST_ENTRIES}`)
  if (!(typeof maxBytes === 'number' && maxBytes > 0)) throw optionError('maxBytes', maxBytes, 'a number of bytes above 0')
}
