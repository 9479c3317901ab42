import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { applyLiveEvent, createLiveMetrics, type FollowOptions, type LiveMetricEvent, type LiveMetrics, type LiveMetricsOptions, type LiveState, type MetricAnswer } from '../../src/index.ts'
import { canonical } from '../../src/stable-digest.ts'
import { openShop, type shop } from './shop.ts'

let opened: Awaited<ReturnType<typeof openShop>>
beforeAll(async () => {
  opened = await openShop()
})
afterAll(() => opened.close())

const question = { metrics: ['orders', 'revenue', 'exact_customers'], from: '2026-04-01', to: '2026-04-08', grain: 'day', by: ['country', 'channel'], totals: true } as const
const ofTenant = (tenant: string) => () => [{ column: 'tenant_id', is: tenant }]
const openLive = (options: LiveMetricsOptions = {}) => createLiveMetrics(opened.layer, { tables: opened.analyticsService, pollMs: 250, minIntervalMs: 10, ...options })
const order = (day: number, tenant: string, amount = 10, country: string | null = 'NO') => ({
  at: `2026-04-0${day}T12:00:00Z`, tenant_id: tenant, country, channel: 'web', customer: amount, items: 1, amount: `${amount}.00`,
})

/** A subscriber that has what it was told, and can be cut off at any moment. */
function subscriber(live: Pick<LiveMetrics<typeof shop.definition>, 'follow'>, options: FollowOptions = {}) {
  const events: LiveMetricEvent[] = []
  let state: LiveState | undefined
  let connection: { cut: AbortController; ended: Promise<void> } | undefined
  const told: (() => void)[] = []
  const connect = (): void => {
    const cut = new AbortController()
    const follow = async (): Promise<void> => {
      for await (const event of live.follow(question, { ...options, signal: cut.signal, lastVersion: state?.version })) {
        events.push(event)
        state = applyLiveEvent(state, event)
        for (const tell of told.splice(0)) tell()
      }
    }
    connection = { cut, ended: follow() }
  }
  return {
    events,
    connect,
    get state() {
      return state
    },
    async disconnect() {
      connection?.cut.abort()
      await connection?.ended
    },
    /** Waits for a state, until the deadline. */
    async until(holds: (state: LiveState | undefined) => boolean, deadlineMs = 60_000): Promise<void> {
      const signal = AbortSignal.timeout(deadlineMs)
      while (!holds(state)) {
        await new Promise<void>((resolve, reject) => {
          told.push(resolve)
          signal.addEventListener('abort', () => reject(new RangeError(`the subscriber has ${String(state && contentAt(state))}`)), { once: true })
        })
      }
    },
  }
}

const contentOf = ({ rows, totals }: Pick<MetricAnswer, 'rows' | 'totals'>): string => canonical([rows.map((row) => canonical(row)).sort(), totals])
const contentAt = ({ rows, frame }: LiveState): string => canonical([[...rows.values()].map((row) => canonical(row)).sort(), frame.totals])
const asked = async (tenant: string) => contentOf((await opened.layer.ask(question, { rowFilter: ofTenant(tenant), cache: false })) as unknown as MetricAnswer)

describe('a live metric', () => {
  it('replayed is the answer asked for anew, with inserts here and elsewhere, and subscribers cut off at any moment', async () => {
    const live = openLive()
    let tenants = 0
    const step = fc.oneof(
      fc.record({ kind: fc.constant('insert' as const), day: fc.integer({ min: 1, max: 9 }), amount: fc.integer({ min: 1, max: 5 }), elsewhere: fc.boolean(), waits: fc.boolean() }),
      fc.record({ kind: fc.constantFrom('cut' as const, 'connect' as const), who: fc.nat(1) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
        const tenant = `random ${(tenants += 1)}`
        const subscribers = [subscriber(live, { rowFilter: ofTenant(tenant) }), subscriber(live, { rowFilter: ofTenant(tenant) })] as const
        const connected = [true, true]
        for (const one of subscribers) one.connect()
        const inserts: Promise<unknown>[] = []
        for (const one of steps) {
          if (one.kind === 'insert') {
            const writer = one.elsewhere ? opened.database.owner : opened.analyticsService
            const inserted = writer.insert('orders', [order(one.day, tenant, one.amount, one.amount === 5 ? null : 'SE'), order(one.day, `not ${tenant}`)])
            if (one.waits) await inserted
            else inserts.push(inserted)
          } else if (one.kind === 'cut') {
            connected[one.who] = false
            await subscribers[one.who]?.disconnect()
          } else if (!connected[one.who]) {
            connected[one.who] = true
            subscribers[one.who]?.connect()
          }
        }
        await Promise.all(inserts)
        const answer = await asked(tenant)
        for (const [index, one] of subscribers.entries()) {
          if (!connected[index]) one.connect()
          await one.until((state) => state !== undefined && contentAt(state) === answer)
          expect(one.events.filter(({ type }) => type === 'failure')).toEqual([])
          await one.disconnect()
        }
      }),
      { numRuns: 12 },
    )
    expect(live.load).toMatchObject({ questions: 0, subscribers: 0 })
    live.close()
  })

  it('begins with everything, then tells rows that replace, and who comes back what has changed meanwhile', async () => {
    const live = openLive({ pollMs: 60_000 })
    const one = subscriber(live, { rowFilter: ofTenant('back') })
    await opened.analyticsService.insert('orders', [order(1, 'back'), order(2, 'back')])
    one.connect()
    await one.until((state) => state !== undefined)
    await opened.analyticsService.insert('orders', [order(2, 'back'), order(1, 'somebody else')])
    await one.until((state) => state?.frame.totals?.['orders'] === 3n)
    await one.disconnect()
    await opened.analyticsService.insert('orders', [order(1, 'back', 7)])
    one.connect()
    await one.until((state) => state?.frame.totals?.['orders'] === 4n)
    await one.disconnect()

    expect(one.events).toMatchObject([
      { type: 'snapshot', key: ['time', 'country', 'channel'], rows: [{ time: '2026-04-01', orders: 1n }, { time: '2026-04-02', orders: 1n }] },
      { type: 'change', upserts: [{ time: '2026-04-02', country: 'NO', channel: 'web', orders: 2n, revenue: '20.00' }], removals: [] },
      { type: 'change', upserts: [{ time: '2026-04-01', orders: 2n, revenue: '17.00' }], removals: [] },
    ])
    live.close()
  })

  it('asks once for all subscribers of one reader, and shows no reader the rows of another', async () => {
    let askings = 0
    const layer = { metrics: opened.layer.metrics, ask: ((...call: Parameters<typeof opened.layer.ask>) => ((askings += 1), opened.layer.ask(...call))) as typeof opened.layer.ask }
    const live = createLiveMetrics(layer, { pollMs: 60_000 })
    await opened.analyticsService.insert('orders', [order(1, 'seen', 1), order(2, 'unseen', 2)])
    const seeing = Array.from({ length: 10 }, () => subscriber(live, { rowFilter: ofTenant('seen') }))
    const other = subscriber(live, { rowFilter: ofTenant('unseen') })
    for (const one of [...seeing, other]) one.connect()
    await Promise.all([...seeing, other].map((one) => one.until((state) => state !== undefined)))

    expect(askings).toBe(2)
    expect(live.load).toEqual({ questions: 2, subscribers: 11, idle: 0 })
    for (const one of seeing) expect([...(one.state?.rows.values() ?? [])]).toMatchObject([{ time: '2026-04-01', revenue: '1.00' }])
    expect([...(other.state?.rows.values() ?? [])]).toMatchObject([{ time: '2026-04-02', revenue: '2.00' }])
    // Somebody else's version is worth nothing here.
    const stolen = live.follow(question, { rowFilter: ofTenant('unseen'), lastVersion: seeing[0]?.state?.version })
    expect((await stolen.next()).value).toMatchObject({ type: 'snapshot' })
    live.close()
    expect(live.load).toEqual({ questions: 0, subscribers: 0, idle: 0 })
    expect((await stolen.next()).done).toBe(true)
  })

  it('tells who is slow one difference, from what it got last to what is now', async () => {
    const live = openLive({ pollMs: 60_000 })
    const quick = subscriber(live, { rowFilter: ofTenant('slow') })
    const slow = live.follow(question, { rowFilter: ofTenant('slow') })
    quick.connect()
    let state = applyLiveEvent(undefined, (await slow.next()).value as LiveMetricEvent)
    for (let count = 1; count <= 4; count += 1) {
      await opened.analyticsService.insert('orders', [order(count, 'slow')])
      await quick.until((present) => present?.frame.totals?.['orders'] === BigInt(count))
    }
    const { value } = await slow.next()
    state = applyLiveEvent(state, value as LiveMetricEvent)

    expect(value).toMatchObject({ type: 'change', upserts: { length: 4 } })
    expect(contentAt(state as LiveState)).toBe(await asked('slow'))
    await slow.return?.()
    live.close()
  })

  it('is refused as any question is, before the first event', async () => {
    const live = openLive({ maxRows: 10, maxSubscribers: 1 })

    await expect(live.follow({ ...question, period: 'today' }).next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_QUESTION' })
    await expect(live.follow({ ...question, limit: 11 }).next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_QUESTION', issues: [{ path: ['limit'] }] })
    const first = live.follow(question)
    await first.next()
    const refused = live.follow(question)
    await expect(refused.next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_LIVE_FULL', status: 503, retryable: true })
    expect((await refused.next()).done).toBe(true)
    await first.return?.()
    expect(live.load).toMatchObject({ questions: 0, subscribers: 0, idle: 1 })
    live.close()
    await expect(live.follow(question).next()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
    expect(() => openLive({ pollMs: 1 })).toThrow('pollMs must be a whole number from 250')
  })
})
