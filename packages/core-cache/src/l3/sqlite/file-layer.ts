import { isBuiltin } from 'node:module'
import { extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { withDeadline } from '@smart-whale/core-resilience'
import { type Clock, systemClock } from '@smart-whale/interfaces'
import { optionError, persistentError, sqliteMissingError } from '../../errors.ts'
import type { Invalidation } from '../../shared/shared-cache.ts'
import type { CleanupReport, PersistentCache, PersistentEntry, PersistentListener, PersistentMark } from '../persistent-cache.ts'
import type { FileReply, FileRequest, FileSettings, NumberedRequest } from './file-messages.ts'

/** What a {@link FileLayer} is made of. */
export interface FileLayerOptions {
  /** Where the file is; it and its folder are made when they aren't there. One process at a time has it. @default none: required */
  path: string
  /** What its entries may take; the file itself stays below twice that. @default 268_435_456 (256 MiB) */
  maxBytes?: number | undefined
  /** Entries that it holds at most. @default 100_000 */
  maxEntries?: number | undefined
  /** How long written entries may wait for others to be stored with: what a crash may lose. Removals never wait. @default 50 */
  commitEveryMs?: number | undefined
  /** Requests that may be under way; above it, further ones fail at once. @default 2_000 */
  maxPending?: number | undefined
  /** How long the thread may take to store what it has and end, when it is closed. @default 5_000 */
  closeTimeoutMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

interface Pending {
  readonly what: FileRequest['kind']
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A thread and what it has been asked. */
interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, Pending>
  readonly ended: Promise<unknown>
  isClosing: boolean
}

/** A cache's entries in an SQLite file, which a thread of its own reads and writes: nobody here waits for the disk. */
export class FileLayer implements PersistentCache {
  readonly #settings: FileSettings
  readonly #maxPending: number
  readonly #closeTimeoutMs: number
  readonly #clock: Clock
  #thread: Thread | undefined
  #listener: PersistentListener = () => {}
  #lastId = 0

  constructor({ path, maxBytes = 268_435_456, maxEntries = 100_000, commitEveryMs = 50, maxPending = 2_000, closeTimeoutMs = 5_000, clock = systemClock }: FileLayerOptions) {
    if (!isBuiltin('node:sqlite')) throw sqliteMissingError(process.version)
    if (typeof path !== 'string' || path === '') throw optionError('path', path, 'the path of a file')
    for (const [name, value] of Object.entries({ maxBytes, maxEntries, maxPending })) if (!(Number.isSafeInteger(value) && value >= 1)) throw optionError(name, value, 'a whole number above 0')
    for (const [name, value] of Object.entries({ commitEveryMs, closeTimeoutMs })) if (!(value >= 0 && value < 2 ** 31)) throw optionError(name, value, 'a number of milliseconds')
    this.#settings = { path: resolve(path), maxBytes, maxEntries, commitEveryMs }
    this.#maxPending = maxPending
    this.#closeTimeoutMs = closeTimeoutMs
    this.#clock = clock
  }

  open(listener: PersistentListener): Promise<PersistentMark> {
    this.#listener = listener
    this.#thread ??= this.#start()
    return this.#ask({ kind: 'open' })
  }

  async close(): Promise<void> {
    const thread = this.#thread
    if (thread === undefined) return
    thread.isClosing = true
    try {
      await withDeadline(() => Promise.all([this.#ask({ kind: 'close' }), thread.ended]), { timeoutMs: this.#closeTimeoutMs, what: 'closing the file', clock: this.#clock })
    } catch {
      // It didn't end by itself. SQLite's file is whole at any moment.
      await thread.worker.terminate()
    }
    if (this.#thread === thread) this.#thread = undefined
  }

  read(key: string): Promise<PersistentEntry | undefined> {
    return this.#ask({ kind: 'read', key, nowMs: this.#clock.now() })
  }

  write(key: string, entry: PersistentEntry, mark: PersistentMark): Promise<boolean> {
    return this.#ask({ kind: 'write', key, entry, mark, nowMs: this.#clock.now() })
  }

  remove(invalidation: Invalidation, mark: PersistentMark): Promise<number> {
    return this.#ask({ kind: 'remove', invalidation, mark, nowMs: this.#clock.now() })
  }

  keysAfter(after: string | undefined, limit: number): Promise<readonly string[]> {
    return this.#ask({ kind: 'keys', after, limit, nowMs: this.#clock.now() })
  }

  cleanup(): Promise<CleanupReport> {
    return this.#ask({ kind: 'cleanup', nowMs: this.#clock.now() })
  }

  /** What is asked is sent before this returns: the thread answers in that order. */
  #ask<R>(request: FileRequest): Promise<R> {
    const thread = this.#thread
    if (thread === undefined) return Promise.reject(persistentError(`${request.kind} before it is open`, undefined))
    if (thread.pending.size >= this.#maxPending && request.kind !== 'close') return Promise.reject(persistentError(`${request.kind}, as ${this.#maxPending} requests are under way already`, undefined))
    const id = ++this.#lastId
    return new Promise<R>((resolve, reject) => {
      thread.pending.set(id, { what: request.kind, resolve: resolve as (result: unknown) => void, reject })
      // Whoever waits keeps the process; an idle thread doesn't.
      thread.worker.ref()
      thread.worker.postMessage({ id, request } satisfies NumberedRequest)
    })
  }

  #start(): Thread {
    const { worker, ended } = startWorker(this.#settings)
    const thread: Thread = { worker, pending: new Map(), ended, isClosing: false }
    let reason: unknown
    worker.unref()
    worker.on('message', (message: FileReply) => this.#hear(thread, message))
    worker.on('error', (error) => {
      reason = error
    })
    worker.on('exit', (code) => this.#lose(thread, reason ?? `exit code ${code}`))
    return thread
  }

  #hear({ pending, worker }: Thread, message: FileReply): void {
    if ('event' in message) return this.#listener(message.event)
    const waiting = pending.get(message.id)
    pending.delete(message.id)
    if (pending.size === 0) worker.unref()
    if (waiting === undefined) return
    if ('failure' in message) waiting.reject(message.failure.isUnsupported ? sqliteMissingError(process.version) : persistentError(waiting.what, message.failure.message))
    else waiting.resolve(message.result)
  }

  #lose(thread: Thread, reason: unknown): void {
    if (this.#thread === thread) this.#thread = undefined
    const unanswered = [...thread.pending.values()]
    thread.pending.clear()
    for (const { reject } of unanswered) reject(persistentError('answer, as its thread has ended', reason))
    if (!thread.isClosing) this.#listener({ kind: 'lost', message: reason instanceof Error ? reason.message : String(reason) })
  }
}

/** A layer in an SQLite file. @throws ConfigurationError `ERR_CACHE_SQLITE_MISSING` where Node.js has none, `ERR_CACHE_CONFIGURATION` for a wrong option */
export function createFileLayer(options: FileLayerOptions): FileLayer {
  return new FileLayer(options)
}

/** The thread's file lies beside this one: as a source, or in the build's own module format. */
function startWorker(workerData: FileSettings): { worker: Worker; ended: Promise<unknown> } {
  const extension = extname(fileURLToPath(import.meta.url))
  const execArgv = extension === '.ts' ? ['--conditions=@smart-whale/source'] : []
  const worker = new Worker(new URL(`./file-worker${extension}`, import.meta.url), { workerData, execArgv, name: 'smart-whale-cache-file' })
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  return { worker, ended }
}
