/** What a policy hands to the work that it guards. */
export interface PolicyContext {
  /** Aborts when the caller gives up or the policy's deadline passes. */
  readonly signal: AbortSignal
  /** When the result is no longer waited for, as `Clock.monotonic()` of the policy's clock; `undefined` when nobody set a limit. */
  readonly deadlineAtMs?: number | undefined
}

/** What a caller hands to a policy. A {@link PolicyContext} fits, so that policies nest. */
export interface PolicyCall {
  /** Ends the work early. @default never aborted */
  readonly signal?: AbortSignal | undefined
  /** When the result is no longer waited for, as `Clock.monotonic()` of the policy's clock. @default no limit */
  readonly deadlineAtMs?: number | undefined
}

/** A way to run work: retried, timed, broken, or as it is. */
export interface Policy {
  /** Runs `work` and passes its result on; `signal` ends it early, in a wait between attempts too. */
  execute<T>(work: (context: PolicyContext) => Promise<T>, call?: PolicyCall): Promise<T>
}
