import type { Invalidation } from '../../shared/shared-cache.ts'
import type { PersistentEntry, PersistentEvent, PersistentMark } from '../persistent-cache.ts'

/** What a thread is told when it starts. */
export interface FileSettings {
  /** Where the file is, from the root. @default see `FileLayerOptions` */
  readonly path: string
  /** What its entries may take, in bytes. @default see `FileLayerOptions` */
  readonly maxBytes: number
  /** Entries that it holds at most. @default see `FileLayerOptions` */
  readonly maxEntries: number
  /** How long written entries may wait for others to be stored with, in milliseconds. @default see `FileLayerOptions` */
  readonly commitEveryMs: number
}

/** What the thread is asked for. */
export type FileRequest =
  | { readonly kind: 'open' }
  | { readonly kind: 'read'; readonly key: string; readonly nowMs: number }
  | { readonly kind: 'write'; readonly key: string; readonly entry: PersistentEntry; readonly mark: PersistentMark; readonly nowMs: number }
  | { readonly kind: 'remove'; readonly invalidation: Invalidation; readonly mark: PersistentMark; readonly nowMs: number }
  | { readonly kind: 'keys'; readonly after: string | undefined; readonly limit: number; readonly nowMs: number }
  | { readonly kind: 'cleanup'; readonly nowMs: number }
  | { readonly kind: 'close' }

/** A request on its way. */
export interface NumberedRequest {
  readonly id: number
  readonly request: FileRequest
}

/** Why a request failed, as far as its sender has to know. */
export interface FileFailure {
  readonly message: string
  /** SQLite's own number; `undefined` for what isn't SQLite's. */
  readonly sqliteCode: number | undefined
  /** Whether this Node has no `node:sqlite`. */
  readonly isUnsupported: boolean
}

/** What comes back. */
export type FileReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: FileFailure }
  | { readonly event: PersistentEvent }
