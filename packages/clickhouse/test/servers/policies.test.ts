import { FakeClock } from '@smart-whale/interfaces/testing'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { createCuttableProxy, type CuttableProxy } from '../../../../tools/engines/cuttable-proxy.ts'
import { CircuitBreaker, type ClickHouseAdapter, createAdapter, RetryExhaustedError, RetryHandler } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
  await own.owner.execute('CREATE TABLE rides (id UInt32) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100')
})
afterAll(() => own.drop())

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** An adapter that sends everything once, over a line that can be cut. */
async function overLine(): Promise<{ line: CuttableProxy; adapter: ClickHouseAdapter }> {
  const { url, owner } = inject('clickhouse')
  const line = await createCuttableProxy(Number(new URL(url).port))
  const adapter = createAdapter({ url: `http://127.0.0.1:${line.port}`, user: owner.username, password: owner.password, database: own.name, retry: { maxAttempts: 1 } })
  await adapter.connect()
  endings.push(() => line.close(), () => adapter.close())
  return { line, adapter }
}

describe('RetryHandler', () => {
  const retry = { maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 5 }

  it('runs again what failed because the server was away, and says so when it stays away', async () => {
    const { line, adapter } = await overLine()
    const handler = new RetryHandler({ retry })
    let attempts = 0
    const ask = (mendAt: number) =>
      handler.executeWithRetry(async () => {
        if (++attempts === mendAt) line.mend()
        return (await adapter.execute('SELECT 7 AS n', {}, { retry: false })).rows
      })

    line.cut()
    const rows = await ask(3)
    line.cut()
    attempts = 0
    const failure: unknown = await ask(99).catch((error: unknown) => error)

    expect(rows).toEqual([{ n: 7 }])
    expect(attempts).toBe(3)
    expect(RetryExhaustedError.isInstance(failure)).toBe(true)
    expect(failure).toMatchObject({ code: 'ERR_CLICKHOUSE_RETRY_EXHAUSTED', status: 503, retryable: true, context: { attempts: 3 }, cause: expect.objectContaining({ code: 'ERR_CLICKHOUSE_CONNECTION' }) as unknown })
  })

  it('runs once what can not pass', async () => {
    const handler = new RetryHandler({ retry })
    let attempts = 0

    await expect(handler.executeWithRetry(() => ((attempts += 1), own.owner.execute('SELEC 1')))).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX' })

    expect(attempts).toBe(1)
  })

  it('repeats an insert whose answer was lost under a token alone, and then it is there once', async () => {
    const { line, adapter } = await overLine()
    const handler = new RetryHandler({ retry })
    const insert = async (id: number, token: string | undefined): Promise<number> => {
      let attempts = 0
      const work = async (): Promise<void> => {
        line.mend()
        await adapter.insert('rides', [{ id }], { token, settings: { async_insert: 0 } })
        if (++attempts > 1) return
        // It is stored, and nobody hears of it.
        line.cut()
        await adapter.execute('SELECT 1', {}, { retry: false }).catch((error: Error) => {
          throw Object.assign(error, { cause: new RangeError('after the request was sent') })
        })
      }
      await handler.executeWithRetry(work, { insert: { token } }).catch(() => {})
      return attempts
    }

    const attempts = [await insert(1, 'one'), await insert(2, undefined)]

    expect(attempts).toEqual([2, 1])
    expect((await own.owner.execute('SELECT id, count() AS times FROM rides GROUP BY id ORDER BY id')).rows).toEqual([{ id: 1, times: 1n }, { id: 2, times: 1n }])
  })

  it('ends with its caller', async () => {
    const handler = new RetryHandler({ retry: { ...retry, maxAttempts: 50, baseDelayMs: 1000, maxDelayMs: 1000 } })
    const leaving = new AbortController()
    const { line, adapter } = await overLine()
    line.cut()

    const waiting = handler.executeWithRetry(() => adapter.execute('SELECT 1', {}, { retry: false }), { signal: leaving.signal })
    setTimeout(() => leaving.abort(), 50)

    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })
})

describe('CircuitBreaker', () => {
  it('leaves a server alone that failed too often, no other one, and lets it back when it answers', async () => {
    const { line, adapter } = await overLine()
    const clock = new FakeClock()
    const breaker = new CircuitBreaker({ breaker: { failureRate: 0.5, minimumCalls: 4, openMs: 10_000 } }, { clock })
    let calls = 0
    const ask = (server?: string): Promise<unknown> =>
      breaker.execute(
        async () => {
          calls += 1
          return (await adapter.execute('SELECT 1 AS n', {}, { retry: false })).rows
        },
        { server },
      )

    line.cut()
    for (let call = 0; call < 4; call++) await ask('a:8123').catch(() => {})
    const refused: unknown = await ask('a:8123').catch((error: unknown) => error)
    const whileOpen = [calls, breaker.stateOf('a:8123'), breaker.stateOf('b:8123')]
    line.mend()
    const other = await ask('b:8123')
    await clock.advance(10_001)
    const back = await ask('a:8123')

    expect(refused).toMatchObject({ code: 'ERR_CLICKHOUSE_CIRCUIT_OPEN', server: 'a:8123', retryable: true, status: 503 })
    expect(whileOpen).toEqual([4, 'open', 'closed'])
    expect([other, back]).toEqual([[{ n: 1 }], [{ n: 1 }]])
  })

  it('does not count what the server refused', async () => {
    const breaker = new CircuitBreaker({ breaker: { failureRate: 0.5, minimumCalls: 2, openMs: 10_000 } })

    for (let call = 0; call < 6; call++) await breaker.execute(() => own.owner.execute('SELEC 1')).catch(() => {})

    expect(breaker.stateOf()).toBe('closed')
  })
})
