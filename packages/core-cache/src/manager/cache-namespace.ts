import type { CacheManager } from './cache-manager.ts'
import type { SmartGetOptions } from './manager-options.ts'
import type { Loader } from './run-loader.ts'

/** A part of a cache with keys of its own, which can be emptied at once, however many there are. */
export class CacheNamespace {
  readonly #manager: CacheManager
  readonly #prefix: string
  readonly #tag: string
  readonly #plainOptions: { readonly tags: readonly string[] }

  constructor(manager: CacheManager, name: string) {
    this.#manager = manager
    this.#prefix = `${name}:`
    this.#tag = `namespace:${name}`
    this.#plainOptions = { tags: [this.#tag] }
  }

  /** As `CacheManager.smartGet`. */
  smartGet<T>(key: string, loader: Loader<T>, options?: SmartGetOptions<T>): Promise<T> {
    return this.#manager.smartGet(this.#prefix + key, loader, this.#tagged(options))
  }

  /** As `CacheManager.smartSet`. */
  smartSet<T>(key: string, value: T, options?: SmartGetOptions<T>): Promise<void> {
    return this.#manager.smartSet(this.#prefix + key, value, this.#tagged(options))
  }

  /** As `CacheManager.invalidate`. */
  invalidate(key: string): Promise<void> {
    return this.#manager.invalidate(this.#prefix + key)
  }

  /** As `CacheManager.batchInvalidate`. */
  batchInvalidate(keys: readonly string[]): Promise<void> {
    return this.#manager.batchInvalidate(keys.map((key) => this.#prefix + key))
  }

  /** Invalidates all of it, in one step. */
  clear(): Promise<void> {
    return this.#manager.invalidateTags([this.#tag])
  }

  #tagged<T>(options: SmartGetOptions<T> | undefined): SmartGetOptions<T> {
    if (options === undefined) return this.#plainOptions
    const { tags } = options
    if (typeof tags === 'function') return { ...options, tags: (value) => [...tags(value), this.#tag] }
    return { ...options, tags: [...(tags ?? []), this.#tag] }
  }
}
