import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../../errors.ts'
import { TableWatchers } from '../../analytics/table-watchers.ts'
import type { MetricAnswer } from '../answer/metric-answer.ts'
import type { AskOptions } from '../compile/metric-question.ts'
import { defineMetrics } from '../definition/define-metrics.ts'
import { createLiveMetrics } from './live-metrics.ts'
import type { LiveMetricsOptions } from './live-options.ts'

const metrics = defineMetrics({ sources: { orders: { table: 'shop.orders', time: 'at' } }, dimensions: { country: { source: 'orders' } }, metrics: { orders: { source: 'orders', measure: 'count' } } })
const question = { metrics: ['orders'], period: 'today' } as const

const answerOf = (orders: number): MetricAnswer => ({
  rows: [{ orders: BigInt(orders) }],
  truncated: false,
  period: { from: '2026-01-01', to: '2026-01-02', timeZone: 'UTC' },
  route: { source: 'raw', name: 'orders', table: 'shop.orders', refused: [], rowsRead: 1, bytesRead: 1, elapsedMs: 1 },
  cache: { status: 'bypass', ageMs: 0, ttlSeconds: 0 },
})

/** A layer whose askings end when the test says so. */
function openLive(options: LiveMetricsOptions = {}, heedsSignal = true) {
  const clock = new FakeClock()
  const tables = new TableWatchers()
  const askings: { readonly options: AskOptions; answer(orders: number): void; fail(error: Error): void }[] = []
  const ask = (_question: unknown, asked: AskOptions = {}): Promise<MetricAnswer> =>
    new Promise((resolve, reject) => {
      if (heedsSignal) asked.signal?.addEventListener('abort', () => reject(asked.signal?.reason as Error))
      askings.push({ options: asked, answer: (orders) => resolve(answerOf(orders)), fail: reject })
    })
  const live = createLiveMetrics({ metrics, ask }, { clock, tables, pollMs: 5_000, minIntervalMs: 100, ...options })
  return { clock, tables, askings, live }
}
const last = <T>(list: readonly T[]): T => list[list.length - 1] as T

describe('a live question', () => {
  it('written while it is asked is asked once more, for the answer may lack what was written', async () => {
    const { clock, tables, askings, live } = openLive()
    const events = live.follow(question)
    const first = events.next()
    await clock.advance(0)
    tables.tell(['orders'])
    last(askings).answer(1)
    expect((await first).value).toMatchObject({ type: 'snapshot', rows: [{ orders: 1n }] })
    await clock.advance(99)
    expect(askings).toHaveLength(1)
    await clock.advance(1)
    expect(askings).toHaveLength(2)
    last(askings).answer(2)
    expect((await events.next()).value).toMatchObject({ type: 'change', upserts: [{ orders: 2n }] })

    // Of another table nothing is to be heard; of this one at most as often as may be.
    await clock.advance(200)
    tables.tell(['other.customers'])
    await clock.advance(100)
    expect(askings).toHaveLength(2)
    for (let count = 0; count < 10; count += 1) tables.tell(['shop.orders'])
    await clock.advance(0)
    expect(askings).toHaveLength(3)
    live.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('is asked again from time to time, past the cache, as long as somebody follows it', async () => {
    const { clock, askings, live } = openLive()
    const events = live.follow(question)
    void events.next()
    await clock.advance(0)
    last(askings).answer(1)
    for (let count = 2; count <= 4; count += 1) {
      await clock.advance(5_000)
      expect(askings).toHaveLength(count)
      last(askings).answer(1)
    }
    expect(last(askings).options).toMatchObject({ cache: false, timeoutMs: 10_000 })
    const waiting = events.next()
    await clock.advance(5_000)
    await events.return?.()

    expect((await waiting).done).toBe(true)
    expect(last(askings).options.signal?.aborted).toBe(true)
    await clock.advance(60_000)
    expect(askings).toHaveLength(5)
    expect(clock.pendingTimers).toBe(0)
    expect(live.load).toEqual({ questions: 0, subscribers: 0, idle: 1 })
  })

  it('that fails says so, waits longer each time, and goes on', async () => {
    const { clock, tables, askings, live } = openLive()
    const events = live.follow(question)
    const first = events.next()
    await clock.advance(0)
    last(askings).answer(1)
    await first
    const waits: number[] = []
    for (let count = 1; count <= 4; count += 1) {
      await clock.advance(count === 1 ? 5_000 : last(waits))
      last(askings).fail(new ConnectionError('the server is away'))
      const { value } = await events.next()
      expect(value).toMatchObject({ type: 'failure', error: { code: 'ERR_CLICKHOUSE_CONNECTION' } })
      waits.push((value as { retryInMs: number }).retryInMs)
      // A write doesn't hurry it: the server is away.
      tables.tell(['orders'])
      await clock.advance(0)
      expect(askings).toHaveLength(count + 1)
    }
    expect(waits.every((wait, index) => wait >= 250 * 2 ** index && wait <= 500 * 2 ** index)).toBe(true)
    const joiner = live.follow(question)
    expect([(await joiner.next()).value?.type, (await joiner.next()).value?.type]).toEqual(['snapshot', 'failure'])

    await clock.advance(last(waits))
    last(askings).answer(1)
    // Nothing is other than before, and still there is news: the answer is of now again.
    expect((await events.next()).value).toMatchObject({ type: 'change', upserts: [], removals: [] })
    expect((await joiner.next()).value).toMatchObject({ type: 'change', upserts: [] })
    live.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('that can not be answered at all is refused, and asked anew by the next who comes', async () => {
    const { clock, askings, live } = openLive()
    const both = [live.follow(question), live.follow(question)]
    const outcomes = Promise.allSettled(both.map((events) => events.next()))
    await clock.advance(0)
    last(askings).fail(new ConnectionError('the server is away'))

    expect(await outcomes).toMatchObject([{ status: 'rejected', reason: { code: 'ERR_CLICKHOUSE_CONNECTION' } }, { status: 'rejected' }])
    expect([live.load, clock.pendingTimers]).toEqual([{ questions: 0, subscribers: 0, idle: 0 }, 0])
    const next = live.follow(question).next()
    await clock.advance(0)
    last(askings).answer(3)
    expect((await next).value).toMatchObject({ type: 'snapshot', rows: [{ orders: 3n }] })
    live.close()
  })

  it('left and followed again at once takes no answer of an asking that was broken off', async () => {
    const { clock, askings, live } = openLive({}, false)
    const gone = live.follow(question)
    void gone.next()
    await clock.advance(0)
    await gone.return?.()
    const events = live.follow(question)
    const first = events.next()
    await clock.advance(0)
    askings[0]?.answer(1)
    await clock.advance(0)
    last(askings).answer(2)

    expect(askings).toHaveLength(2)
    expect((await first).value).toMatchObject({ rows: [{ orders: 2n }] })
    live.close()
  })
})

describe('live metrics', () => {
  it('ask as many questions at once as they may, and have room for so many', async () => {
    const { clock, askings, live } = openLive({ maxConcurrent: 2, maxQuestions: 4, maxQuestionsPerTenant: 2 })
    const follow = (from: number, options = {}) => live.follow({ metrics: ['orders'], from: `2026-01-0${from}` }, options).next()
    const waiting = [1, 2, 3].map((from) => follow(from, from === 1 ? {} : { tenant: 'a' }))
    await clock.advance(0)

    expect(askings).toHaveLength(2)
    await expect(follow(4, { tenant: 'a' })).rejects.toThrow('2 questions about these rows are followed already (maxQuestionsPerTenant)')
    waiting.push(follow(4, { tenant: 'b' }))
    await expect(follow(5)).rejects.toThrow('4 questions are followed already (maxQuestions)')
    askings[0]?.answer(1)
    await clock.advance(0)
    expect(askings).toHaveLength(3)
    live.close()
    expect((await Promise.all(waiting)).filter(({ done }) => done)).toHaveLength(3)
    expect(clock.pendingTimers).toBe(0)
  })

  it('keep the states of so many questions that nobody follows, for who was cut off', async () => {
    const { clock, askings, live } = openLive({ maxIdleQuestions: 1 })
    const versions: string[] = []
    const visit = async (from: string, lastVersion?: string) => {
      const events = live.follow({ metrics: ['orders'], from }, { lastVersion })
      const first = events.next()
      await clock.advance(0)
      last(askings).answer(askings.length)
      const { value } = await first
      versions.push((value as { version: string }).version)
      await events.return?.()
      return value?.type
    }

    expect(await visit('2026-01-01')).toBe('snapshot')
    expect(await visit('2026-01-01', versions[0])).toBe('change')
    await visit('2026-01-02')
    expect(live.load.idle).toBe(1)
    expect(await visit('2026-01-01', versions[1])).toBe('snapshot')
  })
})
