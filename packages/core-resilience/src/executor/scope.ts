import { AsyncLocalStorage } from 'node:async_hooks'
import type { PolicyCall, PolicyContext } from '@smart-whale/interfaces'

/** What is known of the layers above a call, besides what a {@link PolicyCall} says. */
export interface LayersAbove {
  /** When the outermost one that knows a limit stops waiting. */
  readonly deadlineAtMs?: number | undefined
  /** Which attempt of a retrying layer this call belongs to, the first being 1; 0 or `undefined` when none retries. */
  readonly retryAttempt?: number | undefined
}

/**
 * The context that a policy hands to work. Its `AbortSignal` is made when somebody reads it: most work never does,
 * and making one and linking it to its parent costs more than all policies together.
 */
export class Scope implements PolicyContext, LayersAbove {
  readonly deadlineAtMs: number | undefined
  readonly retryAttempt: number
  /** Whose signal is handed on as it is; undefined for a scope that is cancelled by itself. */
  readonly #handsOn: PolicyCall | undefined
  /** There when somebody asked for it, or gave up: mostly nobody does. */
  #cancellation: Cancellation | undefined = undefined

  constructor(deadlineAtMs: number | undefined, retryAttempt: number, handsOn: PolicyCall | undefined) {
    this.deadlineAtMs = deadlineAtMs
    this.retryAttempt = retryAttempt
    this.#handsOn = handsOn
  }

  get signal(): AbortSignal {
    const handedOn = this.#handsOn?.signal
    if (handedOn !== undefined) return handedOn
    this.#cancellation ??= new Cancellation()
    const { signal } = this.#cancellation
    scopeOfSignal.set(signal, this)
    return signal
  }

  get cancelled(): boolean {
    return this.#cancellation?.isOver === true || isCancelled(this.#handsOn)
  }

  get reason(): unknown {
    return this.#cancellation?.isOver === true ? this.#cancellation.reason : reasonOf(this.#handsOn)
  }

  cancel(reason: unknown): void {
    this.#cancellation ??= new Cancellation()
    this.#cancellation.cancel(reason)
  }

  /** Calls the listener once, when cancelled. The answer takes it off again. */
  onCancel(listener: (reason: unknown) => void): (() => void) | undefined {
    if (this.#handsOn !== undefined) return onCancelled(this.#handsOn, listener)
    this.#cancellation ??= new Cancellation()
    return this.#cancellation.add(listener)
  }
}

/** That a scope is given up: whether and why it was, who is told, and its signal when somebody reads it. */
class Cancellation {
  isOver = false
  reason: unknown = undefined
  #controller: AbortController | undefined = undefined
  #listeners: Set<(reason: unknown) => void> | undefined = undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.isOver) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  cancel(reason: unknown): void {
    if (this.isOver) return
    this.isOver = true
    this.reason = reason
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) for (const listener of listeners) listener(reason)
    this.#controller?.abort(reason)
  }

  add(listener: (reason: unknown) => void): () => void {
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
    return () => this.#listeners?.delete(listener)
  }
}

/** A signal that one of our layers made tells of that layer, also when only the signal is handed on. */
const scopeOfSignal = new WeakMap<AbortSignal, Scope>()

/** A scope that work runs in, and the one around it. */
interface AmbientLayer {
  readonly scope: Scope
  readonly around: AmbientLayer | undefined
  /** What goes on after the work has ended was begun by it and is no part of it: a loop, a timer, a connection that is kept. */
  isOver: boolean
}

const ambient = new AsyncLocalStorage<AmbientLayer | undefined>()
let isAmbientInUse = false

/** Runs work so that calls below know of the scope without being handed it, until the work has ended. */
export function runAmbient<T>(scope: Scope, work: (context: PolicyContext) => Promise<T>): Promise<T> {
  isAmbientInUse = true
  const layer: AmbientLayer = { scope, around: ambientLayer(), isOver: false }
  const end = (): void => {
    layer.isOver = true
  }
  try {
    const answer = ambient.run(layer, work, scope)
    if (typeof (answer as Partial<Promise<T>> | undefined)?.then === 'function') void answer.then(end, end)
    else end()
    return answer
  } catch (error) {
    end()
    throw error
  }
}

/**
 * Begins what goes on by itself (a loop, a timer, a connection that many share), so that it belongs to no call.
 *
 * Otherwise an `ambient` layer lends it its deadline and the number of its attempt, until the call that it was begun in has ended.
 *
 * @example
 * outsideOfCalls(() => void keepAlive())
 */
export function outsideOfCalls<T>(begin: () => T): T {
  return isAmbientInUse ? ambient.run(undefined, begin) : begin()
}

function ambientLayer(): AmbientLayer | undefined {
  let layer = isAmbientInUse ? ambient.getStore() : undefined
  while (layer?.isOver === true) layer = layer.around
  return layer
}

/** The layers above a call: by the context or signal it was handed, or else by the asynchronous context. */
export function layersAbove(call: PolicyCall | undefined): LayersAbove | undefined {
  if (call === undefined) return ambientLayer()?.scope
  if (call instanceof Scope) return call
  const { signal } = call
  const bySignal = signal === undefined ? undefined : scopeOfSignal.get(signal)
  return bySignal ?? ambientLayer()?.scope
}

/** The context for work that runs under the caller's signal and nothing more. */
export function contextOf(call: PolicyCall | undefined): PolicyContext {
  if (call instanceof Scope) return call
  if (call?.signal !== undefined) return call as PolicyContext
  return new Scope(call?.deadlineAtMs, 0, undefined)
}

/** Whether the caller has given up, without making a signal for the question. */
export function isCancelled(call: PolicyCall | undefined): boolean {
  if (call === undefined) return false
  if (call instanceof Scope) return call.cancelled
  return call.signal?.aborted === true
}

/** Why the caller has given up. */
export function reasonOf(call: PolicyCall | undefined): unknown {
  return call instanceof Scope ? call.reason : call?.signal?.reason
}

/** Calls back once when the caller gives up; the answer takes the listener off again. */
export function onCancelled(call: PolicyCall | undefined, listener: (reason: unknown) => void): (() => void) | undefined {
  if (call instanceof Scope) return call.onCancel(listener)
  const signal = call?.signal
  if (signal === undefined) return undefined
  const scope = scopeOfSignal.get(signal)
  if (scope !== undefined) return scope.onCancel(listener)
  const onAbort = (): void => listener(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

/** The earlier of two limits that may be missing. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined) return other
  return other === undefined || one < other ? one : other
}
