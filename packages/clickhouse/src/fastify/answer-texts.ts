import { type Row, toWire } from '@smart-whale/interfaces'
import type { AnalyticsResult } from '../analytics/analytics-query.ts'

/** Texts that are kept, in characters of all together. */
const MAX_CHARACTERS = 16 * 1024 * 1024

/**
 * Answers as JSON text: exact, with the types that its strings stand for beside it. Rows that are served again and again are written
 * once, if nobody can change them any more: a cache in this process has frozen what it keeps.
 */
export class AnswerTexts {
  #texts = new WeakMap<readonly Row[], string>()
  #characters = 0

  textOf(result: AnalyticsResult): string {
    const { cache, statistics, queryId, degraded } = result
    const rest = JSON.stringify({ cache, statistics, queryId, degraded })
    return `${this.#rowsAndColumns(result)},${rest.slice(1)}`
  }

  #rowsAndColumns({ data, columns }: AnalyticsResult): string {
    const known = this.#texts.get(data)
    if (known !== undefined) return known
    const text = `{"data":${JSON.stringify(data.map(toWire))},"columns":${JSON.stringify(columns)}`
    if (Object.isFrozen(data) && data.every(Object.isFrozen)) this.#keep(data, text)
    return text
  }

  /** Texts go with their rows; all at once when they are too many, for rows may live long. */
  #keep(data: readonly Row[], text: string): void {
    this.#characters += text.length
    if (this.#characters > MAX_CHARACTERS) {
      this.#texts = new WeakMap()
      this.#characters = text.length
    }
    this.#texts.set(data, text)
  }
}
