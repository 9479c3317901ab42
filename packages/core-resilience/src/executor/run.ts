import { abortedError, type Clock, type PolicyCall, type PolicyContext } from '@smart-whale/interfaces'
import type { Chain } from './chain.ts'
import { contextOf, isCancelled, layersAbove, onCancelled, reasonOf, runAmbient, Scope } from './scope.ts'
import { WAITING } from './stage.ts'

/** Work as a policy is handed it. */
export type Work<T> = (context: PolicyContext) => Promise<T>

/**
 * One execution of a chain of stages: goes in through every stage, calls the work, and comes out through them. Each step is a
 * plain call; nothing is allocated for a stage that has nothing to note. A stage may stop it on the way (a wait, a further
 * attempt, another answer) and set it going again where it stands.
 */
export class Run<T> {
  readonly promise: Promise<T>
  readonly call: PolicyCall | undefined
  /** What stages note about this run, each at its own place. */
  readonly slots: unknown[] = []
  /** When this run is given up at the latest, as seen from where it stands; stages lower it on the way in. */
  deadlineAtMs: number | undefined
  /** Which attempt of a retrying layer, above or within the chain, this is; 0 for none. */
  retryAttempt: number
  readonly #chain: Chain
  readonly #work: Work<T>
  #resolve: (value: T) => void
  #reject: (reason: unknown) => void
  /** Stages that the run is in. */
  #depth = 0
  /** Grows when what is under way no longer counts: late answers are told apart by it. */
  #turn = 0
  #isWorking = false
  #isSettled = false
  #scope: Scope | undefined = undefined
  #stopFollowing: (() => void) | undefined = undefined
  #lateEnds: { readonly turn: number; readonly end: () => void }[] | undefined = undefined
  #clock: Clock | undefined = undefined
  #nowMs = 0

  constructor(chain: Chain, work: Work<T>, call: PolicyCall | undefined) {
    this.#chain = chain
    this.#work = work
    this.call = call
    const above = layersAbove(call)
    this.deadlineAtMs = earlier(call?.deadlineAtMs, above?.deadlineAtMs)
    this.retryAttempt = above?.retryAttempt ?? 0
    this.promise = new Promise<T>(takeSettlers as never)
    this.#resolve = resolveTaken
    this.#reject = rejectTaken
  }

  /** Whether the caller has given up. */
  get isCancelled(): boolean {
    return isCancelled(this.call)
  }

  /** Why the caller has given up. */
  get cancelReason(): unknown {
    return reasonOf(this.call)
  }

  /** The time, read once for all stages that are passed in one go. */
  nowOn(clock: Clock): number {
    if (this.#clock !== clock) {
      this.#clock = clock
      this.#nowMs = clock.monotonic()
    }
    return this.#nowMs
  }

  start(): void {
    if (this.call !== undefined) {
      if (this.isCancelled) return this.#settleFailed(this.#callerGaveUp())
      if (this.#chain.canAbandon) this.#follow()
    }
    this.#goIn(0)
  }

  /** The stage that let the run wait lets it in. */
  goOn(at: number): void {
    this.#stopWaiting()
    this.#clock = undefined
    this.#depth = at + 1
    this.#goIn(at + 1)
  }

  /** The stage that let the run wait, or that went on by itself after a failure, gives up. */
  refuse(at: number, error: unknown): void {
    this.#stopWaiting()
    this.#comeOutFailed(at - 1, error)
  }

  /** What is below the stage runs once more. */
  again(at: number): void {
    this.goOn(at)
  }

  /** The stage has another answer for what failed below it. */
  answer(at: number, value: unknown): void {
    this.#stopWaiting()
    this.#comeOut(at - 1, value as T)
  }

  /** A stage that waits for something else than the work: the caller's giving up must reach it. */
  waitAt(at: number): void {
    this.#depth = at + 1
    if (this.#stopFollowing === undefined) this.#follow()
  }

  /** Gives up what is below the stage, whether its work takes notice or not. */
  abandonBelow(at: number, error: unknown, reason: unknown = error): void {
    this.#leaveBehind(at + 1, reason)
    this.#comeOutFailed(at, error)
  }

  /** Whether nobody waits for it any more, which a listener may have brought about. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Calls back when the work that goes on though nobody waits for it has ended; `false` when there is none. */
  whenLateWorkEnds(end: () => void): boolean {
    if (!this.#isWorking) return false
    this.#lateEnds ??= []
    this.#lateEnds.push({ turn: this.#turn, end })
    return true
  }

  /** The context for what a stage does in place of the work. */
  contextHere(): PolicyContext {
    return this.#openScope()
  }

  #goIn(from: number): void {
    const { stages } = this.#chain
    let at = from
    try {
      for (; at < stages.length; at++) {
        if (stages[at]!.enter(this as Run<unknown>, at) === WAITING) return this.waitAt(at)
        // A listener that heard of it may have made the caller give up.
        if (this.#isSettled) return stages[at]!.abandoned(this as Run<unknown>, at, this.cancelReason)
        this.#depth = at + 1
      }
    } catch (refusal) {
      return this.#comeOutFailed(at - 1, refusal)
    }
    this.#callWork()
  }

  #callWork(): void {
    const turn = this.#turn
    // What happens from here on happens at another time.
    this.#clock = undefined
    this.#isWorking = true
    let answer: Promise<T>
    try {
      answer = this.#invoke(this.#openScope())
    } catch (error) {
      this.#isWorking = false
      return this.#comeOutFailed(this.#depth - 1, error)
    }
    if (typeof (answer as Partial<Promise<T>> | undefined)?.then !== 'function') return this.#workSucceeded(turn, answer as T)
    answer.then(
      (value) => this.#workSucceeded(turn, value),
      (error: unknown) => this.#workFailed(turn, error),
    )
  }

  #invoke(context: PolicyContext): Promise<T> {
    const { inner, isAmbient } = this.#chain
    if (isAmbient) return runAmbient(context as Scope, (given) => (inner === undefined ? this.#work(given) : inner(this.#work, given)))
    return inner === undefined ? this.#work(context) : inner(this.#work, context)
  }

  #openScope(): PolicyContext {
    const { call } = this
    if (!this.#chain.canAbandon && !this.#chain.retries) return contextOf(call)
    const handsOn = this.#chain.canAbandon ? undefined : call
    this.#scope = new Scope(this.deadlineAtMs, this.retryAttempt, handsOn)
    return this.#scope
  }

  #workSucceeded(turn: number, value: T): void {
    if (turn !== this.#turn) return this.#workEndedLate(turn)
    this.#isWorking = false
    this.#comeOut(this.#depth - 1, value)
  }

  #workFailed(turn: number, error: unknown): void {
    if (turn !== this.#turn) return this.#workEndedLate(turn)
    this.#isWorking = false
    this.#comeOutFailed(this.#depth - 1, error)
  }

  #workEndedLate(turn: number): void {
    const ends = this.#lateEnds?.filter((late) => late.turn === turn)
    this.#lateEnds = this.#lateEnds?.filter((late) => late.turn !== turn)
    ends?.forEach(({ end }) => end())
  }

  #comeOut(from: number, value: T): void {
    const { stages } = this.#chain
    for (let at = from; at >= 0; at--) {
      this.#depth = at
      stages[at]!.succeeded(this as Run<unknown>, at)
      if (this.#isSettled) return
    }
    this.#isSettled = true
    this.#stopFollowing?.()
    this.#resolve(value)
  }

  #comeOutFailed(from: number, error: unknown): void {
    const { stages } = this.#chain
    this.#clock = undefined
    for (let at = from; at >= 0; at--) {
      if (this.#isSettled) return
      this.#depth = at
      if (stages[at]!.failed(this as Run<unknown>, at, error)) return
    }
    this.#settleFailed(error)
  }

  /** Whoever waits below the stage hears that nobody waits for it, from the inside out. */
  #leaveBehind(from: number, reason: unknown): void {
    const { stages } = this.#chain
    for (let at = this.#depth - 1; at >= from; at--) stages[at]!.abandoned(this as Run<unknown>, at, reason)
    this.#depth = from
    this.#turn += 1
    this.#isWorking = false
    this.#scope?.cancel(reason)
  }

  #follow(): void {
    this.#stopFollowing = onCancelled(this.call, (reason) => this.abandonBelow(-1, this.#callerGaveUp(), reason))
  }

  #stopWaiting(): void {
    if (this.#chain.canAbandon) return
    this.#stopFollowing?.()
    this.#stopFollowing = undefined
  }

  #callerGaveUp(): Error {
    return abortedError(this.#chain.what, contextOf(this.call).signal)
  }

  #settleFailed(error: unknown): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#stopFollowing?.()
    this.#reject(error)
  }
}

let resolveTaken: (value: unknown) => void
let rejectTaken: (reason: unknown) => void

/** One function for all promises, in place of a closure for each. */
function takeSettlers(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
  resolveTaken = resolve
  rejectTaken = reject
}

/** The earlier of two limits that may be missing. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined) return other
  return other === undefined || one < other ? one : other
}
