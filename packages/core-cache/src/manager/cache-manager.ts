import { randomUUID } from 'node:crypto'
import { type Clock, compileGlob } from '@smart-whale/interfaces'
import { requireKey, requireValue } from '../check-entry.ts'
import type { L1CacheStats } from '../l1/entry-store.ts'
import { LEAST_SHARE } from '../l1/memory-pressure.ts'
import { Invalidator } from '../shared/invalidator.ts'
import { NodeLink } from '../shared/node-link.ts'
import type { Invalidation } from '../shared/shared-cache.ts'
import { answerOf, type CacheAnswer } from './cache-answer.ts'
import { type AnswerSource, type CacheMetrics, cacheMetrics } from './cache-metrics.ts'
import { CacheNamespace } from './cache-namespace.ts'
import { type Flight, Flights } from './flights.ts'
import { LoadOnce } from './load-once.ts'
import { type CacheManagerOptions, managerSettings, type ManagerSettings, type ReadSettings, readSettings, type SmartGetOptions } from './manager-options.ts'
import { type MemoryEntry, MemoryLayer, valueFor } from './memory-layer.ts'
import { type Loader, unlessAborted } from './run-loader.ts'
import { type FoundValue, SharedValues } from './shared-values.ts'

/** What a flight brings home. */
interface Landing {
  readonly found: FoundValue
  readonly source: AnswerSource
  readonly isStale: boolean
}

/** What the shared layer had for a flight. */
interface SharedLook {
  readonly landing: Landing | undefined
  /** Also when it is too old to land. */
  readonly shared: FoundValue | undefined
  /** Token of what is there; empty for nothing. */
  readonly token: string
  readonly isUsable: (found: FoundValue) => boolean
}

/**
 * A cache of layers: memory, what processes share, and the loader. A key is loaded once however many ask for it, here and elsewhere; and after an invalidation is
 * acknowledged, no node answers with anything that was loaded before it. A layer that is away costs its deadline once, and no error.
 */
export class CacheManager implements AsyncDisposable {
  readonly #settings: ManagerSettings
  readonly #clock: Clock
  readonly #memory: MemoryLayer
  readonly #metrics: CacheMetrics
  readonly #flights = new Flights<Landing | undefined>()
  readonly #link: NodeLink | undefined
  readonly #values: SharedValues | undefined
  readonly #invalidator: Invalidator | undefined
  readonly #loads: LoadOnce
  readonly #unfollowPressure: (() => void) | undefined
  #opening: Promise<void> | undefined

  constructor(options: CacheManagerOptions = {}) {
    const settings = managerSettings(options)
    const { clock, logger } = settings
    this.#settings = settings
    this.#clock = clock
    this.#metrics = cacheMetrics(settings.metrics)
    this.#memory = new MemoryLayer(settings)
    this.#unfollowPressure = settings.memoryPressure?.follow((share) => this.#memory.useShare(Math.min(1, Math.max(LEAST_SHARE, share))))
    const { shared } = options
    if (shared === undefined) {
      this.#loads = new LoadOnce(settings, this.#metrics, undefined)
      return
    }
    const node = randomUUID()
    const follower = { follow: (invalidation: Invalidation) => this.#follow(invalidation), forgetAll: () => this.#follow({ all: true }), onSettled: (key: string) => this.#loads.onSettled(key) }
    this.#link = new NodeLink({ node, shared, follower, clock, logger })
    this.#values = new SharedValues({ shared, link: this.#link, clock, timeoutMs: settings.sharedTimeoutMs, metrics: this.#metrics })
    this.#invalidator = new Invalidator({ node, shared, link: this.#link, clock, logger }, follower.follow)
    this.#loads = new LoadOnce(settings, this.#metrics, { shared, values: this.#values, link: this.#link })
  }

  /** Opens the shared layer. The first read does it as well. A server that isn't there is no error: it is asked again until it is. */
  connect(): Promise<void> {
    this.#opening ??= this.#link?.open().catch((error: unknown) => this.#settings.logger.warn({ error }, 'the shared layer of the cache could not be opened')) ?? Promise.resolve()
    return this.#opening
  }

  /** Ends everything; the entries in memory are gone. */
  async disconnect(): Promise<void> {
    this.#unfollowPressure?.()
    this.#invalidator?.close()
    await this.#loads.settle()
    if (this.#opening !== undefined) await this.#link?.close()
    this.#opening = undefined
    this.#follow({ all: true })
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
    const nowMs = this.#clock.monotonic()
    const entry = this.#mayReadMemory(nowMs) ? this.#memory.read(key, nowMs) : undefined
    if (entry !== undefined && nowMs < entry.refreshAtMs) return Promise.resolve((entry.isNothing ? undefined : valueFor(entry.copy)) as T)
    return this.#lookFurther(key, loader, options, entry, nowMs).then(({ value }) => value)
  }

  /** The same, with where it comes from, its age, and whether it is stale. */
  smartGetDetailed<T>(key: string, loader: Loader<T>, options?: SmartGetOptions<T>): Promise<CacheAnswer<T>> {
    const nowMs = this.#clock.monotonic()
    const entry = this.#mayReadMemory(nowMs) ? this.#memory.read(key, nowMs) : undefined
    if (entry !== undefined && nowMs < entry.refreshAtMs) return Promise.resolve(answerOf<T>(entry, 'memory', false, nowMs))
    return this.#lookFurther(key, loader, options, entry, nowMs)
  }

  /** Has a value take the place of whatever there is, on all nodes: an invalidation, and then a load that is done already. */
  async smartSet<T>(key: string, value: T, options?: SmartGetOptions<T>): Promise<void> {
    requireKey(key)
    requireValue(value)
    await this.invalidate(key)
    // Nor do loads that began meanwhile on this node count.
    this.#flights.follow({ keys: [key] })
    await this.smartGet(key, () => value, options)
  }

  /** Brings a value from the shared layer into memory; whether there is one. */
  async promote(key: string): Promise<boolean> {
    requireKey(key)
    await this.connect()
    return (await this.#flights.alone(key, async (flight) => (await this.#askShared(flight)).landing)) !== undefined
  }

  /** Lets memory forget a value; the shared layer keeps it. Whether there was one. */
  demote(key: string): boolean {
    return this.#memory.forget(key)
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

  /** What memory has done and holds. */
  getStats(): L1CacheStats {
    return this.#memory.stats()
  }

  /** Whether the shared layer answers at the moment; without one, `true`. */
  isLinked(): boolean {
    return this.#link === undefined || this.#link.isUsable(this.#clock.monotonic())
  }

  #mayReadMemory(nowMs: number): boolean {
    return this.#link === undefined || this.#link.isLeased(nowMs) || (this.#settings.unlinkedStaleMs > 0 && this.#link.unleasedMs(nowMs) < this.#settings.unlinkedStaleMs)
  }

  async #lookFurther<T>(key: string, loader: Loader<T>, options: SmartGetOptions<T> | undefined, entry: MemoryEntry | undefined, askedAtMs: number): Promise<CacheAnswer<T>> {
    requireKey(key)
    const read = options === undefined ? this.#settings.read : readSettings(options, this.#settings.read)
    if (this.#opening === undefined) await this.connect()
    const nowMs = this.#clock.monotonic()
    const landing = this.#fly(key, loader as Loader<unknown>, read, nowMs)
    if (entry !== undefined && askedAtMs < entry.freshUntilMs + (entry.isNothing ? 0 : read.revalidateMs)) {
      // It still serves; the flight is for whoever comes next.
      landing.catch(() => {
        entry.refreshAtMs = this.#clock.monotonic() + this.#settings.retryAfterFailureMs
      })
      const isStale = askedAtMs >= entry.freshUntilMs
      this.#metrics.countAnswer('memory', isStale)
      return answerOf<T>(entry, 'memory', isStale, askedAtMs)
    }
    const { found, source, isStale } = await (options?.signal === undefined ? landing : unlessAborted(landing, options.signal))
    this.#metrics.countAnswer(source, isStale)
    return answerOf<T>(found, source, isStale, this.#clock.monotonic())
  }

  /** One flight for all who ask. Without a lease nobody knows what has been invalidated: each caller then gets one that begins after his call. */
  #fly(key: string, loader: Loader<unknown>, read: ReadSettings, nowMs: number): Promise<Landing> {
    const begin = (flight: Flight<Landing | undefined>): Promise<Landing> => this.#fetch(flight, loader, read)
    const knowsAll = this.#link === undefined || this.#link.isLeased(nowMs)
    return (knowsAll ? this.#flights.join(key, begin) : this.#flights.joinNext(key, begin)) as Promise<Landing>
  }

  /** Asks the shared layer, then loads. */
  async #fetch(flight: Flight<Landing | undefined>, loader: Loader<unknown>, read: ReadSettings): Promise<Landing> {
    const { key } = flight
    const { landing, shared, token, isUsable } = await this.#askShared(flight)
    if (landing !== undefined) return landing
    try {
      const found = await this.#loads.load({ key, loader, read, unusable: token, isUsable })
      return this.#land(flight, { found, source: 'loader', isStale: false })
    } catch (error) {
      const stale = this.#lastResort(flight, read, shared)
      if (stale === undefined) throw error
      return stale
    }
  }

  async #askShared(flight: Flight<Landing | undefined>): Promise<SharedLook> {
    const nowMs = this.#clock.monotonic()
    const held = this.#mayReadMemory(nowMs) ? this.#memory.peek(flight.key, nowMs) : undefined
    const isUsable = (found: FoundValue): boolean => found.token !== held?.token && !flight.isPassedBy(found.tags) && this.#clock.monotonic() - found.loadedAtMs < found.freshMs
    if (this.#values === undefined || this.#link?.isUsable(nowMs) !== true) return { token: '', isUsable, shared: undefined, landing: undefined }
    const { found, token } = await this.#values.read(flight.key)
    const landing = found !== undefined && isUsable(found) ? this.#land(flight, { found, source: 'shared', isStale: false }) : undefined
    return { token, isUsable, shared: found, landing }
  }

  /** What may serve when the loader has failed: nothing that was invalidated, and nothing too old. */
  #lastResort(flight: Flight<Landing | undefined>, { ifErrorMs }: ReadSettings, shared: FoundValue | undefined): Landing | undefined {
    const nowMs = this.#clock.monotonic()
    if (ifErrorMs === 0 || !this.#mayReadMemory(nowMs)) return undefined
    const retryAtMs = nowMs + this.#settings.retryAfterFailureMs
    const held = this.#memory.peek(flight.key, nowMs)
    if (held !== undefined && !held.isNothing && nowMs < held.freshUntilMs + ifErrorMs) {
      held.refreshAtMs = retryAtMs
      const { copy, loadedAtMs, freshUntilMs, token } = held
      return { found: { copy, loadedAtMs, freshMs: freshUntilMs - loadedAtMs, staleMs: ifErrorMs, tags: held.tags?.map(({ tag }) => tag) ?? [], isNothing: false, token }, source: 'memory', isStale: nowMs >= freshUntilMs }
    }
    if (shared === undefined || shared.isNothing || flight.isPassedBy(shared.tags) || nowMs >= shared.loadedAtMs + shared.freshMs + ifErrorMs) return undefined
    return this.#land(flight, { found: shared, source: 'shared', isStale: nowMs >= shared.loadedAtMs + shared.freshMs }, retryAtMs)
  }

  /** Keeps in memory what a flight has brought, unless it was passed. */
  #land(flight: Flight<Landing | undefined>, landing: Landing, refreshAtMs?: number): Landing {
    const { found } = landing
    const { copy, loadedAtMs, freshMs, staleMs, tags, isNothing, token } = found
    if (freshMs > 0 && !flight.isPassedBy(tags)) {
      const freshUntilMs = loadedAtMs + freshMs
      const early = freshMs * this.#settings.refreshShare * Math.random()
      this.#memory.put(flight.key, { copy, loadedAtMs, freshUntilMs, refreshAtMs: refreshAtMs ?? freshUntilMs - early, keepUntilMs: freshUntilMs + staleMs, tags, isNothing, token })
    }
    return landing
  }

  async #invalidate(invalidation: Invalidation): Promise<void> {
    if (this.#invalidator === undefined) return this.#follow(invalidation)
    await this.connect()
    await this.#invalidator.invalidate(invalidation, this.#settings.invalidationTimeoutMs)
  }

  #follow(invalidation: Invalidation): void {
    this.#memory.follow(invalidation)
    this.#flights.follow(invalidation)
  }
}

/** A cache of layers. */
export function createCacheManager(options?: CacheManagerOptions): CacheManager {
  return new CacheManager(options)
}
