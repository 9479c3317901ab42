import type { CachingInterface, Clock } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import { analyticsKey } from '../analytics/answer-key.ts'
import type { AnalyticsQuery, AnalyticsResult } from '../analytics/analytics-query.ts'
import { canonical, digest } from '../stable-digest.ts'

/** Larger answers are not kept for bad times. */
const MAX_ROWS = 1000
/** A cache that takes longer does without. */
const CACHE_TIMEOUT_MS = 250

interface LastAnswer {
  readonly result: AnalyticsResult
  readonly loadedAtMs: number
}

/** The last answer to each question, by level and tenant: what is given, and marked, when the quota is spent. */
export class LastAnswers {
  readonly #cache: CachingInterface | null
  readonly #prefix: string
  readonly #clock: Clock

  constructor(cache: CachingInterface | null, prefix: string, clock: Clock) {
    this.#cache = cache
    this.#prefix = prefix
    this.#clock = clock
  }

  async keep(level: string, query: AnalyticsQuery, result: AnalyticsResult, maxAgeSeconds: number): Promise<void> {
    if (this.#cache === null || maxAgeSeconds === 0 || result.cache.status === 'hit' || result.data.length > MAX_ROWS) return
    const answer: LastAnswer = { result, loadedAtMs: this.#clock.now() - result.cache.ageMs }
    const cache = this.#cache
    await this.#soon(() => cache.set(this.#key(level, query), answer, maxAgeSeconds))
  }

  /** With its age of now. */
  async find(level: string, query: AnalyticsQuery): Promise<AnalyticsResult | undefined> {
    const cache = this.#cache
    const known = cache === null ? undefined : await this.#soon(() => cache.get<LastAnswer>(this.#key(level, query)))
    if (known === undefined) return undefined
    return { ...known.result, cache: { status: 'stale', ageMs: Math.max(0, this.#clock.now() - known.loadedAtMs), ttlSeconds: 0 } }
  }

  #soon<T>(work: () => Promise<T>): Promise<T> {
    return withDeadline(work, { timeoutMs: CACHE_TIMEOUT_MS, clock: this.#clock, what: 'the cache of last answers' })
  }

  #key(level: string, { query, params, options }: AnalyticsQuery): string {
    const { role, scope, tenant } = options ?? {}
    return `${this.#prefix}${digest(canonical([level, { ...analyticsKey({ query, params, role, scope, tenant }) }]))}`
  }
}
