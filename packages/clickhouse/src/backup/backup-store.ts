import type { CallOptions } from '@smart-whale/interfaces'

/** A file in a {@link BackupStore}. */
export interface StoredFile {
  /** Path from the store's root, with `/` between its parts. */
  readonly name: string
  readonly bytes: number
}

/**
 * Where backups lie: the few things that a folder and a bucket can both do. `folderStore` is the one for folders; over an S3 client it is
 * a list, a get, a put and a delete. Nobody waits for a call longer than its time, whatever becomes of it; its signal says when nobody does any more.
 */
export interface BackupStore {
  /** Every file whose name begins so, in any order. */
  list(prefix: string, call?: CallOptions): Promise<StoredFile[]>
  /** A file's bytes, with bounded memory. @throws when there is none of that name */
  read(name: string, call?: CallOptions): AsyncIterable<Uint8Array>
  /** Stores a file whole or not at all, in place of one that has the name already. */
  write(name: string, chunks: AsyncIterable<Uint8Array>, call?: CallOptions): Promise<void>
  /** Removes every file whose name begins so; none is no failure. */
  remove(prefix: string, call?: CallOptions): Promise<void>
}
