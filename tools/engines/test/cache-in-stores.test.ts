import { cachingContract } from '../../../packages/interfaces/src/testing/index.ts'
import type { StorageInterface } from '../../../packages/interfaces/src/index.ts'
import { createCacheManager, createL3Cache, createStorageLayer, type StorageDialectName, type StorageLayer, type StorageLayerOptions } from '../../../packages/core-cache/src/index.ts'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../fresh-database.ts'
import { type OwnDatabase, ownDatabase } from '../../../packages/clickhouse/test/own-database.ts'
import { ClickHouseStorage } from '../../../packages/clickhouse/src/index.ts'
import { createTimescaleAdapter } from '../../../packages/timescaledb/src/index.ts'

/** A store that suites run on. */
interface Store {
  readonly dialect: StorageDialectName
  /** A handle of its own, as another process would have. */
  storage(): StorageInterface
}

let postgres: FreshDatabase
let clickhouse: OwnDatabase
beforeAll(async () => {
  postgres = await freshDatabase(inject('postgres'))
  clickhouse = await ownDatabase()
})
afterAll(async () => {
  await postgres?.drop()
  await clickhouse?.drop()
})

const stores: readonly [string, Store][] = [
  ['PostgreSQL', { dialect: 'postgresql', storage: () => createTimescaleAdapter({ url: postgres.url }) }],
  ['ClickHouse', {
    dialect: 'clickhouse',
    storage: () => {
      const { url, owner } = inject('clickhouse')
      return new ClickHouseStorage({ url, user: owner.username, password: owner.password, database: clickhouse.name })
    },
  }],
]

describe.each(stores)('L3Cache in %s', (_name, { dialect, storage }) => {
  const opened: StorageInterface[] = []
  afterAll(async () => {
    for (const one of opened) await one.disconnect()
  })

  function layer(options: Partial<StorageLayerOptions> = {}): StorageLayer {
    const handle = storage()
    opened.push(handle)
    return createStorageLayer({ storage: handle, name: 'contract', dialect, ...options })
  }

  // ClickHouse takes a part of the disk for each row that comes alone, and its time: it is asked for what depends on the store, not for what does on many keys or on seconds.
  const isQuick = dialect === 'postgresql'
  const cases = cachingContract.filter(({ name }) => isQuick || !/many|any course|any pattern|scanKeys|any text|its time|a life/.test(name))

  it.for(cases)('keeps the caching contract: $name', async ({ run }) => {
    await run({ create: async () => createL3Cache({ layer: layer(), timeoutMs: 30_000 }), defaultTtlSeconds: 86_400 })
  })

  it('is there after a restart, and without what was invalidated', async () => {
    const first = createL3Cache({ layer: layer({ name: 'restart' }), timeoutMs: 60_000 })
    await first.connect()
    for (const key of ['a', 'b', 'c', 'd']) await first.persistentSet(key, key, { tags: [`of ${key}`] })
    await first.invalidate('a')
    await first.invalidateTags(['of b'])
    await first.patternInvalidate('[c]')
    await first.disconnect()

    const second = createL3Cache({ layer: layer({ name: 'restart' }), timeoutMs: 60_000 })
    await second.connect()

    expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => second.get(key)))).toEqual([undefined, undefined, undefined, 'd'])
    await second.persistentSet('b', 'again', { tags: ['of b'] })
    expect(await second.get('b')).toBe('again')
    await second.clear()
    expect(await second.get('d')).toBeUndefined()
    await second.disconnect()
  })

  if (isQuick) it('holds no more than it may; the oldest go', async () => {
    const cache = createL3Cache({ layer: layer({ name: 'bounds', maxEntries: 20 }), timeoutMs: 60_000 })
    await cache.connect()
    for (let index = 0; index < 40; index++) await cache.set(`k${index}`, index)

    const { entries } = await cache.cleanup()

    expect(entries).toBeLessThanOrEqual(20)
    expect(entries).toBeGreaterThan(10)
    expect([await cache.get('k39'), await cache.get('k0')]).toEqual([39, undefined])
    await cache.disconnect()
  })

  it('is one process’s at a time: who came before keeps nothing from the second, and reads nothing of its', async () => {
    const first = createL3Cache({ layer: layer({ name: 'taken' }), timeoutMs: 60_000 })
    await first.connect()
    await first.set('k', 'first')
    const second = createL3Cache({ layer: layer({ name: 'taken' }), timeoutMs: 60_000 })
    await second.connect()
    expect(await second.get('k')).toBe('first')
    await second.invalidate('k')
    await first.set('k', 'late').catch(() => {})

    expect(await second.get('k')).toBeUndefined()
    await expect(first.get('k')).rejects.toMatchObject({ code: 'ERR_CACHE_PERSISTENT' })
    await Promise.all([first.disconnect(), second.disconnect()])
  })

  it('forgets what was there when nobody knows what became of a write', async () => {
    const handle = storage()
    opened.push(handle)
    let fails = false
    /** Carries an insert out, and loses its answer. */
    const execute = async (query: string, ...rest: [unknown[], object]): Promise<unknown> => {
      const rows = await handle.execute(query, ...rest)
      if (fails && query.startsWith('insert')) throw new TypeError('the line broke')
      return rows
    }
    const breaking = new Proxy(handle, { get: (target, name) => (name === 'execute' ? execute : (target[name as 'connect'] as () => unknown).bind(target)) })
    const cache = createL3Cache({ layer: createStorageLayer({ storage: breaking, name: 'doubt', dialect }), timeoutMs: 60_000 })
    await cache.connect()
    await cache.set('before', 1)

    fails = true
    await expect(cache.set('k', 'unknown')).rejects.toMatchObject({ code: 'ERR_CACHE_PERSISTENT' })
    fails = false

    expect([await cache.get('before'), await cache.get('k')]).toEqual([undefined, undefined])
    await cache.set('k', 'known')
    expect(await cache.get('k')).toBe('known')
    await cache.disconnect()
  })

  it('serves a manager', async () => {
    const options = { ttlSeconds: 600, persistentMinLoadMs: 0, persistentTimeoutMs: 10_000, persistentOpenTimeoutMs: 20_000 }
    const first = createCacheManager({ persistent: layer({ name: 'manager' }), ...options })
    await first.smartGet('k', () => ({ at: new Date(3) }))
    await first.smartGet('gone', () => 1)
    await first.invalidate('gone')
    await first.disconnect()

    const second = createCacheManager({ persistent: layer({ name: 'manager' }), ...options })

    expect(await second.smartGetDetailed('k', () => 'new')).toMatchObject({ value: { at: new Date(3) }, source: 'persistent' })
    expect(await second.smartGet('gone', () => 'new')).toBe('new')
    await second.disconnect()
  })

  it('refuses wrong options by name', () => {
    const handle = storage()
    for (const [option, value] of Object.entries({ name: '', table: 'a; drop', dialect: 'oracle', maxEntries: 0, storage: null })) {
      expect(() => createStorageLayer({ storage: handle, name: 'n', [option]: value } as unknown as StorageLayerOptions)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option } }) as Error)
    }
  })
})
