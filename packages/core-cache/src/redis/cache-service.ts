import { withDeadline } from '@smart-whale/core-resilience'
import { type CachingInterface, compileGlob, type Logger, silentLogger } from '@smart-whale/interfaces'
import { requireKey, requireTtl, requireValue } from '../check-entry.ts'
import { openValue, sealValue } from '../codec/value-payload.ts'
import { optionError, redisError } from '../errors.ts'
import { newToken } from '../manager/load-token.ts'
import { GetBatch } from './get-batch.ts'
import { checkRedisConfig, type RedisConfig } from './redis-config.ts'
import { RedisConnection } from './redis-connection.ts'
import { scanKeysOf } from './scan-keys.ts'

/** What a {@link CacheService} may be told besides where Redis is. */
export interface CacheServiceOptions {
  /** Life of an entry that is set without one; `null` for until it is deleted. @default 60 */
  defaultTtlSeconds?: number | null | undefined
  /** How long a command may take, in milliseconds. @default 1_000 */
  timeoutMs?: number | undefined
  /** Told of broken connections. @default silentLogger */
  logger?: Logger | undefined
}

/** A lock that was got; see `CacheService.lock`. */
export interface CacheLock extends AsyncDisposable {
  /**
   * Grows from holder to holder, also when Redis comes back empty: whoever is written to refuses a number below the greatest that it has seen, and with it a holder
   * that slept past the lock's end.
   */
  readonly fencingToken: bigint
  /** Whether it still was this holder's, and is for that long again. */
  prolong(lifeMs: number): Promise<boolean>
  /** Whether it still was this holder's. */
  release(): Promise<boolean>
}

/**
 * A cache on Redis alone, behind the caching contract: every call goes to the server, and an error there is the caller's. For layers, one load and invalidations
 * that hold, see `CacheManager`.
 */
export class CacheService implements CachingInterface {
  readonly #connection: RedisConnection
  /** Another one, where locks wait for copies: nothing else is to stand behind these waits. */
  readonly #locks: RedisConnection
  readonly #gets: GetBatch
  readonly #prefix: string
  readonly #lockPrefix: string
  readonly #defaultTtlSeconds: number | null
  readonly #timeoutMs: number
  readonly #waitForReplicas: number

  constructor(config: RedisConfig, { defaultTtlSeconds = 60, timeoutMs = 1_000, logger = silentLogger }: CacheServiceOptions = {}) {
    if (defaultTtlSeconds !== null && !(defaultTtlSeconds > 0)) throw optionError('defaultTtlSeconds', defaultTtlSeconds, 'a number of seconds above 0, or null')
    if (!(timeoutMs >= 1)) throw optionError('timeoutMs', timeoutMs, 'a number of milliseconds, 1 or more')
    const checked = checkRedisConfig(config)
    this.#connection = new RedisConnection(checked, logger)
    this.#waitForReplicas = checked.waitForReplicas ?? 0
    this.#locks = this.#waitForReplicas === 0 ? this.#connection : new RedisConnection(checked, logger)
    this.#gets = new GetBatch(this.#connection)
    this.#prefix = `${checked.prefix}:c:`
    this.#lockPrefix = `${checked.prefix}:lock:`
    this.#defaultTtlSeconds = defaultTtlSeconds
    this.#timeoutMs = timeoutMs
  }

  /** Dials, and goes on dialling until {@link disconnect} where there is no answer. @throws ConnectionError `ERR_CACHE_REDIS` then */
  async connect(): Promise<void> {
    await Promise.all([...new Set([this.#connection, this.#locks])].map((connection) => connection.open()))
    await this.#ask('answer', () => this.#connection.commands.ping())
  }

  async disconnect(): Promise<void> {
    for (const connection of [this.#connection, this.#locks]) connection.close()
  }

  /** What is there for the key; a payload that nobody of ours wrote is a miss. */
  async distributedGet<T = unknown>(key: string): Promise<T | undefined> {
    requireKey(key)
    const payload = await this.#ask('read', () => this.#gets.get(this.#prefix + key))
    return payload === undefined ? undefined : (openValue(payload)?.value as T | undefined)
  }

  async distributedSet(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    requireKey(key)
    requireValue(value)
    requireTtl(ttlSeconds)
    const payload = sealValue(value)
    const seconds = ttlSeconds ?? this.#defaultTtlSeconds
    const { commands } = this.#connection
    await this.#ask('write', () => (seconds === null || seconds === Infinity ? commands.set(this.#prefix + key, payload) : commands.set(this.#prefix + key, payload, 'PX', Math.max(1, Math.ceil(seconds * 1000)))))
  }

  get<T = unknown>(key: string): Promise<T | undefined> {
    return this.distributedGet<T>(key)
  }

  set(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    return this.distributedSet(key, value, ttlSeconds)
  }

  async delete(key: string): Promise<boolean> {
    requireKey(key)
    return (await this.#ask('delete', () => this.#connection.commands.del(this.#prefix + key))) === 1
  }

  async exists(key: string): Promise<boolean> {
    requireKey(key)
    return (await this.#ask('look', () => this.#connection.commands.exists(this.#prefix + key))) === 1
  }

  async ttl(key: string): Promise<number | null> {
    requireKey(key)
    const leftMs = await this.#ask('look', () => this.#connection.commands.pttl(this.#prefix + key))
    return leftMs < 0 ? null : leftMs / 1000
  }

  async *scanKeys(pattern: string): AsyncIterable<string> {
    const matches = compileGlob(pattern)
    const seen = new Set<string>()
    for (const master of this.#connection.masters()) {
      for await (const names of scanKeysOf(master, `${this.#prefix}*`)) {
        const found = new Set(names.map((name) => name.slice(this.#prefix.length)).filter((key) => !seen.has(key) && matches(key)))
        for (const key of found) seen.add(key)
        yield* found
      }
    }
  }

  /**
   * A lock of that name, or `undefined` when somebody has it. It ends by itself after its life. With `waitForReplicas` it is there on copies before it is
   * given: a failover then doesn't give it to a second holder.
   */
  async lock(name: string, lifeMs: number): Promise<CacheLock | undefined> {
    requireKey(name)
    const key = `${this.#lockPrefix}{${name}}`
    const holder = newToken()
    const number = await this.#ask('lock', () => this.#locks.run('swCacheLock', key, `${key}:number`, holder, lifeMs))
    if (typeof number !== 'string') return undefined
    const keep = async (ms: number): Promise<boolean> => (await this.#ask('keep a lock', () => this.#locks.run('swCacheKeepLock', key, holder, ms))) === 1
    if (this.#waitForReplicas > 0) await this.#copied(() => keep(0))
    return { fencingToken: BigInt(number), prolong: keep, release: () => keep(0), [Symbol.asyncDispose]: async () => void (await keep(0)) }
  }

  /** The connection, for who knows more about its servers. */
  protected get connection(): RedisConnection {
    return this.#connection
  }

  /** What a key is called in Redis. */
  protected nameOf(key: string): string {
    return this.#prefix + key
  }

  /** Gives back what isn't copied: nobody is to lean on it. */
  async #copied(giveBack: () => Promise<unknown>): Promise<void> {
    try {
      await this.#ask('copy a lock', () => this.#locks.waitForCopies(this.#waitForReplicas))
    } catch (error) {
      await giveBack().catch(() => {})
      throw error
    }
  }

  async #ask<R>(what: string, request: () => Promise<R>): Promise<R> {
    try {
      return await withDeadline(request, { timeoutMs: this.#timeoutMs, what: `Redis's answer to ${what}` })
    } catch (error) {
      throw redisError(what, error)
    }
  }
}

/** A ready cache on Redis. */
export function createCacheService(config: RedisConfig, options?: CacheServiceOptions): CacheService {
  return new CacheService(config, options)
}
