import type { PolicyCall, PolicyContext } from '@smart-whale/interfaces'

/** A policy that looks at what the work answers, and is for work that answers with an `R`; `F` is what it may answer in its place. One for any work is a `Policy`. */
export interface ResultPolicy<R, F = never> {
  /** Runs `work` and passes its result on; `signal` ends it early, in a wait between attempts too. */
  execute<T extends R>(work: (context: PolicyContext) => Promise<T>, call?: PolicyCall): Promise<T | F>
}
