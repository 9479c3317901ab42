/** How a run ends for its caller: by a promise of its own, or by what the work's own promise becomes, which spares one. */
export class Settlement<T> {
  /** Whether nobody waits for it any more, which a listener may have brought about. */
  isSettled = false
  /** What the work's own promise becomes once all stages have been passed. */
  derived: Promise<T> | undefined = undefined
  private _promise: Promise<T> | undefined = undefined
  private _resolve: ((value: T | PromiseLike<T>) => void) | undefined = undefined
  private _reject: ((reason: unknown) => void) | undefined = undefined
  /** How it ended, for a promise that is made afterwards. */
  private _outcome: { readonly value: T } | { readonly error: unknown } | undefined = undefined
  private _isStarting = true

  /** Whether nothing but the work has to do with how it ends, so far. */
  get maySpareAPromise(): boolean {
    return this._isStarting && this._promise === undefined
  }

  /** What the caller is handed. From now on he listens. */
  handOut(): Promise<T> {
    this._isStarting = false
    return this.derived ?? this._promise ?? this.makePromise()
  }

  makePromise(): Promise<T> {
    this._promise = new Promise<T>((resolve, reject) => {
      this._resolve = resolve
      this._reject = reject
      const outcome = this._outcome
      if (outcome === undefined) return
      if ('error' in outcome) this._rejectLater(outcome.error)
      else resolve(outcome.value)
    })
    return this._promise
  }

  /** For what is made of the work's own promise after a failure: throws what it ended with, or answers with what it will end with. */
  outcomeOrPromise(): Promise<T> {
    if (this._outcome !== undefined && 'error' in this._outcome) throw this._outcome.error
    return this.makePromise()
  }

  settle(value: T): void {
    this.isSettled = true
    if (this._resolve !== undefined) this._resolve(value)
    else if (this.derived === undefined) this._outcome = { value }
  }

  settleFailed(error: unknown): void {
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
