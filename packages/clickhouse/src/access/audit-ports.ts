import type { AuditEvent } from '@smart-whale/interfaces'

// Shapes of the audit log of `@smart-whale/core-security`, said once more: who doesn't have that package must still be able to compile against this one.

/** An event in its place: what came before it is part of its hash. */
export interface AuditEntry extends AuditEvent {
  /** Counts from 1, without a gap. */
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly at: string
  /** Hash of the entry before. */
  readonly previous: string
  /** Over all of the above. */
  readonly hash: string
}

/** Where a chain stands: sequence and hash of its last entry. */
export interface ChainHead {
  readonly sequence: number
  readonly hash: string
}

/** What the verification of a log found. */
export interface AuditVerification {
  readonly entries: number
  readonly head: ChainHead
  /** What was changed, removed, added or cut off, and at which line; none when the log is sound. */
  readonly faults: readonly { readonly line: number; readonly what: string }[]
}

/** Where a chain of audit entries is kept. */
export interface AuditStore {
  /** Where the chain stands; asked once, before the first entry is added. */
  open(): Promise<ChainHead>
  /** Keeps entries, in order, before it resolves. */
  append(entries: readonly AuditEntry[]): Promise<void>
  /** All entries, in order; `broken` says why something there is none. */
  read(): AsyncIterable<AuditEntry | { readonly broken: string }>
  close(): Promise<void>
}
