import { randomUUID } from 'node:crypto'
import { type CachingInterface, type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import { MemoryQuotaStore } from './memory-quota-store.ts'
import { isWithinWindow, type QuotaStore, type SpentSlice, type Spending } from './spending.ts'

/** What a {@link createSharedQuotaStore} is made from. */
export interface SharedQuotaStoreOptions {
  /** Where the processes tell each other what they have spent. @default none, required */
  cache: CachingInterface
  /** Start of every key. @default 'smart-whale:quota:' */
  keyPrefix?: string | undefined
  /** How long the cache may take, in milliseconds; then what it last said counts. @default 250 */
  timeoutMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of a cache that fails. @default silentLogger */
  logger?: Logger | undefined
}

/** How long a process that spends nothing is remembered. */
const MEMBER_SECONDS = 3600

/**
 * Keeps what each tenant has spent over all processes that share the cache. A cache can't add: so each process writes what it has spent
 * itself, under a key of its own, and reads what the others wrote. Nothing is lost to two that write at once. While the cache is
 * away, each process counts its own.
 */
export function createSharedQuotaStore(options: SharedQuotaStoreOptions): QuotaStore {
  return new SharedQuotaStore(options)
}

class SharedQuotaStore implements QuotaStore {
  readonly #cache: CachingInterface
  readonly #prefix: string
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #own: MemoryQuotaStore
  readonly #process = randomUUID()
  #members: readonly string[] = []
  #membersReadAt = -Infinity

  constructor({ cache, keyPrefix = 'smart-whale:quota:', timeoutMs = 250, clock = systemClock, logger = silentLogger }: SharedQuotaStoreOptions) {
    this.#cache = cache
    this.#prefix = keyPrefix
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#logger = logger
    this.#own = new MemoryQuotaStore({ clock })
  }

  async read(key: string, windowMs: number): Promise<readonly SpentSlice[]> {
    const own = this.#own.current(key, windowMs)
    const now = this.#clock.now()
    const others = await this.#guarded('read what others have spent', async () => {
      const members = await this.#others()
      const lists = await Promise.all(members.map((member) => this.#cache.get<SpentSlice[]>(this.#spentKey(key, member))))
      return lists.flatMap((list) => list ?? []).filter((slice) => isWithinWindow(slice, windowMs, now))
    }, [])
    return [...own, ...others]
  }

  async add(key: string, spent: Spending, windowMs: number): Promise<void> {
    this.#own.spend(key, spent, windowMs)
    await this.#guarded('tell what was spent', async () => {
      await this.#others()
      await this.#cache.set(this.#spentKey(key, this.#process), this.#own.current(key, windowMs), Math.ceil(windowMs / 1000) + 1)
    }, undefined)
  }

  /** The other processes. Each says that it is there by a key of its own; the list is looked through once a second at most. */
  async #others(): Promise<readonly string[]> {
    const now = this.#clock.monotonic()
    if (now - this.#membersReadAt < 1000) return this.#members
    this.#membersReadAt = now
    const prefix = `${this.#prefix}member:`
    await this.#cache.set(`${prefix}${this.#process}`, true, MEMBER_SECONDS)
    const members: string[] = []
    for await (const name of this.#cache.scanKeys(`${prefix.replace(/[*?[\]\\]/g, '\\$&')}*`)) members.push(name.slice(prefix.length))
    this.#members = members.filter((member) => member !== this.#process)
    return this.#members
  }

  #spentKey(key: string, member: string): string {
    return `${this.#prefix}spent:${key}:${member}`
  }

  async #guarded<T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await withDeadline(work, { timeoutMs: this.#timeoutMs, clock: this.#clock, what })
    } catch (error) {
      this.#logger.warn({ err: error }, `the quota's cache could not ${what}; this process counts its own until it can`)
      return otherwise
    }
  }
}
