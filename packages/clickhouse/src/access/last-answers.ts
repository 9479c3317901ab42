import type { CachingInterface, Clock } from '@smart-whale/interfaces'
import { analyticsKey } from '../analytics/answer-key.ts'
import type { AnalyticsQuery, AnalyticsResult } from '../analytics/analytics-query.ts'
import { canonical, digest } from '../stable-digest.ts'

/** Larger answers are not kept for bad times. */
const MAX_ROWS = 1000

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
    await this.#cache.set(this.#key(level, query), answer, maxAgeSeconds)
  }

  /** With its age of now. */
  async find(level: string, query: AnalyticsQuery): Promise<AnalyticsResult | undefined> {
    const known = await this.#cache?.get<LastAnswer>(this.#key(level, query))
    if (known === undefined) return undefined
    return { ...known.result, cache: { status: 'stale', ageMs: Math.max(0, this.#clock.now() - known.loadedAtMs), ttlSeconds: 0 } }
  }

  #key(level: string, { query, params, options }: AnalyticsQuery): string {
    const { role, scope, tenant } = options ?? {}
    return `${this.#prefix}${digest(canonical([level, { ...analyticsKey({ query, params, role, scope, tenant }) }]))}`
  }
}
