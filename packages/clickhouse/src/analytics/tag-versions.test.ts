import type { CachingInterface } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { sameStamp, TagVersions } from './tag-versions.ts'

/** The smallest cache: each call takes a turn of the event loop, as one over a network does. */
function slowCache(): CachingInterface & { entries: Map<string, unknown> } {
  const entries = new Map<string, unknown>()
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    entries,
    connect: turn,
    disconnect: turn,
    get: async <T>(key: string) => {
      await turn()
      return entries.get(key) as T | undefined
    },
    set: async (key, value) => {
      await turn()
      entries.set(key, value)
    },
    delete: async (key) => entries.delete(key),
    exists: async (key) => entries.has(key),
    ttl: async () => null,
    async *scanKeys() {
      yield* entries.keys()
    },
  }
}

describe.each([
  ['in a cache', slowCache],
  ['in this process', () => null],
])('versions of tags kept %s', (_where, makeCache) => {
  it('stay the same until they are renewed, for every reader', async () => {
    const cache = makeCache()
    const versions = new TagVersions(cache, 'v:')
    const reader = cache === null ? versions : new TagVersions(cache, 'v:')

    const first = await versions.read(['a', 'b'])
    const again = await reader.read(['a', 'b'])
    await versions.renew(['a'])
    const renewed = await reader.read(['a', 'b'])

    expect(again).toEqual(first)
    expect(renewed.a).not.toBe(first.a)
    expect(renewed.b).toBe(first.b)
  })

  it('are the same for callers who find a tag without one at the same time', async () => {
    const versions = new TagVersions(makeCache(), 'v:')

    const stamps = await Promise.all(Array.from({ length: 20 }, () => versions.read(['a', 'b'])))

    expect(new Set(stamps.map((stamp) => JSON.stringify(stamp))).size).toBe(1)
  })

  it('exist for an occasional tag only once it is renewed', async () => {
    const cache = makeCache()
    const versions = new TagVersions(cache, 'v:')

    const before = await versions.read([], ['query'])
    const stored = cache?.entries.size ?? 0
    await versions.renew(['query'])
    const after = await versions.read([], ['query'])

    expect(before).toEqual({ query: '' })
    expect(stored).toBe(0)
    expect(after.query).not.toBe('')
  })
})

describe('a version that the cache lost', () => {
  it('never comes back, so answers of that time stay void', async () => {
    const cache = slowCache()
    const versions = new TagVersions(cache, 'v:')
    const before = await versions.read(['a'])

    cache.entries.clear()

    expect(sameStamp(await versions.read(['a']), before)).toBe(false)
  })
})

describe('two stamps', () => {
  it('are the same when they name the same versions of the same tags', () => {
    expect(sameStamp({ a: '1', b: '2' }, { b: '2', a: '1' })).toBe(true)
    expect(sameStamp({ a: '1' }, { a: '1', b: '2' })).toBe(false)
    expect(sameStamp({ a: '1', b: '2' }, { a: '1' })).toBe(false)
    expect(sameStamp({ a: '1' }, { a: '2' })).toBe(false)
  })
})

describe('versions without a cache', () => {
  it('are bounded, and what is forgotten makes no answer current again', async () => {
    const versions = new TagVersions(null, 'v:')
    const before = await versions.read(['a'], ['b'])
    expect(await versions.read(['a'], ['b'])).toEqual(before)

    for (let number = 0; number < 10_000; number++) await versions.renew([`tag ${number}`])

    const after = await versions.read(['a'], ['b'])
    expect(after['a']).not.toBe(before['a'])
    expect(await versions.read(['a'], ['b'])).toEqual(after)
  })
})
