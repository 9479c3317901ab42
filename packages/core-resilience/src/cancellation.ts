import type { PolicyCall, PolicyContext } from '@smart-whale/interfaces'

/**
 * The context that a policy hands down. Its `AbortSignal` is made when somebody reads it: most work never does,
 * and making one and linking it to its parent costs more than the policy itself.
 */
export class Cancellation implements PolicyContext {
  readonly deadlineAtMs: number | undefined
  #controller: AbortController | undefined
  #cancelled = false
  #reason: unknown
  #listeners: Set<(reason: unknown) => void> | undefined

  constructor(deadlineAtMs?: number) {
    this.deadlineAtMs = deadlineAtMs
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#cancelled) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get cancelled(): boolean {
    return this.#cancelled
  }

  get reason(): unknown {
    return this.#reason
  }

  cancel(reason: unknown): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#reason = reason
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) for (const listener of listeners) listener(reason)
    this.#controller?.abort(reason)
  }

  /** Calls the listener once, when cancelled. The answer takes it off again. */
  onCancel(listener: (reason: unknown) => void): () => void {
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
    return () => this.#listeners?.delete(listener)
  }
}

/** The context for work that runs under the caller's signal and nothing more. */
export function contextOf(call: PolicyCall | undefined): PolicyContext {
  if (call instanceof Cancellation) return call
  if (call?.signal !== undefined) return call as PolicyContext
  return new Cancellation(call?.deadlineAtMs)
}

/** Whether the caller has given up, without making a signal for the question. */
export function isCancelled(call: PolicyCall | undefined): boolean {
  if (call instanceof Cancellation) return call.cancelled
  return call?.signal?.aborted === true
}

/** Why the caller has given up. */
export function reasonOf(call: PolicyCall | undefined): unknown {
  return call instanceof Cancellation ? call.reason : call?.signal?.reason
}

/** Calls back once when the caller gives up; the answer takes the listener off again. */
export function onCancelled(call: PolicyCall | undefined, listener: (reason: unknown) => void): (() => void) | undefined {
  if (call instanceof Cancellation) return call.onCancel(listener)
  const signal = call?.signal
  if (signal === undefined) return undefined
  const onAbort = (): void => listener(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}
