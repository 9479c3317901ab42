import type { CachingInterface } from '@smart-whale/interfaces'

/** A cache wholly in this process, such as core-cache's `L1Cache`: it answers at once, with values that nobody may change. */
export interface ImmediateCache {
  readonly isInProcess: true
  fastGet<T>(key: string): T | undefined
}

/** The cache, if it is one. What a layered cache has in memory isn't all that it knows, and what only inherits from one does something else in between. */
export function immediate(cache: CachingInterface | null): ImmediateCache | undefined {
  if (cache === null || !Object.hasOwn(cache, 'isInProcess')) return undefined
  const { isInProcess, fastGet } = cache as Partial<ImmediateCache>
  return isInProcess === true && typeof fastGet === 'function' ? (cache as unknown as ImmediateCache) : undefined
}
