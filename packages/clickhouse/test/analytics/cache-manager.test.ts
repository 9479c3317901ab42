import { createL1Cache } from '@smart-whale/core-cache'
import { chaosCache, chaosWhen, FakeClock } from '@smart-whale/interfaces/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CacheManager } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
  for (const table of ['rides', 'others']) await own.owner.execute(`CREATE TABLE ${table} (id UInt32) ENGINE = MergeTree ORDER BY id`)
  await own.owner.execute('CREATE VIEW few AS SELECT count() AS n FROM rides')
})
afterAll(() => own.drop())

const count = 'SELECT count() AS n FROM rides'

describe('CacheManager', () => {
  it('answers a query again without the server, until its time is over or a table that it reads is written', async () => {
    const clock = new FakeClock()
    const cache = createL1Cache({ clock })
    const manager = new CacheManager(own.owner, { cache, clock })
    const seen = async (query: string): Promise<unknown> => {
      const { rows, isCached } = await manager.execute(query, {}, { ttlSeconds: 60 })
      return [rows[0]?.['n'], isCached]
    }

    const first = [await seen(count), await seen('SELECT  count() AS n /* again */ FROM rides'), await seen('SELECT n FROM few'), await seen('SELECT count() AS n FROM others')]
    const again = [await seen(count), await seen('SELECT n FROM few')]
    await manager.insert('rides', [{ id: 1 }])
    const written = [await seen(count), await seen('SELECT n FROM few'), await seen('SELECT count() AS n FROM others')]
    await clock.advance(61_000)
    const late = await seen(count)

    expect(first).toEqual([[0n, false], [0n, true], [0n, false], [0n, false]])
    expect(again).toEqual([[0n, true], [0n, true]])
    expect(written).toEqual([[1n, false], [1n, false], [0n, true]])
    expect(late).toEqual([1n, false])
    expect(await manager.getStats()).toMatchObject({ hits: 4, misses: 6, bypassed: 0 })
  })

  it('keeps apart what has other parameters or another reader, and leaves alone what has settings', async () => {
    const manager = new CacheManager(own.owner, { cache: createL1Cache() })
    const ask = (params: object, options: object = {}) => manager.execute('SELECT :x AS x', params as never, options)

    await ask({ x: 1 })
    await ask({ x: 1 }, { tenant: 'a' })

    expect([(await ask({ x: 1 })).isCached, (await ask({ x: 2 })).isCached, (await ask({ x: 1 }, { tenant: 'a' })).isCached, (await ask({ x: 1 }, { tenant: 'b' })).isCached]).toEqual([true, false, true, false])
    expect((await ask({ x: 1 }, { settings: { max_threads: 1 } })).isCached).toBe(false)
    expect(await manager.getStats()).toMatchObject({ bypassed: 1 })
  })

  it('forgets what it is told to, and everything when something is written by a statement', async () => {
    const manager = new CacheManager(own.owner)
    await manager.execute(count)
    const kept = await manager.getCachedResult(count)
    await manager.setCachedResult('SELECT 1 AS by_hand', await own.owner.execute('SELECT 2 AS by_hand'), 60)

    expect(kept?.result.rows).toHaveLength(1)
    expect((await manager.execute('SELECT 1 AS by_hand')).rows).toEqual([{ by_hand: 2 }])
    expect(await manager.invalidateCache(count)).toBe(1)
    expect(await manager.getCachedResult(count)).toBeUndefined()
    await manager.execute('ALTER TABLE rides ADD COLUMN note String')
    expect((await manager.execute('SELECT 1 AS by_hand')).rows).toEqual([{ by_hand: 1 }])
    await manager.close()
  })

  it('forgets what a statement has written in part before it failed', async () => {
    await own.owner.execute('CREATE TABLE halves (id UInt64) ENGINE = MergeTree ORDER BY id')
    const manager = new CacheManager(own.owner, { cache: createL1Cache() })
    const seen = async () => Number((await manager.execute('SELECT count() AS n FROM halves')).rows[0]?.['n'])
    expect(await seen()).toBe(0)

    const insert = 'INSERT INTO halves SELECT number + throwIf(number = 50) FROM numbers(100) SETTINGS max_block_size = 1, min_insert_block_size_rows = 1, max_threads = 1, max_insert_threads = 1'
    await expect(manager.execute(insert)).rejects.toMatchObject({ code: expect.stringContaining('ERR_CLICKHOUSE') as string })

    expect(await seen()).toBeGreaterThan(0)
  })

  it('tells that a write is done, though the cache is away', async () => {
    await own.owner.execute('CREATE TABLE once (id UInt64) ENGINE = MergeTree ORDER BY id')
    let isAway = false
    const cache = chaosCache(createL1Cache(), chaosWhen(() => isAway, { fail: 'before' }))
    const manager = new CacheManager(own.owner, { cache })
    await manager.execute('SELECT count() AS n FROM once')
    isAway = true

    await manager.insert('once', [{ id: 1 }])
    await manager.execute('ALTER TABLE once ADD COLUMN note String')

    expect((await own.owner.execute('SELECT id, note FROM once')).rows).toEqual([{ id: 1n, note: '' }])
  })

  it('keeps no failure', async () => {
    const manager = new CacheManager(own.owner, { cache: createL1Cache() })

    await expect(manager.execute('SELECT nothing FROM rides')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' })
    await own.owner.execute('ALTER TABLE rides ADD COLUMN nothing UInt8')

    expect((await manager.execute('SELECT nothing FROM rides')).isCached).toBe(false)
  })
})
