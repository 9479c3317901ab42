import type { CounterMetric, MetricsSink } from '@smart-whale/interfaces'

const MOST = 10_000

/** Remembers the latest requests that nobody waits for any more, so that answers to them are told from the answers to others. */
export class FinishedRequests {
  /** By id, whether it was given up; the oldest first. */
  readonly #ids = new Map<string, boolean>()
  readonly #dropped: CounterMetric

  constructor(metrics: MetricsSink) {
    this.#dropped = metrics.counter({ name: 'smart_whale_responses_dropped_total', help: 'Answers that nobody waited for any more: late ones, or second ones', labelNames: ['reason'] })
  }

  add(requestId: string, wasGivenUp: boolean): void {
    this.#ids.set(requestId, wasGivenUp)
    if (this.#ids.size <= MOST) return
    const [oldest] = this.#ids.keys()
    if (oldest !== undefined) this.#ids.delete(oldest)
  }

  /** An answer has come that nobody waits for: it may be to another process's request, and then is nothing to us. */
  noteAnswer(requestId: string): void {
    const wasGivenUp = this.#ids.get(requestId)
    if (wasGivenUp !== undefined) this.#dropped.inc({ reason: wasGivenUp ? 'late' : 'second' })
  }
}
