import { type Breaker, createBreaker, exponentialRecovery, outsideOfCalls, withDeadline } from '@smart-whale/core-resilience'
import type { Clock, Logger, MetricsSink, TimerHandle } from '@smart-whale/interfaces'
import { persistentError } from '../errors.ts'
import type { Invalidation } from '../shared/shared-cache.ts'
import type { PersistentMetrics } from './persistent-metrics.ts'
import { NO_MARK, type PersistentCache, type PersistentEntry, type PersistentEvent, type PersistentMark } from './persistent-cache.ts'

/** Pauses before a layer that failed is tried again. */
const PAUSES = exponentialRecovery({ baseMs: 250, maxMs: 10_000, jitter: 0 })
const REMOVAL_TIMEOUT_MS = 2_000
/** Nobody waits for a write. */
const WRITE_TIMEOUT_MS = 2_000
/** A pattern has every key looked at. */
const LONG_REMOVAL_TIMEOUT_MS = 120_000
/** Keys, tags and patterns that may be owed to a layer that is away; above it, everything is removed when it is back. */
const MOST_OWED = 50_000
const CLEAN_EVERY_MS = 300_000
const EXCUSED_EVERY_MS = 1_000
/** Text that may be on its way to the disk; what comes above it isn't kept. */
const MOST_UNWRITTEN = 33_554_432

/** What a link is made of. */
export interface PersistentLinkParts {
  readonly layer: PersistentCache
  readonly clock: Clock
  readonly timeoutMs: number
  readonly openTimeoutMs: number
  readonly logger: Logger
  readonly metrics: PersistentMetrics
  /** Where the state of its breaker is shown. */
  readonly sink: MetricsSink
  readonly onEvent: (event: PersistentEvent) => void
  /** How far the node has followed at this moment; `undefined` for a node that shares nothing. */
  readonly markNow: (() => PersistentMark) | undefined
}

/** What is to be removed together. */
interface Removal {
  readonly keys: Set<string>
  readonly tags: Set<string>
  readonly patterns: Set<string>
  all: boolean
  readonly done: PromiseWithResolvers<void>
}

/**
 * A node's way to its persistent layer: never in its way. Nobody waits longer than the deadline, and none does once it has passed: the layer is left alone until an
 * attempt behind everybody's back succeeds. What was to be removed meanwhile is owed, and is removed before anything is read again.
 */
export class PersistentLink {
  readonly #parts: PersistentLinkParts
  /** Closed while the layer works. An attempt behind everybody's back closes it: what is owed has to be paid off first. */
  readonly #breaker: Breaker
  #isOpen = false
  #attempt: Promise<void> | undefined
  #timer: TimerHandle | undefined
  /** Asked for, and not answered. */
  readonly #underWay = new Set<Removal>()
  /** Not asked for yet: what comes while another removal is under way goes together, at the latest before the next read. */
  #next = newRemoval()
  #unwritten = 0
  #excusedAtMs = -Infinity
  #cleanedAtMs: number

  constructor(parts: PersistentLinkParts) {
    const { clock } = parts
    this.#parts = parts
    this.#breaker = createBreaker({ name: 'cache: persistent layer', clock, metrics: parts.sink })
    this.#breaker.trip()
    this.#cleanedAtMs = clock.monotonic()
  }

  /** Whether it is worth asking. */
  get isUsable(): boolean {
    return this.#breaker.state === 'closed'
  }

  /** Opens the layer; how far it has followed. Never fails: a layer that can't be opened is tried again, and what it holds is removed then. */
  async open(): Promise<PersistentMark> {
    this.#isOpen = true
    try {
      const mark = await this.#openLayer()
      await this.#payOff(mark)
      return mark
    } catch (error) {
      this.#fail('open', error)
      return NO_MARK
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#parts.clock.clearTimeout(this.#timer)
    if (this.isUsable) this.#send()
    this.#breaker.trip()
    await this.#parts.layer.close().catch((error: unknown) => this.#parts.logger.warn({ error }, 'the persistent layer of the cache could not be closed'))
    await this.#attempt
    for (const { done } of [...this.#underWay, this.#next]) done.reject(persistentError('remove, as it was closed', undefined))
    this.#underWay.clear()
    this.#next = newRemoval()
  }

  /** What is there; nothing when the layer is away, or takes too long. */
  async read(key: string): Promise<PersistentEntry | undefined> {
    if (!this.isUsable) return undefined
    this.#send()
    return this.#ask('read', () => this.#parts.layer.read(key))
  }

  /** Has an entry stored, behind the caller's back. Whether it may be is the caller's to know, at this very moment. */
  write(key: string, entry: PersistentEntry): void {
    const { length } = entry.payload
    if (!this.isUsable || this.#unwritten + length > MOST_UNWRITTEN) return
    this.#send()
    this.#unwritten += length
    const written = outsideOfCalls(() => this.#ask('write', () => this.#parts.layer.write(key, entry, this.#markNow()), WRITE_TIMEOUT_MS))
    void written.finally(() => (this.#unwritten -= length))
    this.#cleanNowAndThen()
  }

  /** From now on, nothing that this matches is read. Resolves when it is gone for good, however long that takes; rejects when the link is closed before. */
  remove({ keys = [], tags = [], patterns = [], all = false }: Invalidation): Promise<void> {
    const removal = this.#next
    for (const key of keys) removal.keys.add(key)
    for (const tag of tags) removal.tags.add(tag)
    for (const pattern of patterns) removal.patterns.add(pattern)
    if (all || removal.keys.size + removal.tags.size + removal.patterns.size > MOST_OWED) removal.all = true
    if (removal.all) for (const list of [removal.keys, removal.tags, removal.patterns]) list.clear()
    if (this.isUsable && this.#underWay.size === 0) this.#send()
    return removal.done.promise
  }

  /** Asks for what is to be removed. What is read after this doesn't see it, as requests take effect in their order. */
  #send(): void {
    const removal = this.#next
    if (isEmpty(removal)) return
    this.#next = newRemoval()
    this.#underWay.add(removal)
    void outsideOfCalls(() => this.#carryOut(removal)).then(
      () => this.isUsable && this.#underWay.size === 0 && this.#send(),
      (error: unknown) => this.#fail('remove', error),
    )
  }

  async #carryOut(removal: Removal, mark = this.#markNow()): Promise<void> {
    const { layer, clock } = this.#parts
    const isLong = removal.all || removal.patterns.size > 0
    const invalidation: Invalidation = removal.all ? { all: true } : { keys: [...removal.keys], tags: [...removal.tags], patterns: [...removal.patterns] }
    const timeoutMs = isLong ? LONG_REMOVAL_TIMEOUT_MS : REMOVAL_TIMEOUT_MS
    await withDeadline(() => layer.remove(invalidation, mark), { timeoutMs, what: 'removing from the persistent layer', clock })
    this.#underWay.delete(removal)
    removal.done.resolve()
  }

  async #ask<R>(what: string, request: () => Promise<R>, timeoutMs = this.#parts.timeoutMs): Promise<R | undefined> {
    const { clock } = this.#parts
    const askedAtMs = clock.monotonic()
    try {
      return await withDeadline(request, { timeoutMs, what: `the persistent layer's answer to ${what}`, clock })
    } catch (error) {
      if (!this.#wasBusyItself(askedAtMs, timeoutMs)) this.#fail(what, error)
      return undefined
    }
  }

  /** A deadline that is noticed long after it passed says that this process was busy, not that the layer is: the answer may lie there. Once a second, that is excused. */
  #wasBusyItself(askedAtMs: number, timeoutMs: number): boolean {
    const nowMs = this.#parts.clock.monotonic()
    if (nowMs - askedAtMs < 2 * timeoutMs || nowMs - this.#excusedAtMs < EXCUSED_EVERY_MS) return false
    this.#excusedAtMs = nowMs
    return true
  }

  #fail(what: string, error: unknown): void {
    const { logger, metrics, clock } = this.#parts
    metrics.countFailure(what)
    if (!this.#isOpen || (!this.isUsable && this.#timer !== undefined)) return
    logger.warn({ error }, 'the persistent layer of the cache does not work, and is tried again')
    this.#breaker.trip()
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined
      this.#attempt ??= this.#tryAgain().finally(() => (this.#attempt = undefined))
    }, PAUSES.openMs(this.#breaker.details.timesOpened))
  }

  async #tryAgain(): Promise<void> {
    try {
      await this.#payOff(await this.#openLayer())
    } catch (error) {
      this.#fail('open', error)
    }
  }

  async #openLayer(): Promise<PersistentMark> {
    const { layer, clock, openTimeoutMs, markNow, metrics, onEvent } = this.#parts
    const hear = (event: PersistentEvent): void => {
      metrics.countEvent(event.kind)
      onEvent(event)
    }
    const mark = await withDeadline(() => layer.open(hear), { timeoutMs: openTimeoutMs, what: 'opening the persistent layer', clock })
    // It was part of a cache that others share: what they have invalidated since, nobody here can know.
    if (markNow === undefined && mark.run !== '') void this.remove({ all: true }).catch(() => {})
    return mark
  }

  /** Removes what is owed, in the order in which it came; only then is the layer used again. */
  async #payOff(found: PersistentMark): Promise<void> {
    // What is owed hasn't all been removed: until it has, the layer has followed no further than before.
    const mark = this.#parts.markNow === undefined ? NO_MARK : found
    for (;;) {
      for (const removal of [...this.#underWay]) await this.#carryOut(removal, mark)
      if (isEmpty(this.#next)) break
      this.#underWay.add(this.#next)
      this.#next = newRemoval()
    }
    if (!this.#isOpen) return
    this.#breaker.reset()
  }

  #cleanNowAndThen(): void {
    const nowMs = this.#parts.clock.monotonic()
    if (nowMs - this.#cleanedAtMs < CLEAN_EVERY_MS) return
    this.#cleanedAtMs = nowMs
    this.#parts.layer.cleanup().catch((error: unknown) => this.#fail('clean up', error))
  }

  #markNow(): PersistentMark {
    return this.#parts.markNow?.() ?? NO_MARK
  }
}

function newRemoval(): Removal {
  const done = Promise.withResolvers<void>()
  // Not everybody waits for it.
  done.promise.catch(() => {})
  return { keys: new Set(), tags: new Set(), patterns: new Set(), all: false, done }
}

const isEmpty = ({ keys, tags, patterns, all }: Removal): boolean => !all && keys.size + tags.size + patterns.size === 0
