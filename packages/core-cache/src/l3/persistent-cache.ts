import type { Invalidation } from '../shared/shared-cache.ts'

/** What a layer keeps for a key. */
export interface PersistentEntry {
  /** Text of the cache's own; the layer doesn't look into it. */
  readonly payload: string
  /** Milliseconds since the epoch; `null` for until it is evicted. */
  readonly expiresAtMs: number | null
  /** What it may be removed by, besides its key. */
  readonly tags: readonly string[]
}

/** How far a layer has followed: everything that was invalidated up to this number of this run has been removed from it. */
export interface PersistentMark {
  /** Empty where no processes share a layer. */
  readonly run: string
  readonly followed: number
  /** The mark of that invalidation: by it, a server that has lost it, and numbers others like it, is noticed. */
  readonly mark: string
}

/** What a round of cleaning has done. */
export interface CleanupReport {
  /** Entries whose life was over. */
  readonly expired: number
  /** Entries that had to make room. */
  readonly evicted: number
  /** What it holds now. */
  readonly entries: number
  readonly bytes: number
}

/** Something that happened to a layer which nobody has asked for. */
export type PersistentEvent =
  /** What was there could not be used: it was moved aside, and the layer begins empty. */
  | { readonly kind: 'rebuilt'; readonly reason: 'corrupt' | 'foreign'; readonly movedTo: string }
  /** An entry was not what had been written; it is gone. */
  | { readonly kind: 'damaged'; readonly key: string }
  /** What carries the layer ended by itself; it is started again when it is next opened. */
  | { readonly kind: 'lost'; readonly message: string }

/** Told of what happens to a layer. */
export type PersistentListener = (event: PersistentEvent) => void

/**
 * The layer of one node that survives its restart; one process at a time has it. Any request may fail, or be carried out without an answer. What a caller may rest on:
 *
 * - Requests take effect in the order in which they were made: a read that is asked for after a removal doesn't see what that removes, answered or not.
 * - A removal that was answered holds after a crash of the process; without a run in its mark, also of the machine. A write may be lost by one.
 * - A write or removal and its mark become durable together. After a removal that failed, everything is refused until the layer is opened again.
 */
export interface PersistentCache {
  /** Takes the layer into use, or asks whether it still works; its mark. May be called again at any time. */
  open(listener: PersistentListener): Promise<PersistentMark>
  /** Stores what is still to be stored, and leaves nothing running. */
  close(): Promise<void>
  read(key: string): Promise<PersistentEntry | undefined>
  /** Takes the place of what is there; whether it was kept. */
  write(key: string, entry: PersistentEntry, mark: PersistentMark): Promise<boolean>
  /** How many living entries were removed by their key. */
  remove(invalidation: Invalidation, mark: PersistentMark): Promise<number>
  /** Keys after a key in the layer's own order, at most so many; none when there are no more. */
  keysAfter(key: string | undefined, limit: number): Promise<readonly string[]>
  /** Removes what has expired, and makes room. */
  cleanup(): Promise<CleanupReport>
}

/** For a layer that is alone. */
export const NO_MARK: PersistentMark = { run: '', followed: 0, mark: '' }
