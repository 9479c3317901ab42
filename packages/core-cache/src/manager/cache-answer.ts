import type { AnswerSource } from './cache-metrics.ts'
import { type MemoryEntry, valueFor } from './memory-layer.ts'

/** A value and where it comes from. */
export interface CacheAnswer<T> {
  readonly value: T
  readonly source: AnswerSource
  /** Whether its time was over: it served because it is loaded anew meanwhile, or because the loader failed. */
  readonly isStale: boolean
  /** Time since it was loaded. */
  readonly ageMs: number
}

/** A value as a caller gets it. */
export function answerOf<T>({ copy, loadedAtMs, isNothing }: Pick<MemoryEntry, 'copy' | 'loadedAtMs' | 'isNothing'>, source: AnswerSource, isStale: boolean, nowMs: number): CacheAnswer<T> {
  return { value: (isNothing ? undefined : valueFor(copy)) as T, source, isStale, ageMs: Math.max(0, nowMs - loadedAtMs) }
}
