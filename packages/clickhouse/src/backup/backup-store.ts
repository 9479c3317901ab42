/** A file in a {@link BackupStore}. */
export interface StoredFile {
  /** Path from the store's root, with `/` between its parts. */
  readonly name: string
  readonly bytes: number
}

/**
 * Where backups lie: the few things that a folder and a bucket can both do. `folderStore` is the one for folders; over an S3 client it is
 * a list, a get, a put and a delete.
 */
export interface BackupStore {
  /** Every file whose name begins so, in any order. */
  list(prefix: string): Promise<StoredFile[]>
  /** A file's bytes, with bounded memory. @throws when there is none of that name */
  read(name: string): AsyncIterable<Uint8Array>
  /** Stores a file whole or not at all, in place of one that has the name already. */
  write(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void>
  /** Removes every file whose name begins so; none is no failure. */
  remove(prefix: string): Promise<void>
}
