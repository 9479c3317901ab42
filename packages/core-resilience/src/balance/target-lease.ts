import type { Clock } from '@smart-whale/interfaces'
import type { TargetRecord } from './target-record.ts'

/** How a call ended; `unknown` says nothing about its target. */
export type TargetOutcome = 'succeeded' | 'failed' | 'unknown'

/** A target that was chosen, held until it is released: for as long as a call, a stream or a subscription takes. */
export interface TargetLease<T> extends Disposable {
  readonly name: string
  readonly target: T
  /** Says that the first piece of a long answer is here: the time it took is the target's latency, however long the stream goes on. */
  answered(): void
  /** Gives the target back, and says how it went. Only the first word counts; `using` gives it back as `unknown`. */
  release(outcome: TargetOutcome): void
}

/** A lease that notes how it went in the record of its target. */
export class RecordLease<T> implements TargetLease<T> {
  readonly name: string
  readonly target: T
  readonly #record: TargetRecord<T>
  readonly #beganMs: number
  readonly #clock: Clock
  readonly #failed: (record: TargetRecord<T>, nowMs: number) => void
  #isAnswered = false
  #isReleased = false

  constructor(record: TargetRecord<T>, beganMs: number, clock: Clock, failed: (record: TargetRecord<T>, nowMs: number) => void) {
    this.name = record.name
    this.target = record.target
    this.#record = record
    this.#beganMs = beganMs
    this.#clock = clock
    this.#failed = failed
    record.began(beganMs)
  }

  answered(): void {
    if (!this.#isAnswered && !this.#isReleased) this.#noteAnswer(this.#clock.monotonic())
  }

  release(outcome: TargetOutcome): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#record.ended()
    const nowMs = this.#clock.monotonic()
    if (!this.#isAnswered) this.#noteEnd(outcome, nowMs)
    if (outcome === 'succeeded') this.#record.succeeded(nowMs)
    if (outcome === 'failed') this.#failed(this.#record, nowMs)
  }

  [Symbol.dispose](): void {
    this.release('unknown')
  }

  #noteEnd(outcome: TargetOutcome, nowMs: number): void {
    if (outcome === 'unknown') this.#record.givenUp()
    else if (outcome === 'failed') this.#record.failedToAnswer(nowMs - this.#beganMs, nowMs)
    else this.#noteAnswer(nowMs)
  }

  #noteAnswer(nowMs: number): void {
    this.#isAnswered = true
    this.#record.answered(nowMs - this.#beganMs, nowMs)
  }
}
