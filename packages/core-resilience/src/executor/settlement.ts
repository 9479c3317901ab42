/** How a run ends for its caller: by a promise of its own, or by what the work's own promise becomes, which spares one. */
export abstract class Settlement<T> {
  /** Whether nobody waits for it any more, which a listener may have brought about. */
  isSettled = false
  /** What the work's own promise becomes once all stages have been passed. */
  protected derived: Promise<T> | undefined = undefined
  private _promise: Promise<T> | undefined = undefined
  private _resolve: ((value: T) => void) | undefined = undefined
  private _reject: ((reason: unknown) => void) | undefined = undefined
  /** How it ended, for a promise that is made afterwards. */
  private _outcome: { readonly value: T } | { readonly error: unknown } | undefined = undefined
  private _isStarting = true

  /** Whether nothing but the work has to do with how it ends, so far. */
  protected get maySpareAPromise(): boolean {
    return this._isStarting && this._promise === undefined
  }

  /** What the caller is handed. From now on he listens. */
  protected handOut(): Promise<T> {
    this._isStarting = false
    return this.derived ?? this._promise ?? this.makePromise()
  }

  protected makePromise(): Promise<T> {
    this._promise = new Promise<T>(takeSettlers as never)
    this._resolve = resolveTaken
    this._reject = rejectTaken
    const outcome = this._outcome
    if (outcome !== undefined && 'error' in outcome) this._rejectLater(outcome.error)
    else if (outcome !== undefined) this._resolve(outcome.value)
    return this._promise
  }

  /** For what is made of the work's own promise after a failure: throws what it ended with, or answers with what it will end with. */
  protected outcomeOrPromise(): Promise<T> {
    if (this._outcome !== undefined && 'error' in this._outcome) throw this._outcome.error
    return this.makePromise()
  }

  protected settle(value: T): void {
    this.isSettled = true
    if (this._resolve !== undefined) this._resolve(value)
    else if (this.derived === undefined) this._outcome = { value }
  }

  protected settleFailed(error: unknown): void {
    if (this.isSettled) return
    this.isSettled = true
    if (this._reject === undefined) this._outcome = { error }
    else if (this._isStarting) this._rejectLater(error)
    else this._reject(error)
  }

  /** A promise that is rejected before its owner could listen goes through Node's watch for unhandled rejections twice: ten times the cost of a refusal. */
  private _rejectLater(error: unknown): void {
    void RESOLVED.then(() => this._reject?.(error))
  }
}

const RESOLVED = Promise.resolve()

let resolveTaken: (value: unknown) => void
let rejectTaken: (reason: unknown) => void

/** One function for all promises, in place of a closure for each. */
function takeSettlers(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
  resolveTaken = resolve
  rejectTaken = reject
}
