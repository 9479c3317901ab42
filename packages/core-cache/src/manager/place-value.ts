import type { FoundValue } from './found-value.ts'

/** What there is to choose from. */
export interface Places {
  /** Text that the shared layer takes at most; 0 where there is none. */
  readonly sharedMaxBytes: number
  /** Loads that take less aren't worth a place in the persistent layer; Infinity where there is none. */
  readonly persistentMinLoadMs: number
}

/** Part of memory that any value may take. */
const SMALL_SHARE = 1 / 128
/** Part of memory that a value may take which is asked for again and again. */
const LARGE_SHARE = 1 / 4
/** So often a value has to be asked for lately to be worth that. */
const HOT_LOOKS = 2
/** A disk is no place for what is over in a moment. */
const LEAST_PERSISTENT_LIFE_MS = 5_000

/**
 * Whether memory is worth a value: a large one pushes many small ones out, and has to be asked for again before it may. Where nothing else could keep it, memory does.
 *
 * @param memoryBytes what memory may take at the moment
 * @param looks how often the key was looked for below memory lately, this time included
 */
export function belongsInMemory({ copy }: FoundValue, memoryBytes: number, looks: number, { sharedMaxBytes, persistentMinLoadMs }: Places): boolean {
  if (copy.bytes <= memoryBytes * SMALL_SHARE) return true
  if (sharedMaxBytes === 0 && persistentMinLoadMs === Infinity) return true
  return looks >= HOT_LOOKS && copy.bytes <= memoryBytes * LARGE_SHARE
}

/** Whether the shared layer takes a text: a large one holds up everybody else there. */
export const belongsInShared = (text: string, { sharedMaxBytes }: Places): boolean => text.length <= sharedMaxBytes

/** Whether a value survives this process: it was dear, or no other layer takes it, and it lives long enough. */
export function belongsInPersistent({ loadMs, freshMs, staleMs, isNothing, copy }: FoundValue, { persistentMinLoadMs, sharedMaxBytes }: Places): boolean {
  if (persistentMinLoadMs === Infinity || isNothing || freshMs + staleMs < LEAST_PERSISTENT_LIFE_MS) return false
  return loadMs >= persistentMinLoadMs || (sharedMaxBytes > 0 && copy.bytes > sharedMaxBytes)
}
