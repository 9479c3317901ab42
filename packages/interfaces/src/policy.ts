/** What a policy hands to the work that it guards. */
export interface PolicyContext {
  /** Aborts when the caller gives up or the policy's deadline passes. */
  readonly signal: AbortSignal
}

/** A way to run work: retried, timed, broken, or as it is. */
export interface Policy {
  /** Runs `work` and passes its result on; `signal` ends it early, in a wait between attempts too. */
  execute<T>(work: (context: PolicyContext) => Promise<T>, options?: { signal?: AbortSignal | undefined }): Promise<T>
}
