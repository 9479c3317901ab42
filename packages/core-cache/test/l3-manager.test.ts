import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { type CacheManager, type CacheManagerOptions, createCacheManager, type PersistentEvent } from '@smart-whale/core-cache'
import { createFileLayer } from '@smart-whale/core-cache/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheThreads } from './l3-threads.ts'
import { until } from './redis-servers.ts'

let folder = ''
let path = ''
let open: CacheManager[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smart-whale-l3-'))
  path = join(folder, 'cache.sqlite')
})
afterEach(async () => {
  for (const cache of open) await cache.disconnect()
  open = []
  await rm(folder, { recursive: true, force: true })
})

function manager(options: CacheManagerOptions = {}): CacheManager {
  const cache = createCacheManager({ persistent: createFileLayer({ path }), ttlSeconds: 600, persistentMinLoadMs: 0, persistentTimeoutMs: 60_000, persistentOpenTimeoutMs: 60_000, refreshShare: 0, ...options })
  open.push(cache)
  return cache
}

const never = (): never => {
  throw new TypeError('loaded')
}

describe('A manager over a file', () => {
  it('answers after a restart with what it had, and not with what was invalidated', async () => {
    const first = manager()
    for (const key of ['a', 'b', 'c']) await first.smartGet(key, () => ({ key, at: new Date(1) }), { tags: [`of ${key}`] })
    await first.invalidate('a')
    await first.invalidateTags(['of b'])
    await first.disconnect()

    const second = manager()

    expect(await second.smartGetDetailed('c', never)).toMatchObject({ value: { key: 'c', at: new Date(1) }, source: 'persistent' })
    expect(await second.smartGet('a', () => 'new')).toBe('new')
    expect(await second.smartGet('b', () => 'new')).toBe('new')
  })

  it('goes on without its file when another process has it, and with it when that one has ended', async () => {
    const first = manager()
    await first.smartGet('k', () => 'first')
    const second = manager({ persistentOpenTimeoutMs: 2_000 })

    expect(await second.smartGet('k', () => 'second')).toBe('second')
    expect(second.isPersistent()).toBe(false)
    await first.disconnect()
    await until('the file', () => second.isPersistent())

    await second.smartGet('later', () => 'kept')
    await second.disconnect()
    expect(await manager().smartGet('later', never)).toBe('kept')
  })

  it('reads on while its file is torn apart, and says so', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const first = manager()
    for (let index = 0; index < 300; index++) await first.smartGet(`k${index}`, () => 'x'.repeat(1000))
    await first.disconnect()
    const { open: openFile } = await import('node:fs/promises')
    const file = await openFile(path, 'r+')
    const { size } = await file.stat()
    for (let at = 8192; at < size; at += 4096) await file.write(Buffer.alloc(2048, 0x5a), 0, 2048, at)
    await file.close()

    const events: PersistentEvent[] = []
    const second = manager({ onPersistentEvent: (event) => events.push(event) })
    const values = []
    for (let index = 0; index < 300; index++) values.push(await second.smartGet(`k${index}`, () => 'new'))

    expect(values.every((value) => value === 'new' || value === 'x'.repeat(1000))).toBe(true)
    expect(events).toMatchObject([{ kind: 'rebuilt', reason: 'corrupt', movedTo: `${path}.corrupt` }])
    await until('the new file', () => second.isPersistent())
    await second.disconnect()
    const anew = new DatabaseSync(path)
    expect(anew.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
    anew.close()
  })

  it('never answers with what was invalidated and acknowledged before its process was killed', async () => {
    const acknowledged = new Map<string, number>()
    for (let round = 0; round < 3; round++) {
      const child = fork(join(import.meta.dirname, 'l3-manager-process.ts'), [path, String(round)], { execArgv: ['--conditions=@smart-whale/source'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      const stale: unknown[] = []
      child.on('message', (message: { key: string; version: number; isStale?: true }) => {
        if (message.isStale) stale.push(message)
        else acknowledged.set(message.key, message.version)
      })
      const seen = acknowledged.size + 1
      await until('invalidations', () => acknowledged.size >= Math.min(30, seen + 20))
      await new Promise((resolve) => setTimeout(resolve, 200))
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await exited
      expect(stale).toEqual([])

      const cache = manager()
      let kept = 0
      for (const [key, version] of acknowledged) {
        const { value, source } = await cache.smartGetDetailed<{ version: number }>(key, () => ({ version: Infinity }))
        expect(value.version, `${key} from ${source}`).toBeGreaterThan(version)
        if (source === 'persistent') kept += 1
      }
      expect(kept).toBeGreaterThan(0)
      await cache.disconnect()
    }
  })

  it('goes on when its thread ends, and removes first what was to be removed meanwhile', async () => {
    let thread: Worker | undefined
    process.once('worker', (worker) => (thread = worker))
    const events: PersistentEvent[] = []
    const cache = manager({ onPersistentEvent: (event) => events.push(event), invalidationTimeoutMs: 60_000 })
    for (const key of ['a', 'b']) await cache.smartGet(key, () => 'old')
    // On the disk when it is acknowledged, and with it what was written before.
    await cache.invalidate('another')

    await thread?.terminate()
    const invalidated = cache.invalidate('a')
    await new Promise((resolve) => setImmediate(resolve))
    const meanwhile = await cache.smartGet('a', () => 'new', { loadCostMs: 0 })
    await invalidated

    expect(meanwhile).toBe('new')
    expect(events).toMatchObject([{ kind: 'lost' }])
    expect(cache.isPersistent()).toBe(true)
    await cache.disconnect()
    const again = manager()
    expect([await again.smartGet('a', () => 'newest'), await again.smartGet('b', never)]).toEqual(['newest', 'old'])
  })

  it('leaves no thread behind', async (context) => {
    if (cacheThreads() === undefined) return context.skip('needs a system that names its threads')
    const cache = manager()
    await cache.smartGet('k', () => 1)
    const whileOpen = cacheThreads()
    await cache.disconnect()

    expect([whileOpen, cacheThreads()]).toEqual([1, 0])
  })
})
