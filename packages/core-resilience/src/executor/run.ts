import { abortedError, type PolicyCall, type PolicyContext } from '@smart-whale/interfaces'
import type { Chain, Work } from './chain.ts'
import { LateEnds } from './late-ends.ts'
import type { Reading } from './reading.ts'
import { contextOf, earlier, isCancelled, layersAbove, onCancelled, reasonOf, runAmbient, Scope } from './scope.ts'
import { handOut, makePromise, maySpareAPromise, outcomeOrPromise, type Phase, SETTLED, settle, settleFailed, type Settling, STARTING } from './settlement.ts'
import { WAITING } from './stage.ts'

/**
 * One execution of a chain of stages: goes in through every stage, calls the work, and comes out through them. Each step is a
 * plain call; nothing is allocated for a stage that has nothing to note. A stage may stop it on the way (a wait, a further
 * attempt, another answer) and set it going again where it stands.
 */
export class Run<T> implements Settling<T> {
  // Made for every call, which pays for each byte: no field that isn't needed; `private` and not `#`, which costs each object a mark
  // of its class and each access a look at it; and it extends nothing, for a constructor that calls another's isn't compiled in.
  readonly call: PolicyCall | undefined
  /** When this run is given up at the latest, as seen from where it stands; stages lower it on the way in. */
  deadlineAtMs: number | undefined
  /** Which attempt of a retrying layer, above or within the chain, this is; 0 for none. */
  retryAttempt: number
  phase: Phase = STARTING
  promise: Promise<T> | undefined = undefined
  resolve: ((value: T | PromiseLike<T>) => void) | undefined = undefined
  reject: ((reason: unknown) => void) | undefined = undefined
  outcome: Settling<T>['outcome'] = undefined
  private readonly _chain: Chain
  private readonly _work: Work<T>
  /** What stages have noted, each at its place; the note itself when there is one stage. */
  private _notes: unknown = undefined
  /** Stages that the run is in. */
  private _depth = 0
  /** Grows when the work is called, and again when it has ended or no longer counts, by which late answers are told: odd while it is under way. */
  private _turn = 0
  private _scope: Scope | undefined = undefined
  private _stopFollowing: (() => void) | undefined = undefined
  private _lateEnds: LateEnds | undefined = undefined

  constructor(chain: Chain, work: Work<T>, call: PolicyCall | undefined) {
    this._chain = chain
    this._work = work
    this.call = call
    const above = layersAbove(call)
    this.deadlineAtMs = above === undefined ? call?.deadlineAtMs : earlier(call?.deadlineAtMs, above.deadlineAtMs)
    this.retryAttempt = above?.retryAttempt ?? 0
  }

  /** Whether nobody waits for it any more, which a listener may have brought about. */
  get isSettled(): boolean {
    return this.phase === SETTLED
  }

  /** Whether the caller has given up. */
  get isCancelled(): boolean {
    return isCancelled(this.call)
  }

  /** Why the caller has given up. */
  get cancelReason(): unknown {
    return reasonOf(this.call)
  }

  /** What the stage has noted about this run. */
  noteOf(at: number): unknown {
    return this._chain.isSingle ? this._notes : (this._notes as unknown[] | undefined)?.[at]
  }

  /** Notes something for the stage, in place of what it noted before. Calls that nothing is noted about are spared the room for it. */
  note(at: number, note: unknown): void {
    if (this._chain.isSingle) this._notes = note
    else if (this._notes !== undefined) (this._notes as unknown[])[at] = note
    else if (note !== undefined) (this._notes = new Array<unknown>(this._chain.stages.length))[at] = note
  }

  /** The time, read once for all stages that are passed in one go. */
  get reading(): Reading {
    return this._chain.reading
  }

  /** Goes in. Of a chain that waits for its work in any case the work's own promise carries the answer: it spares one. */
  start(): Promise<T> {
    const { canAbandon, judgesResults } = this._chain
    this.reading.forget()
    if (canAbandon || judgesResults) void makePromise(this)
    if (this.call !== undefined && this.isCancelled) this._fail(this._callerGaveUp())
    else {
      if (canAbandon && this.call !== undefined) this._follow()
      this._goIn(0)
    }
    return handOut(this)
  }

  /** The stage that let the run wait lets it in, or runs what is below it once more. */
  goOn(at: number): void {
    this._stopWaiting()
    this.reading.forget()
    this._depth = at + 1
    this._goIn(at + 1)
  }

  /** The stage that let the run wait, or that went on by itself after a failure, gives up. */
  refuse(at: number, error: unknown): void {
    this._stopWaiting()
    this._comeOutFailed(at - 1, error)
  }

  /** The stage has another answer for what failed below it. */
  answer(at: number, value: unknown): void {
    this._stopWaiting()
    this._comeOut(at - 1, value as T)
  }

  /** A stage that waits for something else than the work: the caller's giving up must reach it. */
  waitAt(at: number): void {
    this._depth = at + 1
    this.reading.forget()
    if (this._stopFollowing === undefined) this._follow()
  }

  /** A stage that works on an answer of its own: what gives the run up must reach it. */
  standInAt(at: number): void {
    this._depth = at + 1
  }

  /** Gives up what is below the stage, whether its work takes notice or not. */
  abandonBelow(at: number, error: unknown, reason: unknown = error): void {
    this._leaveBehind(at + 1, reason)
    this._comeOutFailed(at, error)
  }

  /** Calls back when the work that goes on though nobody waits for it has ended; `false` when there is none. */
  whenLateWorkEnds(end: () => void): boolean {
    if (!this._isWorking) return false
    this._lateEnds ??= new LateEnds()
    this._lateEnds.add(this._turn, end)
    return true
  }

  /** A context for the work, or for what a stage does in its place. */
  contextHere(): PolicyContext {
    const { call } = this
    if (!this._chain.canAbandon && !this._chain.retries) return contextOf(call)
    this._scope = new Scope(this.deadlineAtMs, this.retryAttempt, this._chain.canAbandon ? undefined : call)
    return this._scope
  }

  private _goIn(from: number): void {
    const { stages, passive } = this._chain
    let at = from
    try {
      for (; at < stages.length; at++) {
        if (passive[at]) continue
        const refusal = stages[at]!.enter(this as Run<unknown>, at)
        if (refusal === WAITING) return this.waitAt(at)
        if (refusal !== undefined) return this._comeOutFailed(at - 1, refusal)
        // A listener that heard of it may have made the caller give up.
        if (this.isSettled) return stages[at]!.abandoned(this as Run<unknown>, at, this.cancelReason)
        this._depth = at + 1
      }
      this._depth = at
    } catch (error) {
      // Something that the caller handed to a policy, a budget or a chance of his own, threw.
      return this._comeOutFailed(at - 1, error)
    }
    this._callWork()
  }

  private _callWork(): void {
    const turn = ++this._turn
    // What happens from here on happens at another time.
    this.reading.forget()
    let answer: Promise<T>
    try {
      answer = this._invoke(this.contextHere())
    } catch (error) {
      return this._workFailed(turn, error)
    }
    if (typeof (answer as Partial<Promise<T>> | undefined)?.then !== 'function') return this._workSucceeded(turn, answer as T)
    if (maySpareAPromise(this) && answer instanceof Promise) {
      this.promise = answer.then(
        (value) => this._handOn(value),
        (error: unknown) => this._handOnFailure(error),
      )
      return
    }
    void answer.then(
      (value) => this._workSucceeded(turn, value),
      (error: unknown) => this._workFailed(turn, error),
    )
  }

  private _handOn(value: T): T {
    this._turn += 1
    this._comeOut(this._depth - 1, value)
    return value
  }

  private _handOnFailure(error: unknown): Promise<T> {
    this._turn += 1
    // From here on the answer may come from elsewhere.
    this.promise = undefined
    this._comeOutFailed(this._depth - 1, error)
    return outcomeOrPromise(this)
  }

  private _invoke(context: PolicyContext): Promise<T> {
    const { inner, isAmbient } = this._chain
    if (isAmbient) return runAmbient(context as Scope, (given) => (inner === undefined ? this._work(given) : inner(this._work, given)))
    return inner === undefined ? this._work(context) : inner(this._work, context)
  }

  private _workSucceeded(turn: number, value: T): void {
    if (turn !== this._turn) return this._lateEnds?.ended(turn)
    this._turn += 1
    this._comeOut(this._depth - 1, value)
  }

  private _workFailed(turn: number, error: unknown): void {
    if (turn !== this._turn) return this._lateEnds?.ended(turn)
    this._turn += 1
    this._comeOutFailed(this._depth - 1, error)
  }

  private _comeOut(from: number, value: T): void {
    const { stages, passive, judgesResults } = this._chain
    if (judgesResults) return this._comeOutJudged(from, value)
    for (let at = from; at >= 0; at--) {
      if (passive[at]) continue
      this._depth = at
      stages[at]!.succeeded(this as Run<unknown>, at)
      if (this.isSettled) return
    }
    this._stopFollowing?.()
    settle(this, value)
  }

  private _comeOutJudged(from: number, value: T): void {
    this.reading.forget()
    let at = from
    try {
      for (; at >= 0; at--) {
        this._depth = at
        if (this._chain.stages[at]!.judged(this as Run<unknown>, at, value) || this.isSettled) return
      }
    } catch (thrown) {
      return this._comeOutFailed(at - 1, thrown)
    }
    this._stopFollowing?.()
    settle(this, value)
  }

  private _comeOutFailed(from: number, error: unknown): void {
    let failure = error
    this.reading.forget()
    for (let at = from; at >= 0; at--) {
      if (this.isSettled) return
      this._depth = at
      try {
        if (this._chain.stages[at]!.failed(this as Run<unknown>, at, failure)) return
      } catch (thrown) {
        failure = thrown
      }
    }
    this._fail(failure)
  }

  private _fail(error: unknown): void {
    this._stopFollowing?.()
    settleFailed(this, error)
  }

  /** Whoever waits below the stage hears that nobody waits for it, from the inside out. */
  private _leaveBehind(from: number, reason: unknown): void {
    for (let at = this._depth - 1; at >= from; at--) this._chain.stages[at]!.abandoned(this as Run<unknown>, at, reason)
    this._depth = from
    if (this._isWorking) this._turn += 1
    this._scope?.cancel(reason)
  }

  private _follow(): void {
    this._stopFollowing = onCancelled(this.call, (reason) => this.abandonBelow(-1, this._callerGaveUp(), reason))
  }

  private _stopWaiting(): void {
    if (this._chain.canAbandon) return
    this._stopFollowing?.()
    this._stopFollowing = undefined
  }

  private get _isWorking(): boolean {
    return this._turn % 2 === 1
  }

  private _callerGaveUp(): Error {
    return abortedError(this._chain.what, contextOf(this.call).signal)
  }
}
