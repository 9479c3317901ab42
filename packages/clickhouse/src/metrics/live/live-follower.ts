import type { LiveMetricEvent } from './live-events.ts'
import type { LiveQuestion } from './live-question.ts'

/** How a follower comes to its question. */
export interface FollowerParts {
  /** Finds or makes the question; throws when there is no room. Called at the first `next`. */
  readonly join: () => LiveQuestion
  /** Told once, when the follower has ended; only of one that joined. */
  readonly leave: (question: LiveQuestion) => void
  readonly lastVersion: string | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Tells one subscriber what is new, when it asks: what it was too slow for is never kept for it, but told as one difference from what it
 * got last to what is now.
 */
export class LiveFollower implements AsyncIterableIterator<LiveMetricEvent, undefined> {
  readonly #parts: FollowerParts
  #question: LiveQuestion | undefined
  #ended = false
  /** The state that the subscriber has. */
  #seen: number | undefined
  #heard: unknown
  #turn: Promise<unknown> = Promise.resolve()
  #wakeUp: (() => void) | undefined
  readonly #wake = (): void => this.#wakeUp?.()
  readonly #abort = (): void => this.end()

  constructor(parts: FollowerParts) {
    this.#parts = parts
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One after the other, also when they are asked for at once. */
  next(): Promise<IteratorResult<LiveMetricEvent, undefined>> {
    const found = this.#turn.then(() => this.#next())
    this.#turn = found.catch(() => undefined)
    return found
  }

  return(): Promise<IteratorResult<LiveMetricEvent, undefined>> {
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  /** Ends the iteration, also for who waits. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#parts.signal?.removeEventListener('abort', this.#abort)
    if (this.#question !== undefined) {
      this.#question.leave(this.#wake)
      this.#parts.leave(this.#question)
    }
    this.#wake()
  }

  async #next(): Promise<IteratorResult<LiveMetricEvent, undefined>> {
    if (this.#question === undefined) this.#join()
    while (!this.#ended) {
      const event = this.#news(this.#question as LiveQuestion)
      if (event !== undefined) return { value: event, done: false }
      await new Promise<void>((resolve) => (this.#wakeUp = resolve))
    }
    return { value: undefined, done: true }
  }

  #join(): void {
    const { signal, join } = this.#parts
    if (signal?.aborted) this.#ended = true
    if (this.#ended) return
    try {
      this.#question = join()
    } catch (error) {
      this.#ended = true
      throw error
    }
    signal?.addEventListener('abort', this.#abort)
    this.#question.follow(this.#wake)
  }

  #news(question: LiveQuestion): LiveMetricEvent | undefined {
    const { answer, failure, current } = question
    if (!current) {
      if (failure === undefined) return undefined
      // Nothing was told yet: the caller had better ask again by itself, and is told why.
      this.end()
      throw failure.error
    }
    const first = this.#seen === undefined
    const recovered = this.#heard !== undefined && failure === undefined
    if (first || recovered || this.#seen !== answer.sequence) {
      const from = this.#seen ?? answer.sequenceOf(this.#parts.lastVersion ?? '')
      this.#seen = answer.sequence
      this.#heard = failure === undefined ? undefined : this.#heard
      return (from === undefined ? undefined : answer.changeSince(from)) ?? answer.snapshot()
    }
    if (failure === undefined || failure === this.#heard) return undefined
    this.#heard = failure
    return failure
  }
}
