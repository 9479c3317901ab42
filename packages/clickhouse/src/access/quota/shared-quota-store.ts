import { randomUUID } from 'node:crypto'
import { type CachingInterface, type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import { MemoryQuotaStore } from './memory-quota-store.ts'
import { isWithinWindow, type QuotaStore, SLICES_PER_WINDOW, type SpentSlice, type Spending } from './spending.ts'

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

/** How long ago a process looked at its quotas, by when it is taken for quiet: gone, or without anything to do. */
const QUIET_MS = 60_000
/** Tenants of which it is remembered what a quiet process has spent. */
const MAX_REMEMBERED = 10_000

/** How far the clocks of the processes may be apart before what a process has spent is forgotten too early. */
const CLOCKS_DIFFER_MS = 3_600_000
/** The lists of processes: with several, few write the same one at once. */
const LISTS = [...'0123456789abcdef']
/** How long a cache that failed is left alone: nobody waits for it meanwhile, and then one does. */
const LEFT_ALONE_MS = 1000
/** Tenants of which it is remembered what the others said last. */
const MAX_LAST_SAID = 10_000
/** Tenants of which it is remembered that they have spent something here. */
const MAX_SPENDERS = 100_000
/** Entries that are written again at each look, once the cache has lost some or refused them. */
const TOLD_AGAIN_AT_ONCE = 500
/** How often a process writes itself on the list while others write over it; the next second it does so again. */
const LIST_ROUNDS = 3

/** Another process that may have spent something within the window. */
interface Member {
  /** What it last said when it looked at its quotas. */
  readonly beat: number
  /** When that was new. */
  readonly heardAt: number
  /** What it has spent, by key, while it is quiet. */
  readonly spent: Map<string, readonly SpentSlice[]>
  /** Since when that is remembered. */
  rememberedSince: number
}

/**
 * Keeps what each tenant has spent over all processes that share the cache. A cache can't add: so each process writes what it has spent
 * itself, under a key of its own, and reads what the others wrote. Nothing is lost to two that write at once. While the cache is
 * away, each process counts its own and what the others said last, and lets nobody wait for the cache but one a second. What wasn't told, and all of it when the
 * cache has come back without its values, each process tells again within a second of its next decision; what those had spent that are gone by then is forgotten.
 *
 * A decision reads an entry of each process that is at work. What those have spent that are gone counts as long as the window has it, but is read once a minute only: a process
 * that comes back says so before it spends anything, and is heard within a second.
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
  #members: ReadonlyMap<string, Member> = new Map()
  #membersReadAt = -Infinity
  #looking: Promise<void> | undefined
  #longestWindowMs = 0
  /** By key, what the others were heard to have spent, for when they can't be. */
  readonly #lastSaid = new Map<string, readonly SpentSlice[]>()
  /** The window of each key for which something was spent here. */
  readonly #windows = new Map<string, number>()
  /** Keys of which the others don't know what was spent here. */
  readonly #untold = new Set<string>()
  /** When the cache is asked again that failed. */
  #asksAgainAt: number | undefined

  constructor({ cache, keyPrefix = 'smart-whale:quota:', timeoutMs = 250, clock = systemClock, logger = silentLogger }: SharedQuotaStoreOptions) {
    this.#cache = cache
    this.#prefix = keyPrefix
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#logger = logger
    this.#own = new MemoryQuotaStore({ clock })
  }

  async read(key: string, windowMs: number): Promise<readonly SpentSlice[]> {
    const heard = await this.#guarded('read what others have spent', async () => {
      const members = await this.#others(windowMs)
      return (await Promise.all([...members].map(([name, member]) => this.#spentBy(name, member, key)))).flat()
    })
    if (heard !== undefined) keepLatest(this.#lastSaid, key, heard, MAX_LAST_SAID)
    const now = this.#clock.now()
    const others = (heard ?? this.#lastSaid.get(key) ?? []).filter((slice) => isWithinWindow(slice, windowMs, now))
    // Looked at last: what ended while the others were asked is no longer under way.
    return [...this.#own.current(key, windowMs), ...others]
  }

  async add(key: string, spent: Spending, windowMs: number): Promise<void> {
    this.#own.spend(key, spent, windowMs)
    keepLatest(this.#windows, key, windowMs, MAX_SPENDERS)
    this.#untold.add(key)
    await this.#guarded('tell what was spent', async () => {
      await this.#others(windowMs)
      await this.#tell(key, windowMs)
    })
  }

  async #tell(key: string, windowMs: number): Promise<void> {
    // Whoever spends while this is on its way, tells of that himself.
    this.#untold.delete(key)
    const spent = this.#own.current(key, windowMs)
    if (spent.length === 0) return void this.#windows.delete(key)
    try {
      await this.#cache.set(this.#spentKey(key, this.#process), spent, Math.ceil(windowMs / 1000) + 1)
    } catch (error) {
      this.#untold.add(key)
      throw error
    }
  }

  async #spentBy(name: string, member: Member, key: string): Promise<readonly SpentSlice[]> {
    const now = this.#clock.monotonic()
    const isQuiet = now - member.heardAt >= QUIET_MS
    if (isQuiet && now - member.rememberedSince >= QUIET_MS) {
      member.spent.clear()
      member.rememberedSince = now
    }
    const known = member.spent.get(key)
    if (known !== undefined) return known
    const spent = (await this.#cache.get<SpentSlice[]>(this.#spentKey(key, name))) ?? []
    if (isQuiet && member.spent.size < MAX_REMEMBERED) member.spent.set(key, spent)
    return spent
  }

  /** The other processes, by lists that all of them keep together; they are looked at once a second at most. */
  async #others(windowMs: number): Promise<ReadonlyMap<string, Member>> {
    this.#longestWindowMs = Math.max(this.#longestWindowMs, windowMs)
    const now = this.#clock.monotonic()
    if (now - this.#membersReadAt >= 1000) {
      this.#membersReadAt = now
      const looking = this.#lookForOthers(now).finally(() => {
        if (this.#looking === looking) this.#looking = undefined
      })
      this.#looking = looking
    }
    // Also for those who come meanwhile: before the first look, nobody is known.
    await this.#looking
    return this.#members
  }

  async #lookForOthers(now: number): Promise<void> {
    const mine = listOf(this.#process)
    const lists = await Promise.all([this.#tellOfMe(mine), ...LISTS.filter((list) => list !== mine).map((list) => this.#listed(list))])
    const beats = lists.flatMap((list) => [...list]).filter(([name]) => name !== this.#process)
    // Who was heard of counts, also when a list has lost him.
    const known = [...this.#members].filter(([, { beat }]) => beat >= this.#forgottenBefore)
    this.#members = new Map([...known, ...beats.map(([name, beat]) => [name, heard(this.#members.get(name), beat, now)] as const)])
    await this.#tellAgain()
  }

  /** Not by the list: others write down there whom they know, also in a cache that has lost all else. */
  async #tellAgain(): Promise<void> {
    const markKey = `${this.#prefix}mark:${this.#process}`
    if ((await this.#cache.get(markKey)) === undefined) {
      for (const key of this.#windows.keys()) this.#untold.add(key)
      await this.#cache.set(markKey, true, this.#listLifeSeconds)
    }
    const keys = [...this.#untold].slice(0, TOLD_AGAIN_AT_ONCE)
    await Promise.all(keys.map((key) => this.#tell(key, this.#windows.get(key) ?? this.#longestWindowMs)))
  }

  /**
   * Puts this process on its list. Two that write at once may each miss the other: so a process looks whether it stands there, and everybody writes down
   * everybody of the list that it knows.
   */
  async #tellOfMe(list: string): Promise<Map<string, number>> {
    const known = [...this.#members].filter(([name]) => listOf(name) === list).map(([name, { beat }]) => [name, beat] as const)
    const beats = new Map([...known, ...(await this.#listed(list))])
    const beat = this.#clock.now()
    for (let round = 0; round < LIST_ROUNDS; round++) {
      for (const [name, its] of beats) if (its < this.#forgottenBefore) beats.delete(name)
      beats.set(this.#process, beat)
      await this.#cache.set(this.#listKey(list), Object.fromEntries(beats), this.#listLifeSeconds)
      const stands = await this.#listed(list)
      for (const [name, its] of stands) beats.set(name, Math.max(its, beats.get(name) ?? 0))
      if (stands.get(this.#process) === beat) break
    }
    return beats
  }

  async #listed(list: string): Promise<Map<string, number>> {
    const told = Object.entries((await this.#cache.get<Record<string, number>>(this.#listKey(list))) ?? {})
    return new Map(told.filter(([, beat]) => beat >= this.#forgottenBefore))
  }

  /** When who was last heard of has spent nothing any more that counts. */
  get #forgottenBefore(): number {
    return this.#clock.now() - this.#listLifeSeconds * 1000
  }

  get #listLifeSeconds(): number {
    return lifeSeconds(this.#longestWindowMs) + CLOCKS_DIFFER_MS / 1000
  }

  #listKey(list: string): string {
    return `${this.#prefix}members:${list}`
  }

  #spentKey(key: string, member: string): string {
    return `${this.#prefix}spent:${key}:${member}`
  }

  /** @returns nothing when the cache fails, or is left alone because it did */
  async #guarded<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    const now = this.#clock.monotonic()
    if (this.#asksAgainAt !== undefined) {
      if (now < this.#asksAgainAt) return undefined
      this.#asksAgainAt = now + LEFT_ALONE_MS
    }
    try {
      const answer = await withDeadline(work, { timeoutMs: this.#timeoutMs, clock: this.#clock, what })
      this.#asksAgainAt = undefined
      return answer
    } catch (error) {
      this.#asksAgainAt = this.#clock.monotonic() + LEFT_ALONE_MS
      this.#logger.warn({ err: error }, `the quota's cache could not ${what}; this process counts its own, and what the others said last, until it can`)
      return undefined
    }
  }
}

/** Puts it in as the latest, and takes out the oldest when there are too many. */
function keepLatest<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > max) map.delete(map.keys().next().value ?? '')
}

/** The same one, with what is remembered of it, unless it has said something new. */
function heard(before: Member | undefined, beat: number, now: number): Member {
  return before?.beat === beat ? before : { beat, heardAt: now, spent: new Map(), rememberedSince: -Infinity }
}

/** As long as a slice that was begun now counts, and until the next beat. */
function lifeSeconds(windowMs: number): number {
  return Math.ceil((windowMs * (1 + 1 / SLICES_PER_WINDOW)) / 1000) + 2
}

/** The list that a process stands on, by its id. */
const listOf = (process: string): string => process.slice(0, 1)
