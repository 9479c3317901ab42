import { createSecretKey, type KeyObject } from 'node:crypto'
import { type AuditEvent, type AuditSink, type AuditStore, type AuditVerification, type ChainHead, type Clock, systemClock } from '@smart-whale/interfaces'
import { requireText, wrongOption } from '../check-option.ts'
import { AuditError } from '../errors.ts'
import { type ChainKey, nextEntry, verifyChain } from './audit-chain.ts'
import { AuditFile } from './audit-file.ts'

/** What {@link openAuditLog} is made from. */
export interface AuditLogOptions {
  /** File that the log is written to. @default none; then `stores` must have one */
  path?: string | undefined
  /** Further stores, which get each entry as well; without a `path` the first one leads. @default [] */
  stores?: readonly AuditStore[] | undefined
  /** Secret of 32 bytes or more that the chain is made with. Without it the log shows accidents and clumsy changes; who may write the file could still write another chain. @default none */
  key?: Uint8Array | undefined
  /** Bytes after which a file is full: it is called `<path>.<number of its last entry>` then, and the chain goes on in another. It is moved away or kept by whoever keeps logs. @default 104_857_600 */
  maxFileBytes?: number | undefined
  /** Events that may wait to be written; more are refused. @default 10_000 */
  maxPending?: number | undefined
  /** Source of the time. @default systemClock */
  clock?: Clock | undefined
}

/** A log whose entries are chained by their hashes. */
export interface AuditLog extends AuditSink {
  /** Resolves when the entry is on disk, and in every store. @throws AuditError */
  record(event: AuditEvent): Promise<void>
  /** Where the chain stands. Kept elsewhere, it shows later that nothing before it was cut off. */
  head(): ChainHead
  /** Goes through the whole log. @param known an earlier {@link head} */
  verify(known?: ChainHead): Promise<AuditVerification>
  /** Writes what waits, and closes. May be called twice. */
  close(): Promise<void>
}

/**
 * Opens an audit log, and goes on behind its last entry. Entries that come at the same time are written together, in the order in which
 * they came.
 *
 * @throws AuditError `ERR_AUDIT_LOCKED`, `ERR_AUDIT_BROKEN`, `ERR_AUDIT_WRITE`
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { path, stores = [], maxFileBytes = 104_857_600, maxPending = 10_000, clock = systemClock } = options
  if (!(maxFileBytes >= 1)) throw wrongOption('maxFileBytes', maxFileBytes, 'must be a number of bytes from 1')
  if (path !== undefined) requireText('path', path)
  const key = chainKey(options.key)
  const all = [...(path === undefined ? [] : [new AuditFile(path, key, maxFileBytes)]), ...stores]
  const [leader] = all
  if (leader === undefined) throw wrongOption('path', path, 'must name a file, or stores must hold a store')
  const head = await leader.open()
  for (const store of all.slice(1)) await store.open()
  return new ChainedLog({ stores: all, leader, head, key, maxPending, clock })
}

/** Goes through a log file that nobody need have open. */
export async function verifyAuditFile(path: string, options: { key?: Uint8Array | undefined; known?: ChainHead | undefined } = {}): Promise<AuditVerification> {
  const key = chainKey(options.key)
  return verifyStore(new AuditFile(path, key), key, options.known)
}

async function verifyStore(store: AuditStore, key: ChainKey, known: ChainHead | undefined): Promise<AuditVerification> {
  const own = await store.knownHead?.()
  const latest = known === undefined || (own !== undefined && own.sequence > known.sequence) ? own : known
  return verifyChain(store.read(), key, latest)
}

function chainKey(key: Uint8Array | undefined): KeyObject | undefined {
  if (key === undefined) return undefined
  if (!(key instanceof Uint8Array) || key.length < 32) throw wrongOption('key', key, 'must be 32 random bytes or more')
  return createSecretKey(key)
}

interface LogParts {
  readonly stores: readonly AuditStore[]
  readonly leader: AuditStore
  readonly head: ChainHead
  readonly key: ChainKey
  readonly maxPending: number
  readonly clock: Clock
}

interface Pending {
  readonly event: AuditEvent
  readonly at: string
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

class ChainedLog implements AuditLog {
  readonly #parts: LogParts
  #head: ChainHead
  #pending: Pending[] = []
  #writing: Promise<void> | null = null
  #closed: Promise<void> | null = null

  constructor(parts: LogParts) {
    this.#parts = parts
    this.#head = parts.head
  }

  record(event: AuditEvent): Promise<void> {
    if (this.#closed !== null) return Promise.reject(new AuditError('ERR_AUDIT_CLOSED', 'the audit log is closed; open it anew'))
    if (this.#pending.length >= this.#parts.maxPending) return Promise.reject(new AuditError('ERR_AUDIT_FULL', `${this.#pending.length} events wait for the audit log, and no more may; its disk is too slow`))
    return new Promise((done, failed) => {
      this.#pending.push({ event, at: new Date(this.#parts.clock.now()).toISOString(), done, failed })
      this.#writing ??= this.#writeAll()
    })
  }

  head(): ChainHead {
    return this.#head
  }

  verify(known?: ChainHead): Promise<AuditVerification> {
    return verifyStore(this.#parts.leader, this.#parts.key, known)
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#writing
      await Promise.all(this.#parts.stores.map((store) => store.close()))
    })()
    return this.#closed
  }

  async #writeAll(): Promise<void> {
    // What comes in the same turn goes along.
    await Promise.resolve()
    while (this.#pending.length > 0) await this.#writeBatch(this.#pending.splice(0))
    this.#writing = null
  }

  async #writeBatch(batch: readonly Pending[]): Promise<void> {
    try {
      let head = this.#head
      const entries = batch.map(({ event, at }) => {
        const entry = nextEntry(head, event, at, this.#parts.key)
        head = { sequence: entry.sequence, hash: entry.hash }
        return entry
      })
      await this.#parts.leader.append(entries)
      // The leader has them: whatever becomes of the others, the chain goes on behind these.
      this.#head = head
      for (const store of this.#parts.stores) if (store !== this.#parts.leader) await store.append(entries)
      batch.forEach(({ done }) => done())
    } catch (error) {
      batch.forEach(({ failed }) => failed(error))
    }
  }
}
