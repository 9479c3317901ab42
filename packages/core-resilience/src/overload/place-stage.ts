import type { Clock } from '@smart-whale/interfaces'
import { disposedError } from '../errors.ts'
import type { Run } from '../executor/run.ts'
import { Stage, WAITING } from '../executor/stage.ts'
import { Waiter, WaitingLine } from './waiting-line.ts'

/** What a {@link PlaceStage} goes by, checked. */
export interface PlaceRules {
  /** What it is, for messages. */
  readonly what: string
  readonly limit: number
  readonly maxQueued: number
  readonly maxWaitMs: number
  readonly clock: Clock
}

/** How a call that had a place ended; `unknown`: its caller left, or what failed says nothing about the other side. */
export type PlaceOutcome = 'succeeded' | 'failed' | 'unknown'

/** Places for calls: so many at once, and a line of those who wait for one. */
export abstract class PlaceStage extends Stage {
  /** Calls at once; may change. */
  protected limit: number
  readonly #what: string
  readonly #line: WaitingLine
  #underWay = 0
  #isDisposed = false

  constructor({ what, limit, maxQueued, maxWaitMs, clock }: PlaceRules) {
    super()
    this.#what = what
    this.limit = limit
    this.#line = new WaitingLine({ capacity: maxQueued, maxWaitMs, clock, tooLong: ({ run, at }) => run.refuse(at, this.refusal('waited_too_long')) })
  }

  get underWay(): number {
    return this.#underWay
  }

  get queued(): number {
    return this.#line.length
  }

  override enter(run: Run<unknown>, at: number): typeof WAITING | Error | undefined {
    if (this.#isDisposed) return disposedError(this.#what)
    // Who waits already comes first, also while a place is being handed over.
    if (this.#underWay < this.limit && this.#line.length === 0) {
      this.#underWay += 1
      this.admitted(run, at)
      return undefined
    }
    const waiter = this.#line.join(run, at)
    if (waiter === undefined) return this.refusal('full')
    run.note(at, waiter)
    return WAITING
  }

  override succeeded(run: Run<unknown>, at: number): void {
    this.#leave(run.noteOf(at), 'succeeded', undefined)
  }

  override failed(run: Run<unknown>, at: number, error: unknown): boolean {
    this.#leave(run.noteOf(at), run.isCancelled ? 'unknown' : 'failed', error)
    return false
  }

  override abandoned(run: Run<unknown>, at: number, reason: unknown): void {
    const note = run.noteOf(at)
    if (note instanceof Waiter) return this.#line.leave(note)
    const outcome: PlaceOutcome = run.isCancelled ? 'unknown' : 'failed'
    const leave = (): void => {
      try {
        this.#leave(note, outcome, reason)
      } catch {
        // A rule of the caller's threw, and nobody waits any more who could be told.
      }
    }
    if (!run.whenLateWorkEnds(leave)) leave()
  }

  dispose(): void {
    this.#isDisposed = true
    for (let waiter = this.#line.next(); waiter !== undefined; waiter = this.#line.next()) waiter.run.refuse(waiter.at, disposedError(this.#what))
  }

  /** Makes and counts the error for a call that gets no place. */
  protected abstract refusal(reason: 'full' | 'waited_too_long'): Error

  /** A call has its place; what is noted about it is handed to {@link ended}. */
  protected admitted(run: Run<unknown>, at: number): void {
    run.note(at, undefined)
  }

  /** A call gives its place back. */
  protected ended(_note: unknown, _outcome: PlaceOutcome, _error: unknown): void {}

  #leave(note: unknown, outcome: PlaceOutcome, error: unknown): void {
    try {
      this.ended(note, outcome, error)
    } finally {
      this.#underWay -= 1
      this.#letNextIn()
    }
  }

  #letNextIn(): void {
    while (this.#underWay < this.limit) {
      const next = this.#line.next()
      if (next === undefined) return
      this.#underWay += 1
      next.run.reading.forget()
      this.admitted(next.run, next.at)
      next.run.goOn(next.at)
    }
  }
}
