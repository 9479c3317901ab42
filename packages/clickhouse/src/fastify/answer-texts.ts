import { type Row, toWire } from '@smart-whale/interfaces'
import type { AnalyticsResult } from '../analytics/analytics-query.ts'

/** Texts that are kept, in characters of all together. */
const MAX_CHARACTERS = 16 * 1024 * 1024

/** What stands before and behind the state of the cache, which is another each time. */
interface KeptText {
  readonly head: string
  readonly tail: string
  readonly statistics: AnalyticsResult['statistics']
  readonly queryId: string
}

/**
 * Answers as JSON text: exact, with the types that its strings stand for beside it. Rows that are served again and again are written
 * once, if nobody can change them any more: a cache in this process has frozen what it keeps.
 */
export class AnswerTexts {
  #texts = new WeakMap<readonly Row[], KeptText>()
  #characters = 0

  textOf(result: AnalyticsResult): string {
    const { head, tail } = this.#aroundCache(result)
    const { status, ageMs, ttlSeconds } = result.cache
    return `${head},"cache":{"status":"${status}","ageMs":${ageMs},"ttlSeconds":${ttlSeconds}},${tail}`
  }

  #aroundCache(result: AnalyticsResult): Pick<KeptText, 'head' | 'tail'> {
    const { data, columns, statistics, queryId, degraded } = result
    const known = this.#texts.get(data)
    if (known !== undefined && known.statistics === statistics && known.queryId === queryId && degraded === undefined) return known
    const head = known?.head ?? `{"data":${JSON.stringify(data.map(toWire))},"columns":${JSON.stringify(columns)}`
    const tail = JSON.stringify({ statistics, queryId, degraded }).slice(1)
    if (known === undefined && nobodyCanChange(data) && Object.isFrozen(statistics)) this.#keep(data, { head, tail, statistics, queryId })
    return { head, tail }
  }

  /** Texts go with their rows; all at once when they are too many, for rows may live long. */
  #keep(data: readonly Row[], text: KeptText): void {
    this.#characters += text.head.length
    if (this.#characters > MAX_CHARACTERS) {
      this.#texts = new WeakMap()
      this.#characters = text.head.length
    }
    this.#texts.set(data, text)
  }
}

const nobodyCanChange = (rows: readonly Row[]): boolean => Object.isFrozen(rows) && rows.every(Object.isFrozen)
