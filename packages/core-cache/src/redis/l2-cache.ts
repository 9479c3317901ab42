import { randomUUID } from 'node:crypto'
import { withDeadline } from '@smart-whale/core-resilience'
import { type Clock, type MetricsSink, silentLogger, silentMetrics, systemClock, ValidationError } from '@smart-whale/interfaces'
import { requireKey } from '../check-entry.ts'
import { optionError, redisError } from '../errors.ts'
import type { L1Cache } from '../l1/l1-cache.ts'
import { Invalidator } from '../shared/invalidator.ts'
import { NodeLink } from '../shared/node-link.ts'
import type { Invalidation, SharedCache } from '../shared/shared-cache.ts'
import { CacheService, type CacheServiceOptions } from './cache-service.ts'
import { checkRedisConfig, type RedisConfig } from './redis-config.ts'
import { createRedisLayer } from './redis-layer.ts'

/** What an {@link L2Cache} may be told besides where Redis is. */
export interface L2CacheOptions extends CacheServiceOptions {
  /** Memory of this node, read first and kept in step with the others: what any node writes is gone from it, and all of it when the line broke. @default none */
  l1?: L1Cache | undefined
  /** Life of an entry in that memory, above 0; less when less is left of it on Redis. @default 5 */
  l1TtlSeconds?: number | undefined
  /** How long `syncNodes` may take until all nodes have confirmed, in milliseconds. @default 5_000 */
  syncTimeoutMs?: number | undefined
  /** Where the state of the line is shown. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/**
 * The layer that processes share, by itself: values on Redis behind the caching contract, as a {@link CacheService}, and the memory of every node kept in step with
 * them. What is written or deleted is told to all nodes by Redis's messages, which take it out of their `l1`; `syncNodes` waits until each has. A node answers from
 * its `l1` as long as it holds a lease: one that is cut off stops within 1.5 s, and begins with what it missed, or with an empty memory.
 *
 * An error of Redis is the caller's. For loads, tags, and layers that cover for each other see `CacheManager`.
 */
export class L2Cache extends CacheService {
  readonly #l1: L1Cache | undefined
  readonly #l1TtlSeconds: number
  readonly #timeoutMs: number
  readonly #syncTimeoutMs: number
  readonly #clock: Clock
  readonly #node = randomUUID()
  readonly #shared: SharedCache
  readonly #link: NodeLink
  readonly #invalidator: Invalidator
  /** Grows with all that becomes invalid: what was asked for before isn't kept in memory. */
  #era = 0

  constructor(config: RedisConfig, options: L2CacheOptions = {}) {
    super(config, options)
    const { l1, l1TtlSeconds = 5, timeoutMs = 1_000, syncTimeoutMs = 5_000, logger = silentLogger, metrics = silentMetrics, clock = systemClock } = options
    if (!(l1TtlSeconds > 0)) throw optionError('l1TtlSeconds', l1TtlSeconds, 'a number of seconds above 0')
    if (!(syncTimeoutMs >= 1)) throw optionError('syncTimeoutMs', syncTimeoutMs, 'a number of milliseconds, 1 or more')
    this.#l1 = l1
    this.#l1TtlSeconds = l1TtlSeconds
    this.#timeoutMs = timeoutMs
    this.#syncTimeoutMs = syncTimeoutMs
    this.#clock = clock
    // Apart from a `CacheManager` of that prefix: its entries are none of ours.
    this.#shared = createRedisLayer({ ...config, prefix: `${checkRedisConfig(config).prefix}:l2` }, { logger })
    const node = this.#node
    const follower = { follow: (invalidation: Invalidation) => this.#forget(invalidation), forgetAll: () => this.#forget({ all: true }), onSettled: () => {} }
    this.#link = new NodeLink({ node, shared: this.#shared, follower, clock, logger, metrics })
    this.#invalidator = new Invalidator({ node, shared: this.#shared, link: this.#link, clock, logger }, follower.follow)
  }

  /** Dials, and goes on dialling until {@link disconnect} where there is no answer. @throws ConnectionError `ERR_CACHE_REDIS` then */
  override async connect(): Promise<void> {
    const [answer] = await Promise.allSettled([super.connect(), this.#link.open()])
    if (answer.status === 'rejected') throw answer.reason
  }

  override async disconnect(): Promise<void> {
    this.#invalidator.close()
    this.#forget({ all: true })
    await Promise.all([this.#link.close(), super.disconnect()])
  }

  /** Whether this node follows the others at the moment, and so may answer from its memory. */
  isLinked(): boolean {
    return this.#link.isUsable(this.#clock.monotonic())
  }

  /** What is there for the key, in this node's memory or on Redis; a payload that nobody of ours wrote is a miss. */
  override async distributedGet<T = unknown>(key: string): Promise<T | undefined> {
    requireKey(key)
    if (this.#l1 === undefined || !this.#mayUseMemory()) return super.distributedGet<T>(key)
    const near = await this.#l1.get<T>(key)
    return near === undefined ? this.#getAndKeep<T>(key, this.#l1) : near
  }

  /** Writes the value and tells all nodes. They hear it within milliseconds; {@link syncNodes} waits for that. */
  override async distributedSet(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    await this.#telling(key, () => super.distributedSet(key, value, ttlSeconds))
  }

  override async delete(key: string): Promise<boolean> {
    return this.#telling(key, () => super.delete(key))
  }

  /**
   * Has the memory of every node forget these keys, or all of them when none is named, and resolves when each node has confirmed it, or its lease has run out:
   * from then on all answer with what is on Redis.
   *
   * @throws OperationError `ERR_CACHE_UNACKNOWLEDGED` when that takes longer than `syncTimeoutMs`; it is carried on with all the same
   */
  async syncNodes(keys?: readonly string[]): Promise<void> {
    for (const key of keys ?? []) requireKey(key)
    if (keys?.length === 0) return
    await this.#invalidator.invalidate(keys === undefined ? { all: true } : { keys }, this.#syncTimeoutMs)
  }

  #mayUseMemory(): boolean {
    return this.#link.isLeased(this.#clock.monotonic())
  }

  async #getAndKeep<T>(key: string, l1: L1Cache): Promise<T | undefined> {
    const era = this.#era
    // Asked for before the value: it is rather too short than too long.
    const [leftSeconds, value] = await Promise.all([this.ttl(key), super.distributedGet<T>(key)])
    const lifeSeconds = Math.min(leftSeconds ?? Infinity, this.#l1TtlSeconds)
    if (value !== undefined && lifeSeconds > 0 && era === this.#era && this.#mayUseMemory()) l1.fastSet(key, value, lifeSeconds)
    return value
  }

  /** Does a change, and tells all nodes. Redis has it by then: whoever asks from then on gets what is new. */
  async #telling<R>(key: string, change: () => Promise<R>): Promise<R> {
    const result = await change().catch((error: unknown) => {
      // What took too long may be done all the same, or be done later.
      if (!ValidationError.isInstance(error)) this.#tellLater({ keys: [key] })
      throw error
    })
    const invalidation: Invalidation = { keys: [key] }
    this.#forget(invalidation)
    try {
      await withDeadline(() => this.#shared.record(this.#node, invalidation), { timeoutMs: this.#timeoutMs, what: 'telling the other nodes', clock: this.#clock })
      return result
    } catch (error) {
      this.#tellLater(invalidation)
      throw redisError('tell the other nodes', error)
    }
  }

  /** When Redis answers again; until then leases run out. */
  #tellLater(invalidation: Invalidation): void {
    this.#invalidator.invalidate(invalidation, this.#syncTimeoutMs).catch(() => {})
  }

  #forget({ keys, all }: Invalidation): void {
    this.#era += 1
    if (all === true) this.#l1?.clear()
    for (const key of keys ?? []) void this.#l1?.delete(key)
  }
}

/** The layer that processes share on Redis, by itself, with the memory of every node in step. */
export function createL2Cache(config: RedisConfig, options?: L2CacheOptions): L2Cache {
  return new L2Cache(config, options)
}
