import type { AuditEvent } from './security.ts'

/** An event in its place: what came before it is part of its hash. */
export interface AuditEntry extends AuditEvent {
  /** Counts from 1, without a gap. */
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly at: string
  /** Hash of the entry before; 64 zeros for the first one. */
  readonly previous: string
  /** Over all of the above. */
  readonly hash: string
}

/** Where a chain stands: sequence and hash of its last entry. */
export interface ChainHead {
  readonly sequence: number
  readonly hash: string
}

/** What is wrong with a log, and where. */
export interface AuditFault {
  /** Line in the file, or place in the table, counted from 1. */
  readonly line: number
  readonly what: string
}

/** What the verification of a log found. */
export interface AuditVerification {
  readonly entries: number
  /** Of the last entry; keep it elsewhere, and a later verification finds that the log was cut before it. */
  readonly head: ChainHead
  /** None: nothing was changed, removed, added or cut off. */
  readonly faults: readonly AuditFault[]
}

/** What an entry stands for that is none: a broken line. */
export type FoundEntry = AuditEntry | { readonly broken: string }

/** Where a chain of audit entries is kept. */
export interface AuditStore {
  /** Where the chain stands; asked once, before the first entry is added. */
  open(): Promise<ChainHead>
  /** Keeps entries, in order, before it resolves: whoever waits may rely on them. */
  append(entries: readonly AuditEntry[]): Promise<void>
  /** All entries, in order. */
  read(): AsyncIterable<FoundEntry>
  /** A place that the chain has been at, as far as the store knows by other means than the entries. */
  knownHead?(): Promise<ChainHead | undefined>
  close(): Promise<void>
}
