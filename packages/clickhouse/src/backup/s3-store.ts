import { createHash } from 'node:crypto'
import type { CallOptions } from '@smart-whale/interfaces'
import type { BackupStore, StoredFile } from './backup-store.ts'
import { boundedStore } from './bounded-store.ts'
import { readPage, renderRemoval, requireNoError, unreadable } from './s3-store-answers.ts'
import { checkS3Options, keyOf, type S3Settings, type S3StoreOptions } from './s3-store-options.ts'
import { readObject } from './s3-store-read.ts'
import { S3Requests } from './s3-store-requests.ts'
import { upload } from './s3-store-upload.ts'

export type { BackupStore, StoredFile } from './backup-store.ts'
export type { S3StoreOptions } from './s3-store-options.ts'

/** How many objects S3 lists, and removes, at once. */
const PAGE = 1000

/** A call that says nothing else: each of its requests ends far sooner. */
const DAY_MS = 86_400_000

/**
 * Keeps backups in a bucket of S3, or of what speaks its protocol. Needs the package `aws4fetch`. A file appears when all of it is there; what is sent is signed with its
 * hash. A process that is killed in the middle of a large file leaves parts that the bucket keeps: a rule of the bucket (`AbortIncompleteMultipartUpload`) removes them.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` for an option that is wrong. Calls of the store: BackupError `ERR_CLICKHOUSE_BACKUP_STORE`, `_NOT_FOUND`;
 *   TimeoutError; ConfigurationError `ERR_CLICKHOUSE_MISSING_PEER`
 */
export function s3Store(options: S3StoreOptions): BackupStore {
  const settings = checkS3Options(options)
  return boundedStore(new BucketStore(settings), DAY_MS, settings.clock)
}

class BucketStore implements BackupStore {
  readonly #settings: S3Settings
  readonly #requests: S3Requests

  constructor(settings: S3Settings) {
    this.#settings = settings
    this.#requests = new S3Requests(settings)
  }

  async list(prefix: string, call: CallOptions = {}): Promise<StoredFile[]> {
    const files = await this.#objects(prefix, `list "${prefix}"`, call)
    // What ends in a slash is a folder that a console drew.
    return files.filter(({ name }) => !name.endsWith('/')).map(({ name, bytes }) => ({ name: name.slice(this.#settings.prefix.length), bytes }))
  }

  read(name: string, call: CallOptions = {}): AsyncIterable<Uint8Array> {
    return readObject(this.#requests, { key: keyOf(this.#settings, name), what: `read "${name}"`, maxAttempts: this.#settings.maxAttempts, signal: this.#signalOf(call) })
  }

  async write(name: string, chunks: AsyncIterable<Uint8Array>, call: CallOptions = {}): Promise<void> {
    await upload(this.#requests, { key: keyOf(this.#settings, name), what: `write "${name}"`, chunks, partBytes: this.#settings.partBytes, signal: this.#signalOf(call) })
  }

  async remove(prefix: string, call: CallOptions = {}): Promise<void> {
    const what = `remove "${prefix}"`
    const objects = await this.#objects(prefix, what, call)
    for (let from = 0; from < objects.length; from += PAGE) {
      const body = Buffer.from(renderRemoval(objects.slice(from, from + PAGE).map(({ name }) => name)))
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      await this.#requests.ask({ method: 'POST', what, query: { delete: '' }, headers, body }, this.#signalOf(call), ({ text }) => requireNoError(text, what))
    }
  }

  /** Every object whose key begins so, by its key. */
  async #objects(prefix: string, what: string, call: CallOptions): Promise<StoredFile[]> {
    const common = { 'list-type': '2', 'max-keys': String(PAGE), prefix: keyOf(this.#settings, prefix) }
    const found: StoredFile[] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const query: Record<string, string> = next === '' ? common : { ...common, 'continuation-token': next }
      const page = await this.#requests.ask({ method: 'GET', what, query }, this.#signalOf(call), ({ text }) => readPage(text, what))
      if (page.next === next || page.next === '') throw unreadable(what, 'the list of objects does not go on')
      found.push(...page.files)
      next = page.next
    }
    return found
  }

  #signalOf({ signal }: CallOptions): AbortSignal | undefined {
    const both = [signal, this.#settings.signal].filter((each) => each !== undefined)
    return both.length > 1 ? AbortSignal.any(both) : both[0]
  }
}
