import { ConnectionError, OperationError, TimeoutError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { recordingMetrics } from '../../test/recording-metrics.ts'
import {
  type BalancerOptions,
  type BalancingStrategy,
  type Candidate,
  createBalancer,
  type EjectionEvent,
  leastConnections,
  powerOfTwoChoices,
  randomChoice,
  rendezvousHash,
  roundRobin,
  weightedRoundRobin,
} from '../index.ts'

const away = new ConnectionError('away')
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** Numbers that look like chance and are the same each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const candidate = (name: string, known: Partial<Candidate> = {}): Candidate => ({ name, weight: 1, underWay: 0, latencyMs: 0, ...known })
function shares(strategy: BalancingStrategy, candidates: readonly Candidate[], picks: number, keyOf: (pick: number) => string | undefined = () => undefined): Record<string, number> {
  const counts: Record<string, number> = {}
  const random = seeded(7)
  for (let pick = 0; pick < picks; pick++) {
    const { name } = strategy.choose(candidates, keyOf(pick), random)
    counts[name] = (counts[name] ?? 0) + 1 / picks
  }
  return counts
}

describe('strategies', () => {
  const three = ['a', 'b', 'c'].map((name) => candidate(name))

  it('round robin takes one after the other, also when there are fewer of them', () => {
    const strategy = roundRobin()
    const picks = (candidates: readonly Candidate[], count: number): string[] => Array.from({ length: count }, () => strategy.choose(candidates, undefined, Math.random).name)

    expect(picks(three, 4)).toEqual(['a', 'b', 'c', 'a'])
    expect(picks(three.slice(0, 2), 3)).toEqual(['b', 'a', 'b'])
  })

  it('random takes each as often', () => {
    for (const share of Object.values(shares(randomChoice(), three, 30_000))) expect(share).toBeCloseTo(1 / 3, 1)
  })

  it('weighted follows the weights, evenly spread', () => {
    const strategy = weightedRoundRobin()
    const weighted = [candidate('a', { weight: 5 }), candidate('b'), candidate('c')]

    expect(Array.from({ length: 7 }, () => strategy.choose(weighted, undefined, Math.random).name).join('')).toBe('aabacaa')
  })

  it('least connections takes the one with the fewest calls for its weight, and any of equals', () => {
    const strategy = leastConnections()
    const busy = [candidate('a', { underWay: 4, weight: 4 }), candidate('b', { underWay: 2 }), candidate('c', { underWay: 3 })]

    expect(strategy.choose(busy, undefined, Math.random).name).toBe('a')
    for (const share of Object.values(shares(strategy, three, 30_000))) expect(share).toBeCloseTo(1 / 3, 1)
  })

  it('power of two choices prefers what is quick and idle', () => {
    const strategy = powerOfTwoChoices()
    const [slow, quick] = [candidate('slow', { latencyMs: 100 }), candidate('quick', { latencyMs: 10, underWay: 2 })]

    expect(shares(strategy, [slow, quick], 1_000)).toEqual({ quick: expect.closeTo(1) as number })
    expect(shares(strategy, [candidate('alone')], 10)).toEqual({ alone: expect.closeTo(1) as number })
    expect(strategy.choose([candidate('unknown', { underWay: 1 }), candidate('known', { latencyMs: 500 })], undefined, () => 0).name).toBe('known')
    expect(strategy.choose([candidate('heavy', { latencyMs: 10, weight: 4, underWay: 1 }), candidate('light', { latencyMs: 10 })], undefined, () => 0).name).toBe('heavy')
    const spread = shares(strategy, three, 30_000)
    expect(Object.keys(spread)).toHaveLength(3)
  })

  it('rendezvous keeps a key at its place, by weight, and moves only what must move', () => {
    const strategy = rendezvousHash()
    const names = Array.from({ length: 10 }, (_, index) => `node-${index}`)
    const placeOf = (nodes: readonly Candidate[]) => Array.from({ length: 20_000 }, (_, key) => strategy.choose(nodes, `key-${key}`, Math.random).name)
    const all = names.map((name) => candidate(name))
    const before = placeOf(all)
    const after = placeOf(all.filter(({ name }) => name !== 'node-3'))

    const moved = before.filter((name, key) => name !== after[key])
    expect(new Set(moved)).toEqual(new Set(['node-3']))
    expect(moved.length / before.length).toBeCloseTo(0.1, 1)
    for (const name of names) expect(before.filter((place) => place === name).length / before.length).toBeGreaterThan(0.08)
    const byWeight = shares(strategy, [candidate('a', { weight: 3 }), candidate('b')], 20_000, (pick) => `key-${pick}`)
    expect(byWeight['a']).toBeCloseTo(0.75, 1)
    expect(Object.keys(shares(strategy, three, 1_000))).toHaveLength(3)
  })
})

describe('createBalancer', () => {
  function balancer(options: Partial<BalancerOptions<string>> = {}) {
    const clock = new FakeClock()
    const ejections: EjectionEvent[] = []
    const recorded = recordingMetrics()
    const made = createBalancer({
      name: 'replicas',
      targets: ['a', 'b', 'c'].map((name) => ({ name, target: `http://${name}` })),
      strategy: roundRobin(),
      clock,
      metrics: recorded.metrics,
      onEjection: (event) => ejections.push(event),
      ...options,
    })
    return { balancer: made, clock, ejections, counted: recorded.counted }
  }
  const failAt = (made: ReturnType<typeof balancer>['balancer'], bad: string, times: number) => async (): Promise<void> => {
    for (let call = 0; call < times; call++) await outcomeOf(made.execute(async (target) => (target.endsWith(bad) ? Promise.reject(away) : target)))
  }

  it('hands work a target with its context and notes how long it took', async () => {
    const { balancer: made, clock, counted } = balancer()
    const { signal } = new AbortController()
    const running = made.execute(
      async (target, context) => {
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 40))
        return [target, context.signal === signal]
      },
      { signal },
    )
    expect(made.targets[0]).toMatchObject({ name: 'a', underWay: 1 })

    await clock.advance(40)

    expect(await running).toEqual(['http://a', true])
    expect(made.targets[0]).toEqual({ name: 'a', underWay: 0, latencyMs: 40, isEjected: false })
    expect(counted).toEqual([{ name: 'smart_whale_balancer_calls_total', balancer: 'replicas', target: 'a' }])
  })

  it('takes out what fails again and again, longer each time, and lets it back in', async () => {
    const { balancer: made, clock, ejections, counted } = balancer({ outliers: { consecutiveFailures: 2, ejectMs: 1_000 } })
    await failAt(made, 'b', 6)()
    expect(ejections).toEqual([{ balancer: 'replicas', target: 'b', forMs: 1_000 }])
    expect(made.targets.map(({ isEjected }) => isEjected)).toEqual([false, true, false])
    const picked = new Set(Array.from({ length: 10 }, () => made.acquire().name))
    expect([...picked].sort()).toEqual(['a', 'c'])

    await clock.advance(1_000)
    await failAt(made, 'b', 6)()

    expect(ejections.at(-1)).toMatchObject({ target: 'b', forMs: 2_000 })
    expect(counted.filter((entry) => (entry as { name: string }).name === 'smart_whale_balancer_ejections_total')).toHaveLength(2)
    await clock.advance(2_000)
    expect(new Set(Array.from({ length: 6 }, () => made.acquire().name)).size).toBe(3)
  })

  it('takes out what fails too often, though never in a row', async () => {
    const { balancer: made, ejections } = balancer({ outliers: { minimumCalls: 10, failureShare: 0.5 } })
    let calls = 0
    for (let call = 0; call < 30; call++) {
      await outcomeOf(made.execute(async (target) => (target.endsWith('a') && calls++ % 2 === 0 ? target : target.endsWith('a') ? Promise.reject(away) : target)))
    }

    expect(ejections.map(({ target }) => target)).toEqual(['a'])
  })

  it('never takes out more than its share, nor the only one', async () => {
    const { balancer: made, ejections } = balancer({ outliers: { consecutiveFailures: 1 } })
    for (let call = 0; call < 10; call++) await outcomeOf(made.execute(() => Promise.reject(away)))
    expect(ejections).toHaveLength(1)
    const { balancer: alone, ejections: none } = balancer({ targets: [{ name: 'a', target: 'x' }], outliers: { consecutiveFailures: 1 } })
    for (let call = 0; call < 10; call++) await outcomeOf(alone.execute(() => Promise.reject(away)))

    expect(none).toEqual([])
  })

  it('forgives a target that does well again', async () => {
    const { balancer: made, clock, ejections } = balancer({ outliers: { consecutiveFailures: 1, ejectMs: 1_000, windowMs: 500 } })
    await failAt(made, 'b', 3)()
    await clock.advance(1_500)
    await failAt(made, 'nobody', 6)()
    await failAt(made, 'b', 3)()

    expect(ejections.map(({ forMs }) => forMs)).toEqual([1_000, 1_000])
  })

  it.each([
    ['a refusal that will not pass', new OperationError('no such table')],
    ['what the caller aborted', new OperationError('aborted', { code: 'ERR_ABORTED' })],
  ])('holds %s against nobody', async (_name, error) => {
    const { balancer: made, ejections } = balancer({ outliers: { consecutiveFailures: 1 } })

    for (let call = 0; call < 6; call++) await outcomeOf(made.execute(() => Promise.reject(error)))

    expect(ejections).toEqual([])
    expect(made.targets.every(({ underWay }) => underWay === 0)).toBe(true)
  })

  it('holds a deadline against the target and a caller who left against nobody', async () => {
    const { balancer: made, ejections } = balancer({ outliers: { consecutiveFailures: 1 } })
    const left = AbortSignal.abort('bored')
    await outcomeOf(made.execute(() => Promise.reject(away), { signal: left }))
    expect(ejections).toEqual([])

    await outcomeOf(made.execute(() => Promise.reject(away), { signal: AbortSignal.abort(new TimeoutError('late')) }))

    expect(ejections).toHaveLength(1)
  })

  it('leaves out what was tried already, unless there is no other', () => {
    const { balancer: made } = balancer()

    expect(Array.from({ length: 4 }, () => made.acquire({ exclude: ['a', 'c'] }).name)).toEqual(['b', 'b', 'b', 'b'])
    expect(made.acquire({ exclude: ['a', 'b', 'c'] }).name).toBeDefined()
  })

  it('takes what is out rather than what was tried', async () => {
    const { balancer: made } = balancer({ outliers: { consecutiveFailures: 1 } })
    await failAt(made, 'b', 3)()

    expect(made.acquire({ exclude: ['a', 'c'] }).name).toBe('b')
  })

  it('keeps what it knows of targets that stay', async () => {
    const { balancer: made, clock } = balancer()
    const lease = made.acquire()
    await clock.advance(25)
    lease.release('succeeded')
    lease.release('failed')

    made.setTargets([{ name: 'a', target: 'http://a' }, { name: 'd', target: 'http://d' }])

    expect(made.targets).toEqual([
      { name: 'a', underWay: 0, latencyMs: 25, isEjected: false },
      { name: 'd', underWay: 0, latencyMs: 0, isEjected: false },
    ])
  })

  it('forgets a slow time by and by, and a failure is no quick answer', async () => {
    const { balancer: made, clock } = balancer({ targets: [{ name: 'a', target: 'x' }], latencyDecayMs: 1_000 })
    const take = async (ms: number, outcome: 'succeeded' | 'failed'): Promise<number> => {
      const lease = made.acquire()
      await clock.advance(ms)
      lease.release(outcome)
      return made.targets[0]!.latencyMs
    }

    expect(await take(100, 'succeeded')).toBe(100)
    expect(await take(1, 'failed')).toBeCloseTo(100 * Math.exp(-1 / 1_000))
    expect(await take(200, 'failed')).toBe(200)
    await clock.advance(999)
    expect(await take(1, 'succeeded')).toBeCloseTo(200 / Math.E + 1 * (1 - 1 / Math.E))
  })

  it('asks a target again that was slow once, though another is free for every call', async () => {
    const { balancer: made, clock } = balancer({ strategy: powerOfTwoChoices(), random: seeded(3), latencyDecayMs: 1_000 })
    const latencies: Record<string, number> = { a: 5, b: 5, c: 400 }
    const asked: Record<string, number> = { a: 0, b: 0, c: 0 }
    const call = async (): Promise<void> => {
      const lease = made.acquire()
      asked[lease.name]! += 1
      await clock.advance(latencies[lease.name]!)
      lease.release('succeeded')
    }
    for (let one = 0; one < 200; one++) await call()
    const whileSlow = asked['c']!
    latencies['c'] = 5

    for (let one = 0; one < 3_000; one++) await call()

    expect(whileSlow).toBeLessThan(5)
    expect(asked['c']! - whileSlow).toBeGreaterThan(500)
  })

  it('takes a target for as slow as it has been silent while it owes answers', async () => {
    const { balancer: made, clock } = balancer({ targets: [{ name: 'a', target: 'x' }], latencyDecayMs: 1_000 })
    const known = made.acquire()
    await clock.advance(10)
    known.release('succeeded')
    await clock.advance(2_000)
    expect(made.targets[0]!.latencyMs).toBeCloseTo(10 / Math.E ** 2)

    const [hanging, other] = [made.acquire(), made.acquire()]
    await clock.advance(300)
    expect(made.targets[0]!.latencyMs).toBe(300)
    other.release('unknown')
    expect(made.targets[0]!.latencyMs).toBe(300)
    hanging.release('unknown')
    expect(made.targets[0]!.latencyMs).toBeLessThan(2)
  })

  it('holds a target for the length of a stream, and takes its first piece for its latency', async () => {
    const { balancer: made, clock, ejections } = balancer({ outliers: { consecutiveFailures: 1 } })
    const lease = made.acquire()
    await clock.advance(30)
    lease.answered()
    await clock.advance(5_000)
    lease.answered()
    expect(made.targets[0]).toMatchObject({ name: 'a', underWay: 1, latencyMs: expect.closeTo(30 * Math.exp(-0.5)) as number })

    lease.release('failed')
    lease.answered()

    expect(made.targets[0]).toMatchObject({ underWay: 0, latencyMs: expect.closeTo(30 * Math.exp(-0.5)) as number })
    expect(ejections).toEqual([{ balancer: 'replicas', target: 'a', forMs: 10_000 }])
  })

  it('gets a target back that leaves its scope', () => {
    const { balancer: made } = balancer()
    {
      using lease = made.acquire()
      expect(made.targets.find(({ name }) => name === lease.name)).toMatchObject({ underWay: 1 })
    }

    expect(made.targets.every(({ underWay, latencyMs }) => underWay === 0 && latencyMs === 0)).toBe(true)
  })

  it('says so when there is no target', () => {
    const { balancer: made } = balancer({ targets: [] })

    expect(() => made.acquire()).toThrow(expect.objectContaining({ code: 'ERR_NO_TARGET', retryable: true, context: { balancer: 'replicas' } }))
  })

  it.each([
    ['targets', { targets: [{ name: 'a', target: 'x' }, { name: 'a', target: 'y' }] }],
    ['weight', { targets: [{ name: 'a', target: 'x', weight: 0 }] }],
    ['consecutiveFailures', { outliers: { consecutiveFailures: 0 } }],
    ['failureShare', { outliers: { failureShare: 2 } }],
    ['maxEjectedShare', { outliers: { maxEjectedShare: -1 } }],
    ['latencyDecayMs', { latencyDecayMs: 0 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => balancer(options)).toThrow(expect.objectContaining({ context: { option } }))
  })

  it('frees the target of a call whose rule throws', async () => {
    const broken = new TypeError('broken rule')
    const isFailure = (): never => {
      throw broken
    }
    const balancer = createBalancer({ targets: [{ name: 'a', target: 'a' }], isFailure })

    expect(await outcomeOf(balancer.execute(() => Promise.reject(away)))).toBe(broken)
    expect(balancer.targets).toMatchObject([{ underWay: 0, isEjected: false }])
  })

  it('never takes a target out when told so', async () => {
    const { balancer: made, ejections } = balancer({ outliers: false })
    for (let call = 0; call < 100; call++) await outcomeOf(made.execute(() => Promise.reject(away)))

    expect(ejections).toEqual([])
  })
})
