import { describe, expect, it } from 'vitest'
import type { CachingInterface } from '../caching.ts'
import type { Clock } from '../clock.ts'
import { failuresOf } from './doubles/failures-of.ts'
import { MapCache, mapSubject } from './doubles/map-cache.ts'
import { cachingContract } from './index.ts'

describe('cachingContract on a cache that keeps it', () => {
  it.each(cachingContract)('$name', ({ run }) => run(mapSubject()))
})

type Change = (cache: MapCache) => Partial<CachingInterface>

/** A cache with some of its methods replaced. */
function changed(change: Change): (clock: Clock) => CachingInterface {
  return (clock) => {
    const cache = new MapCache(clock)
    return Object.assign(cache, change(cache))
  }
}

const original = MapCache.prototype

const throughJson: Change = (cache) => ({
  set: async (key, value, ttl) => original.set.call(cache, key, JSON.parse(JSON.stringify(value) ?? 'null'), ttl),
})

async function* filtered(keys: AsyncIterable<string>, keep: (key: string) => boolean): AsyncIterable<string> {
  for await (const key of keys) if (keep(key)) yield key
}

async function* doubled(keys: AsyncIterable<string>): AsyncIterable<string> {
  for await (const key of keys) yield* [key, key]
}

/** `*` and `?` alone, the way many caches do it. */
const asRegExp = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 'u')

describe('cachingContract on a cache that breaks it', () => {
  const broken: readonly [string, string, Change][] = [
    ['null is a miss', 'keeps null', (cache) => ({ get: async <T>(key: string) => (await original.get.call(cache, key)) as T ?? undefined })],
    ['values go through JSON (times)', 'keeps times', throughJson],
    ['values go through JSON (maps)', 'keeps maps', throughJson],
    ['values go through JSON (bytes)', 'keeps bytes', throughJson],
    ['values go through JSON (numbers)', 'keeps numbers', throughJson],
    ['undefined is cached as null', 'refuses to cache undefined', throughJson],
    ['functions are dropped silently', 'could not give back', throughJson],
    ['a miss is null', 'undefined for a miss', (cache) => ({ get: async <T>(key: string) => ((await original.get.call(cache, key)) ?? null) as T })],
    ['values are shared with their holder', 'does not notice', (cache) => {
      const held = new Map<string, unknown>()
      return {
        set: async (key, value, ttl) => {
          held.set(key, value)
          await original.set.call(cache, key, value, ttl)
        },
        get: async <T>(key: string) => held.get(key) as T,
      }
    }],
    ['the first value wins', 'keeps the latest', (cache) => ({
      set: async (key, value, ttl) => {
        if (!(await cache.exists(key))) await original.set.call(cache, key, value, ttl)
      },
    })],
    ['delete always says yes', 'delete says', (cache) => ({ delete: async (key) => original.delete.call(cache, key).then(() => true) })],
    ['delete does nothing', 'behaves like a map', () => ({ delete: async () => true })],
    ['entries never expire', 'forgets an entry', (cache) => ({ set: (key, value) => original.set.call(cache, key, value) })],
    ['ttl is in milliseconds', 'ttl tells', (cache) => ({ ttl: async (key) => ((await original.ttl.call(cache, key)) ?? 0) * 1000 })],
    ['an earlier life goes on', 'the default one', (cache) => {
      const lives = new Map<string, number | undefined>()
      return {
        set: async (key, value, ttl) => {
          lives.set(key, ttl ?? lives.get(key))
          await original.set.call(cache, key, value, lives.get(key))
        },
      }
    }],
    ['a life of 0 is for ever', 'refuses a life', (cache) => ({ set: (key, value, ttl) => original.set.call(cache, key, value, ttl || undefined) })],
    ['classes and escapes are not understood', 'every form of a glob', (cache) => ({
      scanKeys: (pattern) => filtered(original.scanKeys.call(cache, '*'), (key) => asRegExp(pattern).test(key)),
    })],
    ['a pattern matches anywhere', 'by any pattern', (cache) => ({ scanKeys: (pattern) => original.scanKeys.call(cache, `*${pattern}*`) })],
    ['scanKeys repeats keys', 'each of many keys once', (cache) => ({ scanKeys: (pattern) => doubled(original.scanKeys.call(cache, pattern)) })],
    ['scanKeys loses keys', 'each of many keys once', (cache) => ({
      scanKeys: (pattern) => filtered(original.scanKeys.call(cache, pattern), (key) => !key.endsWith('7')),
    })],
  ]

  it.each(broken)('notices that %s', async (_fault, only, change) => {
    const failed = await failuresOf(cachingContract, () => mapSubject(changed(change)), only)

    expect(failed).toHaveLength(1)
  })
})
