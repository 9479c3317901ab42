import { fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createL3Cache, type L3Cache, type L3CacheOptions, type PersistentEvent } from '@smart-whale/core-cache'
import { createFileLayer, type FileLayerOptions } from '@smart-whale/core-cache/sqlite'
import { cachingContract } from '@smart-whale/interfaces/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheThreads } from './l3-threads.ts'

let folder = ''
let path = ''
let open: L3Cache[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smart-whale-l3-'))
  path = join(folder, 'cache.sqlite')
})
afterEach(async () => {
  for (const cache of open) await cache.disconnect()
  open = []
  await rm(folder, { recursive: true, force: true })
})

/** A cache on the test's file, and what it was told. */
async function opened(file: Partial<FileLayerOptions> = {}, options: Partial<L3CacheOptions> = {}): Promise<{ cache: L3Cache; events: PersistentEvent[] }> {
  const events: PersistentEvent[] = []
  const cache = createL3Cache({ layer: createFileLayer({ path, ...file }), onEvent: (event) => events.push(event), ...options })
  open.push(cache)
  await cache.connect()
  return { cache, events }
}

async function reopened(cache: L3Cache): Promise<{ cache: L3Cache; events: PersistentEvent[] }> {
  await cache.disconnect()
  return opened()
}

describe('L3Cache in a file keeps the caching contract', () => {
  it.for(cachingContract)('$name', async ({ run }) => {
    await run({ create: async () => createL3Cache({ layer: createFileLayer({ path }), timeoutMs: 10_000 }), defaultTtlSeconds: 86_400 })
  })
})

describe('A cache in a file', () => {
  it('is there after a restart, with what is left of its lives', async () => {
    const first = await opened()
    await first.cache.persistentSet('k', { at: new Date(5), big: 2n ** 70n }, { ttlSeconds: 100 })
    await first.cache.persistentSet('gone', 1)
    await first.cache.invalidate('gone')

    const { cache } = await reopened(first.cache)

    expect(await cache.persistentGet('k')).toEqual({ at: new Date(5), big: 2n ** 70n })
    expect(await cache.ttl('k')).toBeGreaterThan(90)
    expect(await cache.persistentGet('gone')).toBeUndefined()
  })

  it('forgets by tag, pattern and altogether, and what comes after that stays', async () => {
    const { cache } = await opened()
    await cache.persistentSet('a:1', 1, { tags: ['t'] })
    await cache.persistentSet('b:1', 2, { tags: ['t', 'u'] })
    await cache.persistentSet('b:2', 3)
    await cache.invalidateTags(['t'])
    expect([await cache.get('a:1'), await cache.get('b:1'), await cache.get('b:2')]).toEqual([undefined, undefined, 3])

    await cache.persistentSet('a:1', 4, { tags: ['t'] })
    await cache.patternInvalidate('b:*')
    expect([await cache.get('a:1'), await cache.get('b:2')]).toEqual([4, undefined])

    const again = await reopened(cache)
    expect(await again.cache.get('a:1')).toBe(4)
    await again.cache.clear()
    expect(await again.cache.get('a:1')).toBeUndefined()
  })

  it('takes keys that are no proper text, each for itself', async () => {
    const { cache } = await opened()
    const keys = ['\ud800', '\ud801', '\ufffd', 'a\u0000b', 'a\u0000c', 'a', '"', '\\', '']
    for (const key of keys) await cache.set(key, key)

    for (const key of keys) expect(await cache.get(key)).toBe(key)
    const listed: string[] = []
    for await (const key of cache.scanKeys('*')) listed.push(key)
    expect(listed.sort()).toEqual([...keys].sort())
  })

  it('holds no more entries and bytes than it may; the oldest go', async () => {
    const { cache } = await opened({ maxEntries: 100, maxBytes: 400_000 })
    for (let index = 0; index < 300; index++) await cache.set(`k${index}`, index)
    const byEntries = await cache.cleanup()
    for (let index = 0; index < 300; index++) await cache.set(`large${index}`, 'x'.repeat(10_000))
    const byBytes = await cache.cleanup()

    expect(byEntries.entries).toBeLessThanOrEqual(100)
    expect(byEntries.entries).toBeGreaterThan(80)
    expect(byBytes.bytes).toBeLessThanOrEqual(400_000)
    expect(byBytes.bytes).toBeGreaterThan(300_000)
    expect([await cache.get('large299'), await cache.get('k299')]).toEqual(['x'.repeat(10_000), undefined])
    expect((await stat(path)).size).toBeLessThan(800_000 + 256 * 4096)
    expect(await cache.persistentSet('too large', 'x'.repeat(500_000))).toBe(false)
  })

  it('lets what has expired go first', async () => {
    const { cache } = await opened({ maxEntries: 10 })
    for (let index = 0; index < 5; index++) await cache.set(`old${index}`, index)
    for (let index = 0; index < 5; index++) await cache.set(`short${index}`, index, 0.05)
    await new Promise((resolve) => setTimeout(resolve, 60))
    for (let index = 0; index < 5; index++) await cache.set(`new${index}`, index)

    expect(await Promise.all([0, 1, 2, 3, 4].map((index) => cache.get(`old${index}`)))).toEqual([0, 1, 2, 3, 4])
  })

  it('is one process’s at a time, and says so to the second', async () => {
    await opened()
    const second = createL3Cache({ layer: createFileLayer({ path }) })
    open.push(second)

    await expect(second.connect()).rejects.toMatchObject({ code: 'ERR_CACHE_PERSISTENT', retryable: true, message: expect.stringContaining('locked') as string })
  })

  it('says that it can’t be opened, and can when the reason is gone', async () => {
    mkdirSync(path)
    const cache = createL3Cache({ layer: createFileLayer({ path }) })
    open.push(cache)
    await expect(cache.connect()).rejects.toMatchObject({ code: 'ERR_CACHE_PERSISTENT', retryable: true })
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_CACHE_PERSISTENT' })
    rmdirSync(path)

    await cache.set('k', 1)

    expect(await cache.get('k')).toBe(1)
  })

  it('refuses wrong options by name', () => {
    for (const [option, value] of Object.entries({ path: '', maxBytes: 0, maxEntries: 1.5, commitEveryMs: -1, maxPending: 0 })) {
      expect(() => createFileLayer({ path, [option]: value })).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option } }) as Error)
    }
    for (const [option, value] of Object.entries({ layer: null, defaultTtlSeconds: 0, timeoutMs: 0, openTimeoutMs: -1, cleanupEverySeconds: Number.NaN })) {
      expect(() => createL3Cache({ layer: createFileLayer({ path }), [option]: value } as L3CacheOptions)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option } }) as Error)
    }
  })

  it('leaves no thread when it is closed', async (context) => {
    if (cacheThreads() === undefined) return context.skip('needs a system that names its threads')
    const { cache } = await opened()
    await cache.set('k', 1)
    const whileOpen = cacheThreads()
    await cache.disconnect()

    expect([whileOpen, cacheThreads()]).toEqual([1, 0])
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_CACHE_PERSISTENT' })
  })
})

describe('A file that is no use', () => {
  it.each([
    ['that is no database', 'foreign', () => writeFileSync(path, 'my diary'.repeat(1000))],
    ['that is cut off', 'corrupt', () => writeFileSync(path, readFileSync(path).subarray(0, 5000))],
    ['whose pages are noise', 'corrupt', () => {
      const bytes = readFileSync(path)
      bytes.fill(0x5a, 200)
      writeFileSync(path, bytes)
    }],
  ])('%s is moved aside and reported; the cache begins anew', async (_what, reason, spoil) => {
    const first = await opened()
    for (let index = 0; index < 200; index++) await first.cache.set(`k${index}`, 'x'.repeat(500))
    await first.cache.disconnect()
    spoil()

    const { cache, events } = await opened()
    await cache.get('k100').catch(() => {})
    await cache.set('after', 1)

    expect(events).toEqual([{ kind: 'rebuilt', reason, movedTo: expect.stringContaining(`${path}.${reason}`) as string }])
    expect(existsSync((events[0] as { movedTo: string }).movedTo)).toBe(true)
    expect(await cache.get('after')).toBe(1)
  })

  it('of somebody else’s is kept as it was', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const theirs = new DatabaseSync(path)
    theirs.exec(`create table diary (day text); insert into diary values ('monday')`)
    theirs.close()

    const { events } = await opened()

    const [moved] = readdirSync(folder).filter((name) => name.includes('.foreign-'))
    const kept = new DatabaseSync(join(folder, moved as string))
    expect(events).toMatchObject([{ kind: 'rebuilt', reason: 'foreign' }])
    expect(kept.prepare('select day from diary').get()).toEqual({ day: 'monday' })
    kept.close()
  })

  it('hands out no value that is not what was written', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const first = await opened()
    await first.cache.set('k', 'right')
    await first.cache.disconnect()
    const database = new DatabaseSync(path)
    database.exec(`update entries set payload = replace(payload, 'right', 'wrong')`)
    database.close()

    const { cache, events } = await opened()

    expect(await cache.get('k')).toBeUndefined()
    expect(events).toEqual([{ kind: 'damaged', key: 'k' }])
  })
})

describe('A process that is killed', () => {
  it('leaves a file that opens, without what was invalidated and without a torn value', async () => {
    for (let round = 0; round < 3; round++) {
      const child = fork(join(import.meta.dirname, 'l3-process.ts'), [path], { execArgv: ['--conditions=@smart-whale/source'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      const invalidated = new Map<string, number>()
      const enough = new Promise<void>((resolve) => {
        child.on('message', ({ key, version }: { key: string; version: number }) => {
          invalidated.set(key, version)
          if (invalidated.size >= 40 + round * 13) resolve()
        })
      })
      await enough
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await exited

      const { cache, events } = await opened()
      expect(events).toEqual([])
      for (const [key, version] of invalidated) {
        const found = await cache.get<{ version: number; filling: string }>(key)
        if (found === undefined) continue
        expect(found.version).toBeGreaterThan(version)
        expect(found.filling).toBe(String(found.version).repeat(200))
      }
      await cache.disconnect()
    }
  })
})
