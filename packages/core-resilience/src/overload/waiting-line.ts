import type { Clock } from '@smart-whale/interfaces'
import type { Run } from '../executor/run.ts'
import { earlier } from '../executor/scope.ts'
import { TimerEntry, type TimerWheel, wheelOf } from '../executor/timer-wheel.ts'

/** A run that waits for its turn. */
export class Waiter extends TimerEntry {
  readonly run: Run<unknown>
  readonly at: number
  ahead: Waiter | undefined = undefined
  behind: Waiter | undefined = undefined
  readonly #line: WaitingLine

  constructor(line: WaitingLine, run: Run<unknown>, at: number) {
    super()
    this.#line = line
    this.run = run
    this.at = at
  }

  expire(): void {
    this.#line.expired(this)
  }
}

/** Runs in the order in which they came, bounded in number and in time. Whoever leaves early, from anywhere, leaves no gap. */
export class WaitingLine {
  readonly #capacity: number
  readonly #maxWaitMs: number
  readonly #clock: Clock
  readonly #wheel: TimerWheel
  readonly #tooLong: (waiter: Waiter) => void
  #first: Waiter | undefined = undefined
  #last: Waiter | undefined = undefined
  #length = 0

  constructor(options: { capacity: number; maxWaitMs: number; clock: Clock; tooLong: (waiter: Waiter) => void }) {
    this.#capacity = options.capacity
    this.#maxWaitMs = options.maxWaitMs
    this.#clock = options.clock
    this.#wheel = wheelOf(options.clock)
    this.#tooLong = options.tooLong
  }

  get length(): number {
    return this.#length
  }

  /** Puts a run last; undefined when there is no room. It waits no longer than its deadline allows. */
  join(run: Run<unknown>, at: number): Waiter | undefined {
    if (this.#length >= this.#capacity) return undefined
    const waiter = new Waiter(this, run, at)
    waiter.ahead = this.#last
    if (this.#last === undefined) this.#first = waiter
    else this.#last.behind = waiter
    this.#last = waiter
    this.#length += 1
    const nowMs = run.reading.on(this.#clock)
    const untilMs = earlier(this.#maxWaitMs === Infinity ? undefined : nowMs + this.#maxWaitMs, run.deadlineAtMs)
    if (untilMs !== undefined) this.#wheel.add(waiter, untilMs, nowMs)
    return waiter
  }

  /** Takes the first one out. */
  next(): Waiter | undefined {
    const first = this.#first
    if (first !== undefined) this.leave(first)
    return first
  }

  leave(waiter: Waiter): void {
    if (waiter !== this.#first && waiter.ahead === undefined) return
    if (waiter.ahead === undefined) this.#first = waiter.behind
    else waiter.ahead.behind = waiter.behind
    if (waiter.behind === undefined) this.#last = waiter.ahead
    else waiter.behind.ahead = waiter.ahead
    waiter.ahead = undefined
    waiter.behind = undefined
    this.#length -= 1
    this.#wheel.remove(waiter)
  }

  expired(waiter: Waiter): void {
    this.leave(waiter)
    this.#tooLong(waiter)
  }
}
