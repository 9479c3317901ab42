import type { AuditEntry, ChainHead, FoundEntry } from './audit-chain.ts'

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
