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

/** What an answer is made of. */
export type Answerable = Pick<MemoryEntry, 'copy' | 'loadedAtMs' | 'isNothing'>

/** Makes an answer as a caller wants it. */
export type AnswerForm<A> = (found: Answerable, source: AnswerSource, isStale: boolean, nowMs: number) => A

/** The value alone. */
export const valueOf: AnswerForm<unknown> = ({ copy, isNothing }) => (isNothing ? undefined : valueFor(copy))

/** The value with where it comes from, its age, and whether it is stale. */
export const answerOf: AnswerForm<CacheAnswer<unknown>> = (found, source, isStale, nowMs) => ({
  value: valueOf(found, source, isStale, nowMs),
  source,
  isStale,
  ageMs: Math.max(0, nowMs - found.loadedAtMs),
})
