import { outsideOfCalls } from '@smart-whale/core-resilience'
import type { CachingInterface } from '@smart-whale/interfaces'
import { randomUUID } from 'node:crypto'
import { immediate, type ImmediateCache } from './immediate-cache.ts'

/**
 * The version of each thing that an answer depends on, taken before the answer was loaded.
 * An answer counts only while all of them are still the current ones.
 */
export type CacheStamp = Readonly<Record<string, string>>

/** How long the version of a tag is kept. Longer than any answer lives, so that a forgotten version can't bring an old answer back. */
const VERSION_TTL_SECONDS = 7 * 24 * 3600

/** Versions that a process without a cache keeps. */
const MAX_OWN = 10_000

/** The version that a tag has before it is first renewed, for tags that exist only then. */
const NEVER_RENEWED = ''

/**
 * Versions of tags, kept beside the answers so that every process that shares the cache sees an invalidation at once.
 * A version is random and never comes back: an answer whose load began before an invalidation can't pass for a current one,
 * no matter how late it is stored or by whom.
 */
export class TagVersions {
  readonly #cache: CachingInterface | null
  readonly #immediate: ImmediateCache | undefined
  readonly #prefix: string
  readonly #own = new Map<string, string>()
  readonly #introducing = new Map<string, Promise<string>>()

  /** @param cache `null` keeps the versions in this process alone, for a service without a cache */
  constructor(cache: CachingInterface | null, prefix: string) {
    this.#cache = cache
    this.#immediate = immediate(cache)
    this.#prefix = prefix
  }

  /** As {@link read}, without a wait; `undefined` when the cache isn't in this process, or a tag of `lasting` has no version yet. */
  readAtOnce(lasting: readonly string[], occasional: readonly string[]): CacheStamp | undefined {
    if (this.#immediate === undefined) return undefined
    const stamp: Record<string, string> = {}
    for (const tag of lasting) {
      const version = this.#immediate.fastGet<string>(this.#prefix + tag)
      if (version === undefined) return undefined
      stamp[tag] = version
    }
    for (const tag of occasional) stamp[tag] = this.#immediate.fastGet<string>(this.#prefix + tag) ?? NEVER_RENEWED
    return stamp
  }

  /**
   * Makes a check of stamps of these tags, without a wait and with everything worked out beforehand that doesn't change: whether a stamp
   * names all of them, at their current versions. `undefined` when the cache isn't in this process.
   */
  checkOf(lasting: readonly string[], occasional: readonly string[]): ((stamp: CacheStamp) => boolean) | undefined {
    const cache = this.#immediate
    if (cache === undefined) return undefined
    const always = new Set(lasting)
    const tags = [...new Set([...always, ...occasional])]
    const keys = tags.map((tag) => this.#prefix + tag)
    const current = (index: number): string | undefined => cache.fastGet<string>(keys[index] as string) ?? (index < always.size ? undefined : NEVER_RENEWED)
    let seen: CacheStamp | undefined
    let versions: readonly (string | undefined)[] = []
    return (stamp) => {
      if (stamp !== seen) {
        if (Object.keys(stamp).length !== tags.length) return false
        versions = tags.map((tag) => stamp[tag])
        seen = stamp
      }
      return versions.every((version, index) => version !== undefined && version === current(index))
    }
  }

  /** Current versions; a tag of `lasting` that has none yet gets one. */
  async read(lasting: readonly string[], occasional: readonly string[] = []): Promise<CacheStamp> {
    const versions = await Promise.all([
      ...lasting.map(async (tag) => [tag, (await this.#get(tag)) ?? (await this.#introduce(tag))] as const),
      ...occasional.map(async (tag) => [tag, (await this.#get(tag)) ?? NEVER_RENEWED] as const),
    ])
    return Object.fromEntries(versions)
  }

  /** Gives each tag a new version: answers that carry the old one are void from now on. */
  async renew(tags: Iterable<string>): Promise<void> {
    await Promise.all([...tags].map((tag) => this.#renew(tag)))
  }

  /** Callers who find a tag without a version at the same time must get the same one: else their equal queries would not be shared. */
  #introduce(tag: string): Promise<string> {
    const underWay = this.#introducing.get(tag)
    if (underWay !== undefined) return underWay
    const version = outsideOfCalls(() => this.#getOrRenew(tag)).finally(() => this.#introducing.delete(tag))
    this.#introducing.set(tag, version)
    return version
  }

  async #getOrRenew(tag: string): Promise<string> {
    return (await this.#get(tag)) ?? (await this.#renew(tag))
  }

  async #get(tag: string): Promise<string | undefined> {
    return this.#cache === null ? this.#own.get(tag) : this.#cache.get<string>(this.#prefix + tag)
  }

  async #renew(tag: string): Promise<string> {
    const version = randomUUID()
    if (this.#cache === null) this.#keepOwn(tag, version)
    else await this.#cache.set(this.#prefix + tag, version, VERSION_TTL_SECONDS)
    return version
  }

  /** When there are too many, all are forgotten: every tag that answers always depend on gets another version then, and no answer of before is current. */
  #keepOwn(tag: string, version: string): void {
    if (this.#own.size >= MAX_OWN) this.#own.clear()
    this.#own.set(tag, version)
  }
}

/** Whether two stamps name the same versions of the same tags. */
export function sameStamp(one: CacheStamp, other: CacheStamp): boolean {
  const tags = Object.keys(one)
  return tags.length === Object.keys(other).length && tags.every((tag) => one[tag] === other[tag])
}
