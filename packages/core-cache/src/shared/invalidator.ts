import { outsideOfCalls, sleep, withDeadline } from '@smart-whale/core-resilience'
import type { Clock, Logger } from '@smart-whale/interfaces'
import { closedError, unacknowledgedError } from '../errors.ts'
import type { NodeLink } from './node-link.ts'
import type { Invalidation, SharedCache } from './shared-cache.ts'

/** Pause before an invalidation that failed is asked for again. */
const AGAIN_AFTER_MS = 250
/** Keys, tags and patterns that may be kept for a server that is away; above it, everything is invalidated when it is back. */
const MOST_KEPT = 50_000
/** Keys that are deleted in one request. */
const KEYS_A_REQUEST = 500
const REQUEST_TIMEOUT_MS = 2_000
const SCAN_TIMEOUT_MS = 120_000

/** What is asked for at the same time goes in one request. */
interface Batch {
  readonly keys: Set<string>
  readonly tags: Set<string>
  readonly patterns: Set<string>
  all: boolean
  readonly done: PromiseWithResolvers<void>
}

/**
 * Has invalidations carried out by all nodes, and keeps those that the server couldn't take until it can. One batch after another: what is asked for while one is under
 * way goes together in the next.
 */
export class Invalidator {
  readonly #node: string
  readonly #shared: SharedCache
  readonly #link: NodeLink
  readonly #clock: Clock
  readonly #logger: Logger
  /** Carried out here at once, and once more when it is recorded: what was read in between may be from before. */
  readonly #followHere: (invalidation: Invalidation) => void
  #next = newBatch()
  #isRunning = false
  #closing = new AbortController()

  constructor(parts: { readonly node: string; readonly shared: SharedCache; readonly link: NodeLink; readonly clock: Clock; readonly logger: Logger }, followHere: (invalidation: Invalidation) => void) {
    this.#node = parts.node
    this.#shared = parts.shared
    this.#link = parts.link
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#followHere = followHere
  }

  /**
   * Resolves when it is acknowledged.
   *
   * @throws OperationError `ERR_CACHE_UNACKNOWLEDGED` when that takes longer; it is carried on with all the same
   */
  async invalidate(invalidation: Invalidation, timeoutMs: number): Promise<void> {
    this.#followHere(invalidation)
    const batch = this.#next
    for (const name of ['keys', 'tags', 'patterns'] as const) for (const text of invalidation[name] ?? []) batch[name].add(text)
    if (invalidation.all === true || batch.keys.size + batch.tags.size + batch.patterns.size > MOST_KEPT) batch.all = true
    if (batch.all) for (const list of [batch.keys, batch.tags, batch.patterns]) list.clear()
    if (!this.#isRunning) void outsideOfCalls(() => this.#run())
    try {
      await withDeadline(() => batch.done.promise, { timeoutMs, what: 'an invalidation', clock: this.#clock })
    } catch (error) {
      throw unacknowledgedError(error, timeoutMs)
    }
  }

  /** Ends what is under way and what waits, unacknowledged. */
  close(): void {
    const [closing, waiting] = [this.#closing, this.#next]
    this.#closing = new AbortController()
    this.#next = newBatch()
    closing.abort(closedError())
    waiting.done.reject(closedError())
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // Everything that is asked for in the same turn goes together.
    await Promise.resolve()
    while (!isEmpty(this.#next)) {
      const batch = this.#next
      this.#next = newBatch()
      await this.#carryOut(batch, this.#closing.signal)
    }
    this.#isRunning = false
  }

  async #carryOut(batch: Batch, signal: AbortSignal): Promise<void> {
    const invalidation: Invalidation = batch.all ? { all: true } : { keys: [...batch.keys], tags: [...batch.tags], patterns: [...batch.patterns] }
    while (!signal.aborted) {
      try {
        const acknowledged = this.#link.waitForAll(await this.#recordRemoval(invalidation, signal))
        this.#followHere(invalidation)
        // Nodes confirm at their own pace; the next batch doesn't wait for them.
        acknowledged.then(batch.done.resolve, batch.done.reject)
        return
      } catch (error) {
        if (signal.aborted) break
        this.#logger.warn({ error }, 'an invalidation could not be recorded and is asked for again')
        this.#link.suspect()
        await sleep(AGAIN_AFTER_MS, { clock: this.#clock, signal }).catch(() => {})
      }
    }
    batch.done.reject(closedError())
  }

  /** The values and the tokens of loads under way go first: what is read or stored after it is recorded can't be older. */
  async #recordRemoval(invalidation: Invalidation, signal: AbortSignal) {
    const { keys = [], patterns = [] } = invalidation
    for (let at = 0; at < keys.length; at += KEYS_A_REQUEST) {
      await this.#ask('deleting invalid values', () => this.#shared.remove(keys.slice(at, at + KEYS_A_REQUEST)), signal)
    }
    for (const pattern of patterns) await this.#ask('deleting by a pattern', () => this.#shared.removeMatching(pattern), signal, SCAN_TIMEOUT_MS)
    return this.#ask('recording an invalidation', () => this.#shared.record(this.#node, invalidation), signal)
  }

  #ask<R>(what: string, request: () => Promise<R>, signal: AbortSignal, timeoutMs = REQUEST_TIMEOUT_MS): Promise<R> {
    return withDeadline(request, { timeoutMs, what, signal, clock: this.#clock })
  }
}

function newBatch(): Batch {
  const done = Promise.withResolvers<void>()
  // Whoever asked may have given up waiting.
  done.promise.catch(() => {})
  return { keys: new Set(), tags: new Set(), patterns: new Set(), all: false, done }
}

const isEmpty = ({ keys, tags, patterns, all }: Batch): boolean => !all && keys.size + tags.size + patterns.size === 0
