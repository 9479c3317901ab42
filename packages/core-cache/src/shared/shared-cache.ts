/** Something that is no longer to be answered with. `'all'` is every entry. */
export interface Invalidation {
  readonly keys?: readonly string[]
  readonly tags?: readonly string[]
  /** Globs. */
  readonly patterns?: readonly string[]
  readonly all?: boolean
}

/** An invalidation as it was recorded. */
export interface RecordedInvalidation {
  readonly run: string
  readonly number: number
  /** Tells it from another of that number: a server that lost the last ones gives their numbers away again. */
  readonly mark: string
  /** The node that asked for it, and wants to know who has followed. */
  readonly origin: string
  readonly invalidation: Invalidation
}

/** What a node says when it renews its lease. */
export interface Renewal {
  readonly node: string
  /** The run that it knows; empty at first. */
  readonly run: string
  /** The newest invalidation that it has followed, with all before it. */
  readonly followed: number
  /** The mark of that one; empty for none. */
  readonly mark: string
  /** Nodes that wait to hear of it. */
  readonly tell: readonly string[]
}

/** What it hears. */
export interface RenewalReply {
  readonly run: string
  readonly newest: number
  /** The mark of the newest; empty for none. */
  readonly mark: string
  /** Everything that is missing between; `undefined` when that isn't known, and everything has to be forgotten. */
  readonly missed: readonly RecordedInvalidation[] | undefined
}

/** A node of the coordination. */
export interface RegisteredNode {
  readonly node: string
  readonly followed: number
  /** Changes with each renewal. */
  readonly renewals: number
}

/** What became of a request to record. */
export interface RecordReply {
  readonly run: string
  readonly number: number
  readonly nodes: readonly RegisteredNode[]
  /** Whether nodes of an earlier run may hold leases that nobody knows of. */
  readonly isYoung: boolean
}

/** What became of a request for a key's load token. */
export type ClaimReply =
  /** It is the asker's: load. */
  | { readonly kind: 'granted' }
  /** Somebody has stored a value that the asker hasn't seen. */
  | { readonly kind: 'value'; readonly payload: string }
  /** Somebody loads. */
  | { readonly kind: 'busy'; readonly holder: string; readonly leftMs: number }
  /** That somebody's loader failed a moment ago. */
  | { readonly kind: 'failed'; readonly holder: string; readonly failure: string }

/** Told of what others did; any message may be lost. */
export interface SharedListener {
  onInvalidation(recorded: RecordedInvalidation): void
  /** A node has followed up to a number. */
  onFollowed(node: string, run: string, followed: number): void
  /** A key that somebody waited for is settled: stored, failed or given up. */
  onSettled(key: string): void
  /** The line to the server broke. Who answers on the next one may be another server, without the last writes: nothing that it says counts before a renewal. */
  onBroken(): void
}

/** A request for a key's token. */
export interface ClaimRequest {
  readonly key: string
  readonly token: string
  readonly lifeMs: number
  /** Token of the value that the asker has found unusable; empty for none. */
  readonly unusable: string
  /** The load that the asker has been waiting for; only its failure is told. */
  readonly waitedFor: string
}

/** The layer that processes share. Each method is one atomic step at the server; any may fail, or be carried out without an answer. */
export interface SharedCache {
  connect(listener: SharedListener): Promise<void>
  disconnect(): Promise<void>
  /** Drops what connections there are and dials again: the server doesn't answer on them. */
  redial(): void
  read(key: string): Promise<string | undefined>
  /** The run, and the newest invalidation of each tag; 0 for none. */
  tagNumbers(tags: readonly string[]): Promise<{ readonly run: string; readonly numbers: readonly number[] }>
  claim(request: ClaimRequest): Promise<ClaimReply>
  prolong(key: string, token: string, lifeMs: number): Promise<boolean>
  /** Stores the value and ends the token; `false` when the token is no longer there. */
  fill(key: string, token: string, payload: string, lifeMs: number): Promise<boolean>
  /** Ends the token, and leaves a failure in its place for a moment if there is one. */
  giveUp(key: string, token: string, failure: string | undefined, failureMs: number): Promise<void>
  /** Deletes values and tokens. */
  remove(keys: readonly string[]): Promise<void>
  removeMatching(pattern: string): Promise<void>
  renew(renewal: Renewal): Promise<RenewalReply>
  record(origin: string, invalidation: Invalidation): Promise<RecordReply>
  /** Takes nodes off the register that haven't renewed since they were seen. */
  strike(run: string, nodes: readonly RegisteredNode[]): Promise<void>
}
