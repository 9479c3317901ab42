import { randomUUID } from 'node:crypto'
import { outsideOfCalls, withDeadline } from '@smart-whale/core-resilience'
import { type Clock, compileGlob } from '@smart-whale/interfaces'
import { requireKey, requireValue } from '../check-entry.ts'
import { notRemovedError } from '../errors.ts'
import { type CacheAnalyzer, createCacheAnalyzer } from '../analyzer/cache-analyzer.ts'
import { type CacheSize, requireSize } from '../l1/l1-options.ts'
import type { L1CacheStats } from '../l1/entry-store.ts'
import type { PersistentLink } from '../l3/persistent-link.ts'
import { Invalidator } from '../shared/invalidator.ts'
import { NodeLink } from '../shared/node-link.ts'
import type { Invalidation } from '../shared/shared-cache.ts'
import { answerOf, type CacheAnswer, valueOf } from './cache-answer.ts'
import { cacheMetrics } from './cache-metrics.ts'
import { CacheNamespace } from './cache-namespace.ts'
import { FetchValue, type Landing } from './fetch-value.ts'
import { Flights } from './flights.ts'
import { linkPersistent } from './link-persistent.ts'
import { LoadOnce } from './load-once.ts'
import { type CacheManagerOptions, managerSettings, type ManagerSettings, readSettings, type SmartGetOptions } from './manager-options.ts'
import { MemoryLayer } from './memory-layer.ts'
import { PersistentValues } from './persistent-values.ts'
import { Prefetcher } from './prefetcher.ts'
import { ReadThrough } from './read-through.ts'
import type { Loader } from './run-loader.ts'
import { SharedValues } from './shared-values.ts'
import { watchReads } from './watch-reads.ts'

/** What a value that was set is taken to cost: nobody may be able to load it. */
const SET_COST_MS = 60_000

/**
 * A cache of layers: memory, what processes share, and the loader. A key is loaded once however many ask for it, here and elsewhere; and after an invalidation is
 * acknowledged, no node answers with anything that was loaded before it. A layer that is away costs its deadline once, and no error.
 * What survives a restart was followed up to a number of the shared layer's, and is brought up to date before it is read.
 */
export class CacheManager implements AsyncDisposable {
  /** What another size of memory would do, with the option of that name. */
  readonly analyzer: CacheAnalyzer | undefined
  readonly #settings: ManagerSettings
  readonly #clock: Clock
  readonly #memory: MemoryLayer
  readonly #flights = new Flights<Landing | undefined>()
  readonly #link: NodeLink | undefined
  readonly #persistent: PersistentLink | undefined
  readonly #invalidator: Invalidator | undefined
  readonly #loads: LoadOnce
  readonly #values: FetchValue
  readonly #prefetcher: Prefetcher | undefined
  readonly #reads: ReadThrough
  #opening: Promise<void> | undefined
  #isOpened = false

  constructor(options: CacheManagerOptions = {}) {
    const settings = managerSettings(options)
    const { clock, logger } = settings
    this.#settings = settings
    this.#clock = clock
    const metrics = cacheMetrics(settings.metrics)
    this.#memory = new MemoryLayer(settings)
    const { shared, persistent } = options
    const node = randomUUID()
    const follower = { follow: (invalidation: Invalidation) => this.#follow(invalidation), forgetAll: () => this.#follow({ all: true }), onSettled: (key: string) => this.#loads.onSettled(key) }
    this.#link = shared && new NodeLink({ node, shared, follower, clock, logger, metrics: settings.metrics })
    const values = shared && this.#link && new SharedValues({ shared, link: this.#link, clock, timeoutMs: settings.sharedTimeoutMs, metrics })
    this.#invalidator = shared && this.#link && new Invalidator({ node, shared, link: this.#link, clock, logger }, follower.follow)
    this.#loads = new LoadOnce(settings, metrics, shared && values && this.#link && { shared, values, link: this.#link, places: settings.places })
    this.#persistent = persistent && linkPersistent(persistent, settings, this.#link)
    const kept = this.#persistent && new PersistentValues({ link: this.#persistent, clock, metrics })
    this.#values = new FetchValue({ settings, memory: this.#memory, loads: this.#loads, link: this.#link, shared: values, persistent: kept })
    this.analyzer = settings.analyzer && createCacheAnalyzer({ ...settings.analyzer, cache: this })
    const isInMemory = (key: string): boolean => (this.#memory.peek(key, clock.monotonic())?.refreshAtMs ?? 0) > clock.monotonic()
    this.#prefetcher = settings.prefetch && new Prefetcher(settings.prefetch, clock, { isInMemory, promote: (key) => this.promote(key) })
    this.#reads = new ReadThrough({
      settings, memory: this.#memory, values: this.#values, flights: this.#flights, link: this.#link, prefetcher: this.#prefetcher, metrics,
      watch: watchReads(settings.usage, this.analyzer),
      whenOpen: () => (this.#isOpened ? undefined : this.connect()),
    })
  }

  /** Opens the layers. The first read does it as well. A server that isn't there is no error: it is asked again until it is. */
  connect(): Promise<void> {
    this.#opening ??= outsideOfCalls(() => this.#open())
      .catch((error: unknown) => this.#settings.logger.warn({ error }, 'the shared layer of the cache could not be opened'))
      .then(() => void (this.#isOpened = true))
    return this.#opening
  }

  /** Ends everything; the entries in memory are gone. Loads and sets under way get `closeTimeoutMs`, then they fail with `ERR_ABORTED`. A read opens the layers again. */
  async disconnect(): Promise<void> {
    await this.#opening
    this.#memory.unfollowPressure()
    this.#invalidator?.close()
    await Promise.all([this.#prefetcher?.close(), this.#loads.close()])
    if (this.#opening !== undefined) await Promise.all([this.#link?.close(), this.#persistent?.close()])
    this.#opening = undefined
    this.#isOpened = false
    this.#memory.clear()
    this.#flights.follow({ all: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect()
  }

  /**
   * The value of the key; loads it if no layer has it. The value is not to be changed.
   *
   * @throws whatever the loader threw; `ERR_CACHE_LOAD` when it failed in another process
   */
  smartGet<T>(key: string, loader: Loader<T>, options?: SmartGetOptions<T>): Promise<T> {
    return this.#reads.read(key, loader, options, valueOf) as Promise<T>
  }

  /** The same, with where it comes from, its age, and whether it is stale. */
  smartGetDetailed<T>(key: string, loader: Loader<T>, options?: SmartGetOptions<T>): Promise<CacheAnswer<T>> {
    return this.#reads.read(key, loader, options, answerOf) as Promise<CacheAnswer<T>>
  }

  /**
   * Has a value take the place of whatever there is, on all nodes: an invalidation, and then a load that is done already. What others began to load in between, they may
   * keep in their own memory; it isn't older than the invalidation.
   */
  async smartSet<T>(key: string, value: T, options?: SmartGetOptions<T>): Promise<void> {
    requireKey(key)
    requireValue(value)
    await this.invalidate(key)
    // Nor do loads that began meanwhile on this node count.
    this.#flights.follow({ keys: [key] })
    const read = readSettings({ loadCostMs: SET_COST_MS, ...options }, this.#settings.read)
    await this.#flights.alone(key, (flight) => outsideOfCalls(() => this.#values.store(flight, value, read)))
  }

  /** Brings a fresh value from a lower layer into memory, however large it is; whether there is one. */
  async promote(key: string): Promise<boolean> {
    requireKey(key)
    await this.connect()
    return (await this.#flights.alone(key, (flight) => outsideOfCalls(() => this.#values.promote(flight)))) !== undefined
  }

  /** Lets memory forget a value; the layers below keep it. Whether there was one. */
  demote(key: string): boolean {
    return this.#values.mayReadOwn(this.#clock.monotonic()) ? this.#values.demote(key) : this.#memory.forget(key)
  }

  /**
   * Resolves when no node answers with what was loaded before the call any more.
   *
   * @throws OperationError `ERR_CACHE_UNACKNOWLEDGED` when that can't be had within `invalidationTimeoutMs`; it is carried on with
   */
  invalidate(key: string): Promise<void> {
    return this.batchInvalidate([key])
  }

  /** The same for many keys, in one go. */
  async batchInvalidate(keys: readonly string[]): Promise<void> {
    for (const key of keys) requireKey(key)
    if (keys.length > 0) await this.#invalidate({ keys })
  }

  /** The same for all keys that match a glob. It goes through all keys of the shared layer: for what belongs together, tags are cheaper. */
  async patternInvalidate(pattern: string): Promise<void> {
    compileGlob(pattern)
    await this.#invalidate({ patterns: [pattern] })
  }

  /** The same for all entries with one of the tags, however many there are. */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    for (const tag of tags) requireKey(tag)
    if (tags.length > 0) await this.#invalidate({ tags })
  }

  /** The same for everything. */
  async clear(): Promise<void> {
    await this.#invalidate({ all: true })
  }

  /** A part of the cache with keys of its own, which can be emptied at once. */
  namespace(name: string): CacheNamespace {
    requireKey(name)
    return new CacheNamespace(this, name)
  }

  /** Brings this node up to date now, instead of at the next renewal; whether that could be done. */
  async syncNodes(): Promise<boolean> {
    await this.connect()
    await this.#link?.renew()
    return this.isLinked()
  }

  /**
   * Gives memory other bounds; entries leave until they fit. What `memoryPressure` takes, it takes of these.
   *
   * @throws ConfigurationError `ERR_CACHE_CONFIGURATION`
   */
  resize(size: CacheSize): void {
    requireSize(size)
    this.#memory.resize(size)
  }

  /** What memory has done and holds. */
  getStats(): L1CacheStats {
    return this.#memory.stats()
  }

  /** Whether the shared layer answers at the moment; without one, `true`. */
  isLinked(): boolean {
    return this.#link === undefined || this.#link.isUsable(this.#clock.monotonic())
  }

  /** Whether the persistent layer works at the moment; without one, `true`. */
  isPersistent(): boolean {
    return this.#persistent?.isUsable !== false
  }

  /** The persistent layer first: from where it has followed to, the node goes on. */
  async #open(): Promise<void> {
    const { memoryPressure } = this.#settings
    if (memoryPressure !== undefined) this.#memory.followPressure(memoryPressure)
    const mark = await this.#persistent?.open()
    if (mark !== undefined && mark.run !== '') this.#link?.resumeFrom(mark)
    await this.#link?.open()
    this.#prefetcher?.open()
  }

  async #invalidate(invalidation: Invalidation): Promise<void> {
    const { invalidationTimeoutMs: timeoutMs } = this.#settings
    if (this.#link !== undefined || this.#persistent !== undefined) await this.connect()
    if (this.#invalidator !== undefined) return this.#invalidator.invalidate(invalidation, timeoutMs)
    const removed = this.#follow(invalidation)
    try {
      // What would be there again after a restart isn't gone yet.
      if (removed !== undefined) await withDeadline(() => removed, { timeoutMs, what: 'an invalidation', clock: this.#clock })
    } catch (error) {
      throw notRemovedError(error, timeoutMs)
    }
  }

  #follow(invalidation: Invalidation): Promise<void> | undefined {
    this.#memory.follow(invalidation)
    this.#flights.follow(invalidation)
    return this.#persistent?.remove(invalidation)
  }
}

/** A cache of layers. */
export function createCacheManager(options?: CacheManagerOptions): CacheManager {
  return new CacheManager(options)
}
