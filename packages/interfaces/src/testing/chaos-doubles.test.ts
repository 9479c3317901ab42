import { describe, expect, it } from 'vitest'
import type { Batch } from '../batch-writer.ts'
import { ConnectionError, OperationError } from '../errors.ts'
import { MapCache, mapSubject } from './doubles/map-cache.ts'
import { tableSubject } from './doubles/memory-table.ts'
import { SqliteStorage, sqliteSubject } from './doubles/sqlite-storage.ts'
import {
  batchWriterContract,
  cachingContract,
  chaosBatchWriter,
  chaosCache,
  type ChaosCall,
  chaosSchedule,
  chaosSliceLedger,
  chaosStorage,
  chaosWhen,
  FakeClock,
  MemoryLedgerStore,
  MemorySliceLedger,
  sliceLedgerContract,
  storageContract,
} from './index.ts'

const calm = (): undefined => undefined

describe('a chaos double without a plan keeps every contract', () => {
  it.each(cachingContract)('cache: $name', ({ run }) => run(mapSubject((clock) => chaosCache(new MapCache(clock), calm))))

  it.each(sliceLedgerContract)('ledger: $name', ({ run }) => {
    const store = new MemoryLedgerStore()
    return run({ create: async () => chaosSliceLedger(new MemorySliceLedger(store), calm) })
  })

  it.each(batchWriterContract)('writer: $name', ({ run }) => run(tableSubject((table) => chaosBatchWriter(table, calm))))

  const quick = storageContract.filter(({ name }) => !/deadline|signal aborts|paus/.test(name))
  it.each(quick)('storage: $name', ({ run }) => run(sqliteSubject(() => chaosStorage(new SqliteStorage(), calm))))
})

describe('chaosCache', () => {
  it('fails before: nothing was done', async () => {
    const inner = new MapCache(new FakeClock())
    const cache = chaosCache(inner, chaosSchedule([{ fail: 'before' }]))

    const failure = await cache.set('k', 1).catch((error: unknown) => error)

    expect(ConnectionError.isInstance(failure)).toBe(true)
    expect(failure).toMatchObject({ retryable: true, context: { method: 'set' } })
    expect(await inner.exists('k')).toBe(false)
  })

  it('fails after: it was done all the same', async () => {
    const inner = new MapCache(new FakeClock())
    const cache = chaosCache(inner, chaosSchedule([{ fail: 'after' }]))

    await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'ERR_CONNECTION' })
    expect(await inner.get('k')).toBe(1)
  })

  it('follows a schedule call by call and then passes', async () => {
    const cache = chaosCache(new MapCache(new FakeClock()), chaosSchedule([undefined, { fail: 'before' }]))

    await cache.set('k', 1)
    await expect(cache.get('k')).rejects.toThrow('chaos: get failed before it did anything')
    expect(await cache.get('k')).toBe(1)
  })

  it('picks calls by a predicate and fails with the error given', async () => {
    const mine = new OperationError('mine')
    const calls: ChaosCall[] = []
    const secondGet = ({ method, numberOfMethod }: ChaosCall): boolean => method === 'get' && numberOfMethod === 2
    const plan = chaosWhen(secondGet, { fail: 'before', error: mine })
    const cache = chaosCache(new MapCache(new FakeClock()), (call) => {
      calls.push(call)
      return plan(call)
    })

    await cache.set('k', 1, 5)
    await cache.get('k')
    await expect(cache.get('k')).rejects.toBe(mine)
    await cache.get('k')

    expect(calls.map(({ method, number, numberOfMethod }) => [method, number, numberOfMethod])).toEqual([
      ['set', 1, 1],
      ['get', 2, 1],
      ['get', 3, 2],
      ['get', 4, 3],
    ])
    expect(calls[0]?.args).toEqual(['k', 1, 5])
  })

  it('delays on its clock', async () => {
    const clock = new FakeClock()
    const cache = chaosCache(new MapCache(clock), chaosSchedule([{ delayMs: 100 }]), { clock })
    let done = false
    const setting = cache.set('k', 1).then(() => (done = true))

    await clock.advance(99)
    expect(done).toBe(false)
    await clock.advance(1)
    expect(await setting).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('breaks a scan off after its first key', async () => {
    const inner = new MapCache(new FakeClock())
    for (const key of ['a', 'b', 'c']) await inner.set(key, 1)
    const seen: string[] = []
    const scanning = (async () => {
      for await (const key of chaosCache(inner, chaosSchedule([{ fail: 'after' }])).scanKeys('*')) seen.push(key)
    })()

    await expect(scanning).rejects.toMatchObject({ code: 'ERR_CONNECTION' })
    expect(seen).toEqual(['a'])
  })
})

describe('chaosStorage', () => {
  it('reaches into transactions: a commit that was done and reported as failed', async () => {
    const inner = new SqliteStorage()
    const lostCommit = chaosWhen(({ method }) => method === 'transaction.commit', { fail: 'after' })
    const storage = chaosStorage(inner, lostCommit)
    await storage.connect()
    await storage.createTable('notes', { columns: { id: 'integer' } })
    const transaction = await storage.beginTransaction()
    await transaction.execute('INSERT INTO notes (id) VALUES ($1)', [1n])

    await expect(transaction.commit()).rejects.toMatchObject({ code: 'ERR_CONNECTION' })
    expect(await inner.execute('SELECT id FROM notes')).toEqual([{ id: 1n }])
    await inner.disconnect()
  })

  it('rolls back what withTransaction began when a statement in it fails', async () => {
    const inner = new SqliteStorage()
    const storage = chaosStorage(inner, chaosWhen(({ method }) => method === 'transaction.execute', { fail: 'after' }))
    await storage.connect()
    await storage.createTable('notes', { columns: { id: 'integer' } })

    await expect(storage.withTransaction((transaction) => transaction.execute('INSERT INTO notes (id) VALUES (1)'))).rejects.toMatchObject({
      code: 'ERR_CONNECTION',
    })
    expect(await inner.execute('SELECT id FROM notes')).toEqual([])
    await inner.disconnect()
  })

  it('ends a delay when the call is aborted', async () => {
    const clock = new FakeClock()
    const inner = new SqliteStorage()
    await inner.connect()
    const storage = chaosStorage(inner, chaosSchedule([{ delayMs: 60_000 }]), { clock })
    const abort = new AbortController()
    const executing = storage.execute('SELECT 1 AS n', [], { signal: abort.signal })

    abort.abort()

    await expect(executing).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(clock.pendingTimers).toBe(0)
    await inner.disconnect()
  })
})

describe('chaosBatchWriter', () => {
  /** Keeps rows behind a private field, as real writers do. */
  class Writer {
    readonly #rows: unknown[] = []
    async write({ rows }: Batch<unknown>): Promise<{ rows: number }> {
      this.#rows.push(...rows)
      return { rows: rows.length }
    }
    async findRefused(): Promise<[]> {
      return []
    }
    get rows(): readonly unknown[] {
      return this.#rows
    }
  }

  it('stores the batch and loses the receipt, then passes', async () => {
    const writer = new Writer()
    const chaotic = chaosBatchWriter(writer, chaosSchedule([{ fail: 'after' }]))

    await expect(chaotic.write({ rows: [1, 2], token: 't' })).rejects.toMatchObject({ code: 'ERR_CONNECTION' })
    expect(writer.rows).toEqual([1, 2])
    expect(await chaotic.write({ rows: [3], token: 'u' })).toEqual({ rows: 1 })
    expect(chaotic.rows).toEqual([1, 2, 3])
  })

  it('covers what else a writer can do', async () => {
    const chaotic = chaosBatchWriter(new Writer(), chaosWhen(({ method }) => method === 'findRefused', { fail: 'before' }))

    await expect(chaotic.findRefused()).rejects.toMatchObject({ context: { method: 'findRefused' } })
  })
})
