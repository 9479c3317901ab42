/** How far a run is for its caller. */
export type Phase = typeof STARTING | typeof HANDED_OUT | typeof SETTLED
/** The caller has no promise yet. */
export const STARTING = 0
/** The caller has his promise, and listens. */
export const HANDED_OUT = 1
/** Nobody waits for it any more. */
export const SETTLED = 2

/**
 * How a run ends for its caller: by a promise of its own, or by what the work's own promise becomes, which spares one.
 * The run itself has these fields, for {@link settle} and the functions beside it alone: an object more for each call would be felt.
 */
export interface Settling<T> {
  phase: Phase
  /** What the caller is handed, once it is known. */
  promise: Promise<T> | undefined
  /** Of a promise of its own. */
  resolve: ((value: T | PromiseLike<T>) => void) | undefined
  reject: ((reason: unknown) => void) | undefined
  /** How it ended, for a promise that is made afterwards. */
  outcome: { readonly value: T } | { readonly error: unknown } | undefined
}

/** Whether nothing but the work has to do with how it ends, so far. */
export function maySpareAPromise<T>(run: Settling<T>): boolean {
  return run.phase === STARTING && run.promise === undefined
}

/** What the caller is handed. From now on he listens. */
export function handOut<T>(run: Settling<T>): Promise<T> {
  if (run.phase === STARTING) run.phase = HANDED_OUT
  return run.promise ?? makePromise(run)
}

/** Gives the run a promise of its own. */
export function makePromise<T>(run: Settling<T>): Promise<T> {
  const { outcome } = run
  const promise = new Promise<T>((resolve, reject) => {
    run.resolve = resolve
    run.reject = reject
  })
  run.promise = promise
  if (outcome === undefined) return promise
  if ('error' in outcome) rejectLater(run, outcome.error)
  else run.resolve?.(outcome.value)
  return promise
}

/** For what is made of the work's own promise after a failure: throws what it ended with, or answers with what it will end with. */
export function outcomeOrPromise<T>(run: Settling<T>): Promise<T> {
  const { outcome } = run
  if (outcome !== undefined && 'error' in outcome) throw outcome.error
  return makePromise(run)
}

/** It ends with a value. */
export function settle<T>(run: Settling<T>, value: T): void {
  run.phase = SETTLED
  if (run.resolve !== undefined) run.resolve(value)
  else if (run.promise === undefined) run.outcome = { value }
}

/** It ends with a failure, unless it has ended already. */
export function settleFailed<T>(run: Settling<T>, error: unknown): void {
  const { phase } = run
  if (phase === SETTLED) return
  run.phase = SETTLED
  if (run.reject === undefined) run.outcome = { error }
  else if (phase === STARTING) rejectLater(run, error)
  else run.reject(error)
}

/** A promise that is rejected before its owner could listen goes through Node's watch for unhandled rejections twice: ten times the cost of a refusal. */
function rejectLater<T>(run: Settling<T>, error: unknown): void {
  void RESOLVED.then(() => run.reject?.(error))
}

const RESOLVED = Promise.resolve()
